//! Whole updates: record streams in `tests/scenarios/*.jsonl`, reports in `tests/snapshots`.
//!
//! The streams are data, so that they can be read and explained like any recording. After a change of the builder
//! `UPDATE_SCENARIOS=1 cargo test` writes them anew.

use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::attempt::Role;
use rollout::analyse::report::update::Both;
use rollout::analyse::report::verdict::Doubt;
use rollout::present::text::{self, Options};
use rollout::record::Record;
use rollout::record::kernel::DestinationChange;
use rollout::record::meta::{Phase, Stage};
use std::path::PathBuf;

/// A clean update of one pod: drained, programmed in time.
pub fn clean() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 6620 * MS, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.steady(6630 * MS, 7 * S, 20 * MS, &[10, 20]);
    world.pod_goes(7 * S, 10, 2 * S, 60 * MS);
    world.steady(7 * S, 7060 * MS, 10 * MS, &[10, 20]);
    world.steady(7070 * MS, 12 * S, 200 * MS, &[20]);
    world.program(9500 * MS, 10, DestinationChange::Delete, None);
    world.pod_gone(9600 * MS, 10);
    world.update_complete(10 * S);
    world.phase(12 * S, Phase::Ended);
    world
}

/// What the blog post saw: about 100 ms of SYNs without an answer, 40 ms of both pods, then the new one alone.
pub fn blog() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 6 * S, 100 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.steady(6 * S, 6580 * MS, 50 * MS, &[10]);
    for n in 0..6 {
        world.probe(6 * S + n * 100 * MS, 10).established(300);
    }
    // The old pod stops at once; IPVS learns it late, and has both for 40 ms.
    world.pod_goes(6580 * MS, 10, 15 * MS, 100 * MS);
    for n in 0..10_u64 {
        let at = 6585 * MS + n * 10 * MS;
        let mut dial = world.dial(at);
        dial.chosen(20, 10);
        dial.resent(1020 * MS, None);
        dial.dropped(1020 * MS + 40, "NETFILTER_DROP", NODE);
        if n % 3 == 2 {
            dial.failed(1500 * MS, None);
        } else {
            dial.resent(2050 * MS, None);
            dial.chosen(2050 * MS + 30, 20);
            dial.established(2050 * MS + 400);
            dial.closed(2060 * MS, None);
        }
        if n >= 4 {
            world.request(at + 3 * MS, 20);
        }
    }
    world.steady(6690 * MS, 12 * S, 100 * MS, &[20]);
    world.program(8 * S, 10, DestinationChange::Delete, None);
    world.pod_gone(7200 * MS, 10);
    world.update_complete(9 * S);
    world.phase(12 * S, Phase::Ended);
    world
}

/// The listener closes before IPVS forgets the pod: refused by RST, and connections reset.
pub fn listener_first() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 7 * S, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    for n in 0..3 {
        let mut dial = world.dial(7 * S + n * MS);
        dial.chosen(20, 10);
        dial.established(300);
        dial.reset(30 * MS - n * MS, "ESTABLISHED");
        dial.closed(30 * MS - n * MS + 3, Some(104));
    }
    world.pod_goes(7 * S, 10, 30 * MS, 250 * MS);
    for n in 0..8 {
        let mut dial = world.dial(7040 * MS + n * 25 * MS);
        dial.chosen(20, 10);
        dial.refused(220, 10);
        world.probe(7045 * MS + n * 25 * MS, 10).refused(150, 10);
    }
    world.steady(7260 * MS, 11 * S, 200 * MS, &[20]);
    world.program(8 * S, 10, DestinationChange::Delete, None);
    world.pod_gone(8 * S, 10);
    world.update_complete(9 * S);
    world.phase(11 * S, Phase::Ended);
    world
}

