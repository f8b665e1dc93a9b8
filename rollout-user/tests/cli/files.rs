//! Recordings that `explain` is given: whole, cut, of another version, none at all.

use crate::transcript::{check, transcript};
use rollout::record::{Body, Record};
use rollout::recording::space::Limits;
use rollout::recording::write::Writer;
use std::fs;
use std::path::{Path, PathBuf};

/// The records of a stored update.
pub fn scenario(name: &str) -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenarios/{name}.jsonl"));
    let text = fs::read_to_string(path).expect("a scenario");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// A recording of it, one frame for each second of the update.
pub fn record(folder: &Path, name: &str, records: &[Record]) -> PathBuf {
    let path = folder.join(name);
    let limits = Limits { max_bytes: u64::MAX, min_free_percent: 0 };
    let mut writer = Writer::create(&path, limits).expect("a recording");
    for record in records {
        writer.write(record, record.time_ns);
    }
    assert_eq!(writer.finish().lost, 0);
    path
}

/// The transcript without the folder's name.
fn explain(folder: &Path, name: &str, more: &[&str]) -> String {
    let path = folder.join(name);
    let path = path.to_str().expect("a path");
    let text = transcript(&[&["explain", path], more].concat());
    text.replace(folder.to_str().expect("a path"), "FOLDER")
}

#[test]
fn what_is_no_recording_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty"), "").expect("a file");
    fs::write(at("notes.txt"), "some notes\n").expect("a file");
    fs::write(at("plain.jsonl"), "{\"id\":1}\n").expect("a file");
    fs::create_dir(at("folder")).expect("a folder");
    let mut records = scenario("clean");
    if let Some(Body::Header(header)) = records.first_mut().map(|record| &mut record.body) {
        (header.format, header.version) = (99, "7.1.0\x1b[2J\n\u{202e}".into());
    }
    record(folder.path(), "newer.zst", &records);
    record(folder.path(), "headless.zst", records.get(1..).expect("more records"));
    let all = ["missing.zst", "empty", "notes.txt", "plain.jsonl", "folder", "newer.zst"];
    let text: String = all.iter().map(|name| explain(folder.path(), name, &[])).collect();
    check("cli_files_refused", &text);
    let headless = explain(folder.path(), "headless.zst", &[]);
    assert!(headless.contains("is not a recording of rollout"), "{headless}");
}

#[test]
fn a_cut_file_is_reported_up_to_the_cut_and_the_place_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "cut.zst", &scenario("clean"));
    let bytes = fs::read(&path).expect("the recording");
    fs::write(&path, bytes.get(..bytes.len() * 3 / 4).expect("a part")).expect("a file");
    let text = explain(folder.path(), "cut.zst", &[]);
    assert!(text.contains("Inconclusive: "), "{text}");
    let place = "warning: `FOLDER/cut.zst` is damaged in frame ";
    let warning = text.lines().find(|line| line.starts_with(place)).expect("a warning");
    assert!(warning.contains(" at byte "), "{warning}");
    assert!(text.contains("in reading the recording"), "the report names it too: {text}");
    assert!(text.ends_with("[exit 3]\n"), "{text}");
}

#[test]
fn a_flipped_byte_costs_what_follows_and_nothing_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "flipped.zst", &scenario("blog"));
    let mut bytes = fs::read(&path).expect("the recording");
    let last = bytes.len() - 8;
    bytes[last] ^= 0x40;
    fs::write(&path, bytes).expect("a file");
    let text = explain(folder.path(), "flipped.zst", &[]);
    // The failures lie before the damage.
    assert!(text.ends_with("[exit 1]\n"), "{text}");
    assert!(text.contains("is damaged in frame "), "{text}");
}

#[test]
fn json_is_one_object_whatever_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["clean", "blog", "lost"] {
        record(folder.path(), name, &scenario(name));
        let text = explain(folder.path(), name, &["-o", "json"]);
        let (_, rest) = text.split_once('\n').expect("the command");
        let (json, exit) = rest.rsplit_once("[exit ").expect("the exit code");
        let report: serde_json::Value = serde_json::from_str(json).expect("one JSON object");
        assert_eq!(format!("{}]\n", report["verdict"]["exit_code"]), exit);
    }
}

#[test]
fn a_workload_that_is_not_in_the_recording_is_inconclusive() {
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), "a.zst", &scenario("clean"));
    let other = ["--workload", "deployment/none"];
    let text = explain(folder.path(), "a.zst", &other);
    assert!(text.contains("Inconclusive: ") && text.ends_with("[exit 3]\n"), "{text}");
}
