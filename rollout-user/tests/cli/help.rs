//! `--help` of every command: complete, within 80 columns, the same each time.

use crate::transcript::{check, transcript};

#[test]
fn every_help_is_as_reviewed_and_fits_80_columns() {
    for (name, args) in [
        ("cli_help", &["--help"][..]),
        ("cli_help_watch", &["watch", "--help"]),
        ("cli_help_trace", &["trace", "--help"]),
        ("cli_help_top", &["top", "--help"]),
        ("cli_help_explain", &["explain", "--help"]),
        ("cli_help_replay", &["replay", "--help"]),
        ("cli_help_doctor", &["doctor", "--help"]),
        ("cli_help_completions", &["completions", "--help"]),
        ("cli_help_man", &["man", "--help"]),
    ] {
        let text = transcript(args);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        check(name, &text);
    }
}

#[test]
fn short_and_long_help_are_the_same() {
    for command in ["watch", "trace", "top", "explain", "replay", "doctor", "completions", "man"] {
        let [short, long] = ["-h", "--help"].map(|flag| transcript(&[command, flag]));
        let body = |text: &str| text.split_once('\n').map(|(_, body)| body.to_owned());
        assert_eq!(body(&short), body(&long));
    }
}

#[test]
fn the_kinds_of_the_help_are_those_that_the_documentation_describes() {
    let page = include_str!("../../../docs/events.md");
    let table = page.split("| `kind` | members of `event` |").nth(1).expect("the table of kinds");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split('|').next());
    let described: Vec<String> =
        cells.flat_map(|cell| cell.split(", ").map(|kind| kind.replace(['`', ' '], ""))).collect();
    assert_eq!(described, rollout::stream::select::EVENT_KINDS);
}