/// The old pod goes before the new one is programmed: a gap without any destination; one failure before the update.
pub fn gap() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 5 * S, 200 * MS, &[10]);
    let mut early = world.dial(3500 * MS + 1);
    early.chosen(20, 10);
    early.failed(60 * MS, None);
    world.update_begins(5 * S);
    world.steady(5 * S, 6 * S, 200 * MS, &[10]);
    world.pod_goes(6 * S, 10, 20 * MS, 50 * MS);
    world.program(6051 * MS, 10, DestinationChange::Delete, None);
    for n in 0..9 {
        let mut dial = world.dial(6060 * MS + n * 50 * MS);
        dial.no_destination(20);
        dial.resent(1020 * MS, None);
        if n < 4 {
            dial.no_destination(1020 * MS + 40);
            dial.failed(1021 * MS, Some(111));
        } else {
            dial.chosen(1020 * MS + 40, 20);
            dial.established(1021 * MS);
        }
    }
    world.pod_comes(6 * S, 20);
    world.steady(6700 * MS, 10 * S, 200 * MS, &[20]);
    world.pod_gone(7 * S, 10);
    world.update_complete(8 * S);
    world.phase(10 * S, Phase::Ended);
    world
}

/// Fifty replicas, one after the other; every fifth old pod closes its listener too early.
pub fn fifty() -> World {
    let mut world = World::watching(50);
    world.update_begins(3 * S);
    for n in 0..50_u8 {
        let at = 4 * S + u64::from(n) * 400 * MS;
        let (old, new) = (10 + n, 110 + n);
        world.pod_comes(at, new);
        let going = at + 700 * MS;
        let early = n % 5 == 0;
        world.pod_goes(going, old, if early { 15 * MS } else { 2 * S }, 80 * MS);
        world.request(going - 5 * MS, old);
        world.request(going + 200 * MS, new);
        if early {
            for k in 0..u64::from(1 + n / 5) {
                let mut dial = world.dial(going + 20 * MS + k * 3 * MS);
                dial.chosen(20, old);
                dial.refused(180, old);
            }
        }
        world.program(going + 2100 * MS, old, DestinationChange::Delete, None);
        world.pod_gone(going + 2200 * MS, old);
    }
    world.update_complete(27 * S);
    world.phase(30 * S, Phase::Ended);
    world
}

/// Nothing failed, but the ring overran while the old pod went.
pub fn lost() -> World {
    let mut world = clean();
    world.loss(6900 * MS, 7100 * MS, Stage::Ring, 12);
    world
}

/// Interrupted after the old pod began to go.
pub fn cut_short() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 7500 * MS, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.pod_goes(7 * S, 10, 2 * S, 600 * MS);
    world.phase(7600 * MS, Phase::CutShort { reason: "interrupted".into() });
    world
}

/// The update is replaced by its own reverse before it is complete.
pub fn rolled_back() -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 8 * S, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.update_to(7 * S, 3, "aaaaaaaaaa");
    world.pod_goes(7500 * MS, 20, S, 50 * MS);
    world.pod_gone(9 * S, 20);
    world.update_complete(9500 * MS);
    world.phase(10 * S, Phase::Ended);
    world
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(format!("{name}.jsonl"))
}

/// The records of a scenario's file, which are those of its builder.
fn stored(name: &str, built: &World) -> Vec<Record> {
    let line = |record: &Record| serde_json::to_string(record).expect("a record is JSON") + "\n";
    let lines: String = built.records.iter().map(line).collect();
    if std::env::var_os("UPDATE_SCENARIOS").is_some() {
        std::fs::write(path(name), &lines).expect("the scenario can be written");
    }
    let text = std::fs::read_to_string(path(name)).expect("the scenario is there");
    assert!(text == lines, "tests/scenarios/{name}.jsonl differs from its builder");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// Checks a scenario's page: 80 columns, and what a person reads.
pub fn check(name: &str, world: &World) -> Report {
    check_records(name, &stored(name, world))
}

fn check_records(name: &str, records: &[Record]) -> Report {
    let report = explain(records);
    for all in [false, true] {
        let page = text::render(&report, Options { color: false, all });
        for line in page.lines().skip(1) {
            assert!(line.chars().count() <= 80, "over 80 columns in {name}: {line}");
        }
        let painted = text::render(&report, Options { color: true, all });
        assert_eq!(uncoloured(&painted), page, "colours change nothing but colours");
    }
    let page = text::render(&report, Options::default());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(format!("report_{name}"), page));
    report
}

