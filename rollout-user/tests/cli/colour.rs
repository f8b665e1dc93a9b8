//! Colours: on a terminal, unless `NO_COLOR` is set, and never in a pipe; the text is the same with and without.

use crate::command::rollout;
use crate::files::{record, scenario};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::process::Command;

fn explain(path: &Path, more: &[&str]) -> Command {
    rollout(&[&["explain", path.to_str().expect("a path")], more].concat())
}

fn piped(command: &mut Command) -> String {
    String::from_utf8(command.output().expect("the binary runs").stdout).expect("text")
}

/// What a terminal is given.
pub fn on_terminal(command: &mut Command) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("its other end");
    unlockpt(&master).expect("its other end");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().expect("a path"))
        .expect("its other end");
    let mut child = command
        .stdin(slave.try_clone().expect("a copy"))
        .stdout(slave)
        .spawn()
        .expect("the binary runs");
    // The command holds the other end, too: without it the terminal hangs up when the child ends.
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    let mut text = Vec::new();
    // A terminal whose other end is closed answers with EIO.
    let _end = File::from(master).read_to_end(&mut text);
    child.wait().expect("it ends");
    String::from_utf8(text).expect("text")
}

fn uncoloured(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn colours_are_for_terminals_and_no_color_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "a.zst", &scenario("blog"));
    let plain = piped(&mut explain(&path, &[]));
    assert!(!plain.contains('\x1b'));

    let coloured = piped(&mut explain(&path, &["--color", "always"]));
    assert!(coloured.contains("\x1b[31m"));
    assert_eq!(uncoloured(&coloured), plain);

    let shown = on_terminal(&mut explain(&path, &[])).replace("\r\n", "\n");
    assert_eq!(shown, coloured);
    for quiet in
        [explain(&path, &[]).env("NO_COLOR", "1"), &mut explain(&path, &["--color", "never"])]
    {
        assert_eq!(on_terminal(quiet).replace("\r\n", "\n"), plain);
    }
    // As https://no-color.org has it, an empty value is none.
    let empty = on_terminal(explain(&path, &[]).env("NO_COLOR", ""));
    assert!(empty.contains("\x1b[31m"));
}

#[test]
fn json_has_no_colours_even_when_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "a.zst", &scenario("blog"));
    let json = piped(&mut explain(&path, &["-o", "json", "--color", "always"]));
    assert!(!json.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), "a.zst", &scenario("blog"));
    let mut command = explain(&path, &["-o", "json"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
