//! `rollout completions`: a completion script for a shell, made from the definition of the command line. Out: the script.

use crate::cli::{Cli, Completions};
use clap::CommandFactory;
use std::io::Write;
use std::process::ExitCode;

/// Prints the script.
///
/// # Errors
/// When output fails.
pub fn run(args: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rollout", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
