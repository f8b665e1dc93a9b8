//! The lab: a real control plane and a guest node in a network namespace of their own.
//! Comes in: `cargo xtask lab …`, and calls of set-up, test and demo. Goes out: an exit code, or a test count.

use crate::setup::Step;
use crate::test::Counts;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `cargo xtask lab`.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs one `lab` command.
///
/// # Errors
/// Always: the lab is not built yet.
pub fn run(_arguments: Arguments) -> Result<ExitCode> {
    bail!("the lab is not built yet")
}

/// Set-up steps of the lab: its guest image and container images.
pub fn steps() -> Vec<Step> {
    Vec::new()
}

/// The end-to-end test against independent witnesses.
///
/// # Errors
/// Always: the lab is not built yet.
pub fn end_to_end() -> Result<Counts> {
    bail!("the lab is not built yet")
}
