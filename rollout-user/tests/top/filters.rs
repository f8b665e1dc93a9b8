//! Flags: what is counted and what is shown. In: command lines as a user types them. Out: totals and rows.

use crate::play::{Moment, SECOND_NS, scenario, setting};
use clap::Parser;
use rollout::cli::{Cli, Command};
use rollout::top::state::Setting;
use rollout::top::view::View;

fn with(flags: &[&str]) -> View {
    let cli = Cli::try_parse_from([&["rollout", "top"], flags].concat()).expect("arguments");
    let Command::Top(args) = cli.command else { panic!("not top") };
    let setting = Setting { filter: args.filter, ..setting() };
    Moment::of(&scenario("blog"), 12 * SECOND_NS, setting).view()
}

#[test]
fn filters_hold_for_counts_and_rows() {
    let all = with(&[]);
    assert!(all.pods.len() == 3 && all.updates.len() == 1 && all.backends.len() == 2);
    for flags in [&["-n", "other"][..], &["--service", "other"], &["--pod", "other"]] {
        let none = with(flags);
        assert_eq!(
            (none.head.total, none.events.len(), none.backends.len()),
            (0, 0, 0),
            "{flags:?}"
        );
    }
    let other = with(&["-n", "other"]);
    assert_eq!((other.pods.len(), other.updates.len()), (0, 0));
    let new = with(&["--pod", "serv-bbbbbbbbbb-n020"]);
    assert_eq!(new.pods.len(), 1);
    assert!(new.head.total > 0 && new.head.total < all.head.total);
    let service = with(&["--service", "serv"]);
    assert_eq!(service.head.last_60.failed, all.head.last_60.failed);
}

#[test]
fn kinds_narrow_the_events_and_no_count() {
    let (all, failed) = (with(&[]), with(&["--kind", "connect_failed"]));
    assert_eq!(failed.head.last_60, all.head.last_60);
    assert_eq!(failed.events.len() as u64, all.head.last_60.failed);
    assert!(failed.events.iter().all(|row| row.text.contains(" failed ")));
}
