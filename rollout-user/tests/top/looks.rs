//! How the same moment looks: sizes, keys, colours, and when there is nothing to show.

use crate::play::{Moment, SECOND_NS, check, picture, press, scenario, setting, text};
use ratatui::style::Color;
use rollout::record::meta::{Loss, Stage};
use rollout::record::{Body, Record};
use rollout::top::state::{Setting, Top};
use rollout::top::ui::{Key, PANELS, Ui};
use rollout::top::view::View;
use std::sync::Arc;

const USUAL: (u16, u16) = (80, 24);

fn blog() -> Moment {
    Moment::of(&scenario("blog"), 12 * SECOND_NS, setting())
}

fn lost(moment: &mut Moment, count: u64) {
    let loss = Loss { stage: Stage::Ring, program: "connect".into(), count, since_ns: 0 };
    let record = Record { id: u64::MAX, time_ns: moment.now_ns, body: Body::Loss(loss) };
    moment.top.observe(&Arc::new(record));
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    check("top_too_small", &blog().screen(&[], (39, 24)));
    assert!(blog().screen(&[], (80, 7)).starts_with("terminal too small: 80x7"));
    assert_eq!(blog().screen(&[], (40, 8)).lines().count(), 8);
}

#[test]
fn no_size_and_no_keys_break_the_picture() {
    let view = blog().view();
    let keys = [Key::Tab, Key::End, Key::Char('s'), Key::PageUp, Key::Char('?'), Key::Up];
    let mut ui = Ui::default();
    for width in [1, 2, 39, 40, 41, 60, 79, 80, 81, 133, 300] {
        for height in [1, 2, 7, 8, 9, 12, 15, 24, 70] {
            press(&mut ui, &keys);
            let shown = text(&picture(&view, &mut ui, true, (width, height)));
            assert_eq!(shown.lines().count(), usize::from(height));
        }
    }
}

/// One view on screens of changing size, as a window is pulled: it is drawn anew for each.
#[test]
fn a_resize_keeps_what_was_looked_at() {
    let view = blog().view();
    let mut ui = Ui::default();
    press(&mut ui, &[Key::Tab, Key::Tab, Key::Down, Key::Down]);
    let before = text(&picture(&view, &mut ui, false, USUAL));
    let tiny = text(&picture(&view, &mut ui, false, (50, 10)));
    assert!(tiny.contains("▸EVENTS 3–"), "the panel in focus stays: {tiny}");
    picture(&view, &mut ui, false, (10, 2));
    assert_eq!(text(&picture(&view, &mut ui, false, USUAL)), before);
}

#[test]
fn nothing_yet_and_no_cluster() {
    let mut nothing = Top::new(Setting::default());
    let view = nothing.view(SECOND_NS);
    check("top_nothing", &text(&picture(&view, &mut Ui::default(), false, USUAL)));
    let events = scenario("blog");
    let of_kernel: Vec<Record> = events
        .into_iter()
        .filter(|record| {
            !matches!(
                record.body,
                Body::Pod(_)
                    | Body::Service(_)
                    | Body::EndpointSlice(_)
                    | Body::ReplicaSet(_)
                    | Body::Deployment(_)
                    | Body::Watch(_)
            )
        })
        .collect();
    let setting = Setting { cluster: None, ..setting() };
    let mut moment = Moment::of(&of_kernel, 12 * SECOND_NS, setting);
    check("top_no_cluster", &moment.screen(&[], USUAL));
}

#[test]
fn losses_are_told_in_words_and_make_weights_doubtful() {
    let mut moment = blog();
    lost(&mut moment, 17);
    moment.top.advance(moment.now_ns, 5);
    let shown = moment.screen(&[Key::BackTab, Key::BackTab], USUAL);
    check("top_losses", &shown);
    assert!(shown.contains("22 LOST") && shown.contains("! 17 lost at the ring buffer (connect)"));
}

#[test]
fn a_pause_is_told_and_what_is_shown_stands_still() {
    let mut ui = Ui::default();
    let mut moment = blog();
    let view: View = moment.view();
    press(&mut ui, &[Key::Char('p')]);
    moment.go_on(&scenario("blog"), SECOND_NS);
    let shown = text(&picture(&view, &mut ui, false, USUAL));
    assert!(shown.contains("PAUSED, counting goes on") && shown.contains("p go on"), "{shown}");
    assert!(moment.view().head.total > view.head.total);
}

#[test]
fn keys_are_explained() {
    check("top_help", &blog().screen(&[Key::Char('?')], USUAL));
}

#[test]
fn a_text_leaves_the_rows_that_have_it() {
    let keys = ["/", "n", "0", "2"].map(|key| Key::Char(key.chars().next().expect("a key")));
    let typing = blog().screen(&keys, USUAL);
    assert!(typing.contains("/n02_"), "{typing}");
    check("top_filtered", &blog().screen(&[&keys[..], &[Key::Enter]].concat(), USUAL));
}

/// What colours say is said without them, too: words and signs are the same.
#[test]
fn colours_add_nothing_but_colour() {
    let mut moment = blog();
    lost(&mut moment, 1);
    let view = moment.view();
    let [plain, coloured] = [false, true].map(|on| picture(&view, &mut Ui::default(), on, USUAL));
    assert_eq!(text(&plain), text(&coloured));
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(coloured.content.iter().any(|cell| cell.fg == Color::Red));
}

#[test]
fn orders_put_the_worst_first() {
    let mut moment = blog();
    let view = moment.view();
    let worst = view.pods.iter().max_by_key(|row| row.counts.last_60.failed).expect("a pod");
    assert!(worst.counts.last_60.failed > 0);
    let shown = moment.screen(&[], (160, 40));
    let first = shown.lines().skip_while(|line| !line.contains("PODS")).nth(1);
    assert!(first.is_some_and(|line| line.starts_with(&worst.name)), "{shown}");
}

#[test]
fn more_rows_than_lines_are_scrolled_to() {
    let view = blog().view();
    let mut ui = Ui::default();
    for panel in PANELS {
        ui.focus = panel;
        press(&mut ui, &[Key::End]);
        let bottom = text(&picture(&view, &mut ui, false, (80, 8)));
        press(&mut ui, &[Key::Down, Key::Down]);
        assert_eq!(text(&picture(&view, &mut ui, false, (80, 8))), bottom, "there is no more");
    }
}
