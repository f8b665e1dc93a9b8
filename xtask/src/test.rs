//! `cargo xtask test`: every tier, one total. Comes in: the tiers. Goes out: their output, the line
//! `total: N passed, N failed, N skipped`, and exit code 1 if anything failed.
//! A tier that cannot run counts as a failure, and the tiers after it run all the same.

pub mod binary;
mod checks;
mod counts;
mod guest;
mod native;
mod workspace;

pub use counts::Counts;

use crate::{lab, setup};
use anyhow::Result;
use std::process::ExitCode;

/// One tier: its name, what it is, and what runs it.
struct Tier {
    name: &'static str,
    run: fn() -> Result<Counts>,
}

const TIERS: &[Tier] = &[
    Tier { name: "checks", run: checks::run },
    Tier { name: "unit", run: workspace::run },
    Tier { name: "native", run: native::run },
    Tier { name: "guest", run: guest::run },
    Tier { name: "lab", run: lab::end_to_end },
];

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only this tier.
    #[arg(long, value_parser = TIERS.iter().map(|tier| tier.name).collect::<Vec<_>>())]
    tier: Option<String>,
}

/// Runs the tiers.
///
/// # Errors
/// When set-up fails. What goes wrong in a tier is counted as its failure.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    setup::ensure(&[])?;
    let chosen = |tier: &&Tier| arguments.tier.as_deref().is_none_or(|name| name == tier.name);
    let mut total = Counts::default();
    let mut lines = Vec::new();
    for tier in TIERS.iter().filter(chosen) {
        eprintln!("=== tier {}", tier.name);
        let counts = (tier.run)().unwrap_or_else(|error| {
            eprint!("{}", crate::hint::render(&error));
            Counts { failed: 1, ..Counts::default() }
        });
        lines.push(format!("{}: {counts}", tier.name));
        total.add(counts);
    }
    for line in lines {
        println!("{line}");
    }
    println!("total: {total}");
    Ok(ExitCode::from(u8::from(total.failed > 0)))
}
