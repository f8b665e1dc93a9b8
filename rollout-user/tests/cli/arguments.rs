//! Arguments that cannot be meant: each is refused with what would be accepted.

use crate::transcript::{check, transcript};

#[test]
fn values_that_cannot_be_are_refused_and_the_form_is_told() {
    let lines: String = [
        &["trace", "--cidr", "10.0.0.0"][..],
        &["trace", "--cidr", "10.0.0.0/33"],
        &["trace", "--ip", "10.0.0"],
        &["trace", "--kind", "connect_faild"],
        &["trace", "--kind", "connect,"],
        &["trace", "--port", "0"],
        &["trace", "--port", "80,70000"],
        &["trace", "-l", "app in (web)"],
        &["trace", "-l", "=web"],
        &["trace", "--duration", "30"],
        &["trace", "--duration", "-3s"],
        &["trace", "--record-max", "1GB"],
        &["trace", "--record-min-free", "101"],
        &["trace", "-o", "yaml"],
        &["trace", "--no-cluster", "--pod", "web-1"],
        &["watch", "web"],
        &["watch", "cronjob/web"],
        &["watch", "deployment/"],
        &["watch"],
        &["explain"],
        &["explain", "a.zst", "-n", "shop"],
        &["replai", "a.zst"],
    ]
    .iter()
    .map(|args| transcript(args))
    .collect();
    check("cli_arguments", &lines);
}
