//! The full screen where there is no terminal, and when the program breaks. `tests/kernel/full_screen.rs` has the rest.

use crate::colour::on_terminal;
use crate::transcript::transcript;
use rollout::live::screen::Screen;
use std::process::Command;

/// Set in the process that is to break.
const BREAK: &str = "ROLLOUT_TEST_BREAK";

#[test]
fn without_a_terminal_top_names_trace() {
    assert_eq!(
        transcript(&["top", "--no-cluster"]),
        "$ rollout top --no-cluster\n\
         error: standard output is no terminal\n\
         hint: use `rollout trace`, which prints lines to files and pipes\n\
         [exit 2]\n"
    );
}

/// This test runs itself once more on a terminal, and that one panics there.
#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    if std::env::var_os(BREAK).is_some() {
        let _screen = Screen::enter().expect("a terminal");
        eprintln!("a warning meanwhile");
        panic!("broken on purpose");
    }
    let itself = std::env::current_exe().expect("a path");
    let name = "screen::a_panic_gives_the_terminal_back_before_it_is_told";
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" --exact \"$1\" --nocapture 2>&1"]).arg(itself).arg(name);
    let text = on_terminal(command.env(BREAK, "1"));
    let (during, after) = text.split_once("\x1b[?1049l").expect("the screen is left");
    assert!(during.contains("\x1b[?1049h"), "{text:?}");
    assert!(during.ends_with("\x1b[?25h"), "the cursor is there: {text:?}");
    assert!(!during.contains("a warning"), "nothing stands across the screen: {text:?}");
    let (warning, panic) =
        (after.find("a warning meanwhile\r\n"), after.find("broken on purpose\r\n"));
    assert!(warning.is_some() && warning < panic, "{text:?}");
}
