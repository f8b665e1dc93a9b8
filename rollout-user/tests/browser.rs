//! The HTML report in a real browser, where there is one: what it shows at the widths of a phone and of a desk, on paper,
//! light and dark. Facts, not pixels: fonts differ between machines.
//!
//! Prints as libtest does. Without a browser every test is `ignored`, which is counted; `cargo xtask setup browser`
//! installs one.

#[path = "browser/devtools.rs"]
mod devtools;
#[path = "browser/page.rs"]
mod page;

use devtools::Browser;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Every test: its name, and what panics when it fails.
type Test = (&'static str, fn(&mut Browser));

const TESTS: &[Test] = &[
    ("nothing_is_wider_than_the_window", page::nothing_is_wider_than_the_window),
    ("the_style_sheet_passes_the_policy", page::the_style_sheet_passes_the_policy),
    (
        "marks_and_words_of_the_picture_are_inside_it",
        page::marks_and_words_of_the_picture_are_inside_it,
    ),
    ("text_can_be_read_light_and_dark", page::text_can_be_read_light_and_dark),
    ("a_link_to_an_attempt_unfolds_it", page::a_link_to_an_attempt_unfolds_it),
    ("it_is_a_picture_and_prints", page::it_is_a_picture_and_prints),
    ("no_script_of_a_name_runs", page::no_script_of_a_name_runs),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let words: Vec<&String> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |test: &&Test| words.is_empty() || words.iter().any(|word| test.0.contains(*word));
    let chosen: Vec<&Test> = TESTS.iter().filter(wanted).collect();
    println!("\nrunning {} tests", chosen.len());
    let program = devtools::program();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in &chosen {
        let Some(program) = &program else {
            println!("test {name} ... ignored, no browser is on the path");
            ignored += 1;
            continue;
        };
        let run = || test(&mut Browser::start(program));
        let word = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(_) => {
                failed += 1;
                "FAILED"
            }
        };
        println!("test {name} ... {word}");
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let out = TESTS.len() - chosen.len();
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {out} filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}
