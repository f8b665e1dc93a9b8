//! `cargo xtask demo`: set-up, lab, a traced rolling update, its report. Goes out: the report and an exit code.

use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs the demo.
///
/// # Errors
/// Always: the demo is not built yet.
pub fn run(_arguments: Arguments) -> Result<ExitCode> {
    bail!("the demo is not built yet")
}
