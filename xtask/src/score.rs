//! `cargo xtask score`: how often reports name the right causes. Comes in: plans of the model (`rollout-user/tests/score`) and
//! runs of the lab. Goes out: precision and recall by cause, what was named instead, false alarms, wrong pods.
//!
//! Model and lab are told apart: the model's labels come from its own log of every connect, the lab's from what a variant
//! injects (`expects`) and what may follow from that (`allows`).

mod figures;
mod model;
mod real;

use crate::{dist, exec};
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Arguments of `cargo xtask score`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Runs of each of the model's plans.
    #[arg(long, default_value_t = 40)]
    runs: u64,
    /// Make runs in the lab until each variant has so many; runs that were made before count.
    #[arg(long, value_name = "RUNS")]
    lab: Option<usize>,
    /// Only these variants of the lab.
    #[arg(long, value_name = "NAME", requires = "lab")]
    variant: Vec<String>,
    /// A static `rollout` that is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Runs `cargo xtask score`. Exit code 1: a target is missed.
///
/// # Errors
/// When something does not build, or a run cannot be made or read.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let program = match (arguments.program, arguments.lab) {
        (Some(program), _) => program,
        (None, Some(_)) => dist::build()?,
        (None, None) => explainer()?,
    };
    if let Some(wanted) = arguments.lab {
        real::make(&program, wanted, &arguments.variant)?;
    }
    let model = model::score(arguments.runs)?;
    println!("\n## Model\n\n{model}");
    let real = real::score(&program)?;
    println!("\n## Lab\n\n{real}");
    let met = model.meets_target() && real.meets_target();
    println!("\n{}", if met { "every target is met" } else { "a target is MISSED" });
    Ok(ExitCode::from(u8::from(!met)))
}

/// A `rollout` that explains recordings; no probes, and so no BPF toolchain.
fn explainer() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--package=rollout-user", "--no-default-features"];
    exec::output(Command::new("cargo").args(build))?;
    Ok(crate::lab::workspace()?.join("target/debug/rollout"))
}
