//! `cargo xtask setup` as a user calls it. Comes in: an empty cache. Goes out: exit code and messages.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn setup(arguments: &[&str], os_release: &str) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("os-release");
    std::fs::write(&file, os_release).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("setup")
        .arg("--os-release")
        .arg(&file)
        .args(arguments)
        .env("ROLLOUT_CACHE", folder.path().join("cache"))
        .output()
        .unwrap();
    (folder, output)
}

#[test]
fn another_distribution_gets_one_list_of_what_is_missing_and_exit_code_2() {
    let (folder, output) = setup(&[], "ID=fedora\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in
        ["`fedora`", "bpf-linker 0.13.0", "QEMU 10", "kernel-6.1", "Kubernetes 1.35.4", "hint: "]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    assert!(!folder.path().join("cache/work").exists(), "nothing was begun");
}

#[test]
fn an_unknown_step_is_refused_with_the_names_that_exist() {
    let (_folder, output) = setup(&["no-such-step"], "ID=debian\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`no-such-step`") && text.contains("bpf-linker"), "{text}");
}
