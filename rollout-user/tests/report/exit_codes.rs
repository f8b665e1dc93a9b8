//! Exit codes end to end: records in a file, the binary, its exit code, and the reason in both outputs.

use crate::command::rollout;
use crate::faults::without;
use crate::scenarios::{blog, clean, cut_short, gap, listener_first, lost, rolled_back};
use crate::world::*;
use rollout::record::Body;
use rollout::record::cluster::WatchChange;
use rollout::record::kernel::{BackendChosen, Chooser, Flow};
use rollout::record::meta::{DataPath, Phase, Stage};
use rollout::recording::space::Limits;
use rollout::recording::write::Writer;
use std::path::Path;

/// Exit code, first line of the text, and the kinds of doubts of the JSON.
fn explained(world: &World) -> (i32, String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zst");
    record(&path, world);
    let run = |more: &[&str]| {
        let path = path.to_str().expect("a path");
        let output = rollout(&[&["explain", path], more].concat()).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        (
            output.status.code().expect("an exit code"),
            String::from_utf8(output.stdout).expect("text"),
        )
    };
    let (code, text) = run(&[]);
    let (json_code, json) = run(&["-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(code, json_code);
    assert_eq!(report["verdict"]["exit_code"], code);
    let doubts = report["verdict"]["doubts"].as_array().expect("doubts");
    let doubts = doubts.iter().filter_map(|doubt| doubt["kind"].as_str()).map(str::to_owned);
    (code, text.lines().next().unwrap_or_default().to_owned(), doubts.collect())
}

fn record(path: &Path, world: &World) {
    assert_eq!(record_at_most(path, world, u64::MAX), 0);
}

/// Returns how many records did not fit.
fn record_at_most(path: &Path, world: &World, max_bytes: u64) -> u64 {
    let limits = Limits { max_bytes, min_free_percent: 0 };
    let mut writer = Writer::create(path, limits).expect("a recording");
    for record in &world.records {
        writer.write(record, record.time_ns);
    }
    writer.finish().lost
}

#[test]
fn nothing_failed_and_everything_was_seen_is_0() {
    let (code, line, doubts) = explained(&clean());
    assert_eq!((code, doubts.len()), (0, 0), "{line}");
}

#[test]
fn failures_are_1_and_win_over_doubts() {
    for world in [blog(), listener_first(), gap()] {
        let (code, line, _) = explained(&world);
        assert_eq!(code, 1, "{line}");
        assert!(line.contains("failed") || line.contains("slowed"), "{line}");
    }
    let mut world = blog();
    world.loss(6 * S, 7 * S, Stage::Ring, 3);
    let (code, _, doubts) = explained(&world);
    assert_eq!((code, doubts.as_slice()), (1, &["lost".to_owned()][..]));
}

#[test]
fn what_cannot_be_read_is_2_and_has_no_report() {
    let output = rollout(&["explain", "/nonexistent/a.zst"]).output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot open"));
}

#[test]
fn what_could_have_been_missed_is_3_with_its_reason() {
    let traffic = |body: &Body| {
        matches!(
            body,
            Body::Connect(_) | Body::Established(_) | Body::BackendChosen(_) | Body::Closed(_)
        )
    };
    let mut elsewhere = clean();
    let flow = Flow { source: Some(ip(77)), source_port: Some(1234), destination: vip() };
    let chosen = BackendChosen {
        flow,
        backend: backend(20),
        weight: Some(1),
        by: Chooser::Ipvs,
        netns: NODE,
    };
    elsewhere.push(8 * S, Body::BackendChosen(chosen));
    let mut unknown = clean();
    unknown.dial(8 * S + 1).established(300);
    let mut cut = clean();
    cut.watch(8 * S, "pods", "node=node1", WatchChange::Cut, Some("410 Gone"));
    let mut uncovered = clean();
    uncovered.data_path(DataPath::SocketLb, "cilium");
    uncovered.records.last_mut().expect("a record").time_ns += 10_000_000;
    let mut waiting = World::watching(1);
    waiting.steady(3 * S, 5 * S, 50 * MS, &[10]);
    waiting.phase(6 * S, Phase::Ended);
    for (world, doubt) in [
        (lost(), "lost"),
        (cut_short(), "cut_short"),
        (rolled_back(), "superseded"),
        (without(clean(), traffic), "no_traffic"),
        (elsewhere, "clients_elsewhere"),
        (unknown, "backend_unknown"),
        (cut, "watch_cut"),
        (uncovered, "data_path_not_covered"),
        (waiting, "no_update"),
        (without(clean(), |body| matches!(body, Body::Phase(Phase::Ended))), "no_end"),
    ] {
        let (code, line, doubts) = explained(&world);
        assert_eq!(code, 3, "{doubt}: {line}");
        assert!(doubts.iter().any(|kind| kind == doubt), "{doubt}: {doubts:?}");
        assert!(line.starts_with("Inconclusive: "), "{doubt}: {line}");
    }
}

#[test]
fn a_recording_that_ran_out_of_space_is_read_and_is_3_with_the_count() {
    let mut world = World::watching(1);
    world.steady(3 * S, 60 * S, 3 * MS, &[10]);
    world.update_begins(61 * S);
    world.phase(62 * S, Phase::Ended);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zst");
    let lost = record_at_most(&path, &world, 100_000);
    assert!(lost > 1000, "{lost}");
    let output = rollout(&["explain", path.to_str().expect("a path")]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains(&format!("lost: {lost} events in recording")), "{text}");
    assert!(text.contains("Before the update") || text.contains("attempts"), "{text}");
}
