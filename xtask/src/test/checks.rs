//! Tier `checks`: tidy, formatting, lints. Comes in: the sources. Goes out: one count for each rule and command.

use super::Counts;
use crate::{exec, tidy};
use anyhow::{Context, Result};
use std::process::Command;

/// Commands that must succeed. The kernel tests are not among `--all-targets`, as `cargo test` leaves them out.
const COMMANDS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["clippy", "--package=rollout-user", "--test=native", "--test=guest", "--", "-D", "warnings"],
    &[
        "clippy",
        "--package=rollout-user",
        "--no-default-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
];

/// Runs all checks, also after one that fails.
///
/// # Errors
/// When the files cannot be read or cargo does not start.
pub fn run() -> Result<Counts> {
    let mut counts = tidy::check()?;
    for arguments in COMMANDS {
        let mut command = Command::new("cargo");
        let status = command.args(*arguments).status().context("failed to start cargo")?;
        if status.success() {
            counts.passed += 1;
        } else {
            eprintln!("error: `{}` ended with {status}", exec::line(&command));
            counts.failed += 1;
        }
    }
    Ok(counts)
}
