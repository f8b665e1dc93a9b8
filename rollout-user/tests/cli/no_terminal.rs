//! The full screen where there is no terminal: refused at once, with what works instead.

use crate::transcript::transcript;

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
