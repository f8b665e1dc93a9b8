//! What a run printed and how it ended, as text for snapshots.

use crate::command::rollout;

/// `$ rollout …`, what it wrote to both outputs, and its exit code.
pub fn transcript(args: &[&str]) -> String {
    let output = rollout(args).output().expect("the binary runs");
    let mut text = format!("$ rollout {}\n", args.join(" "));
    text.push_str(&String::from_utf8(output.stdout).expect("text"));
    text.push_str(&String::from_utf8(output.stderr).expect("text"));
    text.push_str(&format!("[exit {}]\n", output.status.code().expect("an exit code")));
    text
}

/// Compares with `tests/snapshots/NAME.snap`.
pub fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
