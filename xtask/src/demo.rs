//! `cargo xtask demo`: set-up, lab, a rolling update under `rollout watch`, its report.
//! Goes out: the report and its exit code on the terminal, the recording's path, and 0 if the witnesses agree.

use crate::{dist, lab, setup};
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// How the update goes; see docs/lab.md.
    #[arg(long, default_value = lab::DEMO)]
    variant: String,
    /// Take the lab down afterwards; otherwise it stays up for the next run.
    #[arg(long)]
    down: bool,
}

/// Runs the demo.
///
/// # Errors
/// When a part of it cannot run; disagreement of the witnesses is exit code 1.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    setup::ensure(&[])?;
    let program = dist::build()?;
    let agreed = lab::demonstrate(&program, &arguments.variant, lab::RATE)?;
    if arguments.down {
        lab::down()?;
    } else {
        eprintln!("the lab stays up for the next run: cargo xtask lab down removes it");
    }
    Ok(ExitCode::from(u8::from(!agreed)))
}
