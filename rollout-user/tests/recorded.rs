//! Recordings of real updates in the lab, and the report that each gives: what was seen once stays readable, and is
//! read the same way. A recording is `tests/recordings/NAME.jsonl.zst`; `docs/lab.md` says how one is made.

use rollout::analyse::Explainer;
use rollout::analyse::report::Report;
use rollout::analyse::report::update::Both;
use rollout::present::text::{self, Options};
use rollout::recording::read::{Ending, Reader};
use std::path::{Path, PathBuf};

fn explained(name: &str) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let path: PathBuf = folder.join(name).with_extension("jsonl.zst");
    let mut explanation = Explainer::new(None);
    let mut reader = Reader::open(&path).expect("a recording");
    reader.by_ref().for_each(|record| explanation.observe(&record));
    assert_eq!(reader.ending(), &Ending::Whole, "{name}");
    assert_eq!(reader.unreadable(), 0, "{name}");
    let mut explanation = explanation.observed();
    Reader::open(&path).expect("a recording").for_each(|record| explanation.event(&record));
    explanation.report()
}

fn check(name: &str) -> Report {
    let report = explained(name);
    let page = text::render(&report, Options::default());
    for line in page.lines().skip(1) {
        assert!(line.chars().count() <= 80, "over 80 columns in {name}: {line}");
    }
    insta::assert_snapshot!(format!("recorded_{name}"), page);
    report
}

#[test]
fn a_stalled_server_leaves_the_first_window() {
    let report = check("stalled");
    let windows = report.windows.expect("windows");
    assert!(windows.unanswered.syns >= 20, "{:?}", windows.unanswered);
    assert!(windows.only_new.syns > 0);
    assert_eq!(report.verdict.exit_code, 1);
}

#[test]
fn a_plain_update_refuses_and_then_loses() {
    let report = check("plain");
    assert_eq!(report.verdict.exit_code, 1);
    assert!(report.verdict.failed > 0);
    // The balancer still named the pod when its network had gone; then it dropped what was sent again.
    assert!(report.verdict.syns.undelivered >= 20);
    assert!(report.verdict.syns.dropped_in_ipvs >= 20);
}

#[test]
fn without_surge_there_is_a_gap_without_destination() {
    let report = check("gap");
    assert!(matches!(report.windows.expect("windows").both, Both::Gap { .. }));
    assert!(report.verdict.syns.no_destination >= 20);
}

#[test]
fn a_server_that_lingers_loses_nothing() {
    let report = check("linger");
    assert_eq!((report.verdict.failed, report.verdict.slowed), (0, 0));
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    assert!(report.verdict.attempts > 0);
}
