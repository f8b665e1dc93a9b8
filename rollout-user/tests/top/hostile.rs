//! Names that would harm a terminal, and more of everything than a screen or a memory holds.

use crate::play::{Moment, SECOND_NS, picture, press, scenario, setting, text};
use rollout::record::cluster::{Meta, Observed, Pod};
use rollout::record::{Body, Record};
use rollout::top::state::{Setting, Top};
use rollout::top::ui::{Key, Ui};
use rollout::top::view::{EVENTS, ROWS};
use std::sync::Arc;

const EVIL: &str = "a\x1b]0;owned\x07\r\n\u{202e}b\u{200b}\u{9b}2J";

fn poisoned() -> Vec<Record> {
    let mut records = scenario("blog");
    for record in &mut records {
        match &mut record.body {
            Body::Header(header) => {
                header.node = EVIL.into();
                header.kernel = EVIL.into();
            }
            Body::Pod(seen) => {
                seen.object.meta.name = format!("{}{EVIL}", seen.object.meta.name);
                seen.object.meta.namespace = EVIL.into();
            }
            Body::Service(seen) => seen.object.meta.name = EVIL.into(),
            Body::Connect(connect) => connect.comm = EVIL.into(),
            Body::ReplicaSet(set) => {
                if let Some(owner) = &mut set.object.meta.owner {
                    owner.name = EVIL.into();
                }
            }
            Body::Hooks(hooks) => {
                for hook in hooks.facts.values_mut() {
                    (hook.attached, hook.blind) = (Some(EVIL.into()), Some(EVIL.into()));
                }
            }
            _ => {}
        }
    }
    records
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let (cluster, notes) = (Some(EVIL.to_owned()), vec![EVIL.to_owned()]);
    let setting = Setting { cluster, notes, ..setting() };
    let mut moment = Moment::of(&poisoned(), 12 * SECOND_NS, setting);
    let view = moment.view();
    let mut ui = Ui::default();
    press(&mut ui, &[Key::Char('/'), Key::Char('\u{202e}'), Key::Backspace, Key::Char('\u{200b}')]);
    for (keys, size) in [(&[Key::Backspace][..], (240, 60)), (&[Key::Enter], (80, 24))] {
        press(&mut ui, keys);
        let shown = text(&picture(&view, &mut ui, true, size));
        let harmless = |c: char| {
            c == '\n'
                || c.is_alphanumeric()
                || matches!(c, ' '..='~' | '…' | '→' | '▸' | '–' | '↑' | '↓')
        };
        let raw: Vec<char> = shown.chars().filter(|c| !harmless(*c)).collect();
        assert!(raw.is_empty(), "{raw:?} in {shown}");
        assert!(shown.contains("\\u{1b}"), "the name is shown, escaped: {shown}");
    }
}

#[test]
fn more_pods_than_a_view_holds_are_counted() {
    let mut top = Top::new(setting());
    let pods = 9_000_u64;
    for n in 0..pods {
        let meta = Meta { uid: format!("uid-{n}"), name: format!("p-{n}"), ..Meta::default() };
        let object = Pod { meta, ..Pod::default() };
        let seen = Observed { present: true, not_before_ns: 0, object };
        top.observe(&Arc::new(Record { id: n + 1, time_ns: n + 1, body: Body::Pod(seen) }));
    }
    let view = top.view(SECOND_NS);
    assert_eq!((view.pods.len(), view.more_pods), (ROWS, pods - ROWS as u64));
    let shown = text(&picture(&view, &mut Ui::default(), false, (80, 24)));
    assert!(shown.contains("and 8500 more"), "{shown}");
}

#[test]
fn more_events_than_a_view_holds_leave_the_newest() {
    let records = scenario("blog");
    let mut moment = Moment::of(&records, 100 * SECOND_NS, setting());
    let view = moment.view();
    assert!(view.head.total > EVENTS as u64);
    assert_eq!(view.events.len(), EVENTS);
}
