//! `rollout replay`: rows and objects of a recording, what the footer says, and how damage is told.

use crate::command::rollout;
use crate::files::{record, scenario};
use crate::transcript::check;
use rollout::record::Body;
use std::fs;
use std::path::Path;

/// Standard output, standard error without the folder's name, exit code.
fn replay(path: &Path, more: &[&str]) -> (String, String, i32) {
    let path_text = path.to_str().expect("a path");
    let output = rollout(&[&["replay", path_text], more].concat()).output().expect("it runs");
    let folder = path.parent().and_then(Path::to_str).expect("a folder");
    let text = |bytes| String::from_utf8(bytes).expect("text").replace(folder, "FOLDER");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

#[test]
fn rows_of_a_recording_are_as_reviewed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "a.zst", &scenario("rolled_back"));
    let kinds = ["--kind", "listener_opened,listener_closed,signal,exit,ipvs_destination"];
    let (rows, footer, code) = replay(&path, &kinds);
    assert!(rows.lines().all(|row| row.chars().count() <= 80));
    check("cli_replay", &format!("{rows}---\n{footer}[exit {code}]\n"));
    let wide = replay(&path, &[&kinds[..], &["-o", "wide"]].concat()).0;
    assert_eq!(wide.lines().count(), rows.lines().count());
}

#[test]
fn json_ends_with_its_footer_and_is_all_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "a.zst", &scenario("lost"));
    let (text, errors, code) = replay(&path, &["-o", "json"]);
    assert_eq!((errors.as_str(), code), ("", 0));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let (end, events) = lines.split_last().expect("a footer");
    assert_eq!(end["kind"], "end");
    assert_eq!(end["end"]["printed"], events.len());
    assert_eq!(end["end"]["lost"]["at the ring buffer (connect)"], 12);
}

#[test]
fn a_cut_file_is_replayed_up_to_the_cut_and_is_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "cut.zst", &scenario("clean"));
    let whole = replay(&path, &[]).0;
    let bytes = fs::read(&path).expect("the recording");
    fs::write(&path, bytes.get(..bytes.len() * 3 / 4).expect("a part")).expect("a file");
    let (part, errors, code) = replay(&path, &[]);
    assert_eq!(code, 3);
    let warning = errors.lines().last().expect("a warning");
    assert!(warning.starts_with("warning: `FOLDER/cut.zst` is damaged in frame "), "{errors}");
    assert!(errors.contains("lost in reading the recording (frame "), "{errors}");
    assert!(part.lines().count() > 10 && part.lines().count() < whole.lines().count());
}

#[test]
fn lines_of_an_unknown_kind_are_counted_and_are_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zst");
    let mut text = String::new();
    for record in scenario("clean") {
        text.push_str(&serde_json::to_string(&record).expect("JSON"));
        text.push('\n');
    }
    text.push_str("{\"id\":9,\"time_ns\":9,\"body\":{\"later\":{}}}\n");
    fs::write(&path, zstd::encode_all(text.as_bytes(), 1).expect("a frame")).expect("a file");
    let (_, errors, code) = replay(&path, &[]);
    assert!(errors.contains("1 lost in reading the recording (lines of an unknown kind)"));
    assert_eq!(code, 3, "{errors}");
}

#[test]
fn what_cannot_be_replayed_is_2_with_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rows, errors, code) = replay(&folder.path().join("missing.zst"), &[]);
    assert_eq!((rows.as_str(), code), ("", 2));
    assert!(errors.starts_with("error: cannot open the recording `FOLDER/missing.zst`"));
    let mut records = scenario("clean");
    records
        .retain(|record| !matches!(record.body, Body::Watch(_) | Body::Pod(_) | Body::Service(_)));
    let path = record(folder.path(), "local.zst", &records);
    let (rows, errors, code) = replay(&path, &["--pod", "web"]);
    assert_eq!((rows.as_str(), code), ("", 2));
    assert!(errors.contains("`--pod` needs the cluster") && errors.contains("hint: "), "{errors}");
    assert_eq!(replay(&path, &["--kind", "connect"]).2, 0);
}