fn uncoloured(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[test]
fn a_clean_update_is_clean() {
    let report = check("clean", &clean());
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    let windows = report.windows.expect("windows");
    assert_eq!(windows.unanswered.span, None);
    assert!(matches!(windows.both, Both::Overlap { .. }));
}

#[test]
fn the_blog_posts_three_windows() {
    let report = check("blog", &blog());
    assert_eq!(report.verdict.exit_code, 1);
    let windows = report.windows.expect("windows");
    let silent = windows.unanswered.span.expect("unanswered SYNs");
    assert_eq!((windows.unanswered.syns, silent.duration_ns), (10, 90_000_000));
    let Both::Overlap { span, syns_to_old, syns_to_new } = windows.both else {
        panic!("no overlap: {:?}", windows.both)
    };
    assert_eq!((syns_to_old, syns_to_new), (5, 5));
    assert_eq!(span.duration_ns, 47_000_000);
    assert_eq!((report.verdict.failed, report.verdict.slowed), (3, 7));
}

#[test]
fn a_listener_that_closes_first() {
    let report = check("listener_first", &listener_first());
    assert_eq!((report.verdict.failed, report.verdict.reset_afterwards), (11, 3));
    assert_eq!((report.verdict.probes, report.verdict.probes_failed), (8, 8));
}

#[test]
fn a_gap_without_destination() {
    let report = check("gap", &gap());
    let windows = report.windows.expect("windows");
    assert!(matches!(windows.both, Both::Gap { syns, .. } if syns > 8), "{:?}", windows.both);
    assert_eq!((report.verdict.failed, report.verdict.slowed), (4, 5));
    assert_eq!(report.verdict.baseline_failed, 1);
}

#[test]
fn fifty_replicas_are_readable() {
    // Not stored: its slices alone are more than a megabyte.
    let report = check_records("fifty", &fifty().records);
    assert_eq!(report.pods.len(), 100);
    assert_eq!(report.verdict.failed, 55);
    let page = text::render(&report, Options::default());
    assert!(page.lines().count() < 300, "{} lines", page.lines().count());
}

#[test]
fn a_loss_makes_it_inconclusive() {
    let report = check("lost", &lost());
    assert_eq!(report.verdict.exit_code, 3);
}

#[test]
fn cut_short_is_said() {
    let report = check("cut_short", &cut_short());
    assert_eq!(report.verdict.exit_code, 3);
}

#[test]
fn a_roll_back_half_way_is_said() {
    let report = check("rolled_back", &rolled_back());
    assert_eq!(report.verdict.exit_code, 3);
    let update = report.update.expect("an update");
    assert_eq!(update.superseded.len(), 1);
    assert_eq!(update.to.template_hash, "aaaaaaaaaa");
}

#[test]
fn a_workload_that_changes_twice_is_one_update_to_the_last_revision() {
    let mut world = World::watching(1);
    world.steady(3 * S, 10 * S, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.update_to(7 * S, 3, "cccccccccc");
    world.pod_goes(7500 * MS, 20, S, 50 * MS);
    world.pod_gone(9 * S, 20);
    world.pod_comes_of(9500 * MS, 30, 3, "cccccccccc");
    world.pod_goes(11 * S, 10, 2 * S, 60 * MS);
    world.steady(11100 * MS, 15 * S, 200 * MS, &[30]);
    world.pod_gone(14 * S, 10);
    world.update_complete(14500 * MS);
    world.phase(15 * S, Phase::Ended);
    let report = explain(&world.records);
    let update = report.update.as_ref().expect("an update");
    assert_eq!((update.to.template_hash.as_str(), update.superseded.len()), ("cccccccccc", 1));
    let roles: Vec<_> = report.pods.iter().map(|pod| (pod.pod.uid.clone(), pod.role)).collect();
    assert_eq!(
        roles,
        [(uid(10), Some(Role::Old)), (uid(20), Some(Role::Old)), (uid(30), Some(Role::New))]
    );
    // What became of the middle revision is a question that a clean verdict does not answer.
    assert_eq!(report.verdict.doubts, [Doubt::Superseded]);
    assert_eq!(report.verdict.exit_code, 3);
}
