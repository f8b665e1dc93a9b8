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

use crate::setup::kernel::KERNELS;
use crate::{hint, lab, setup};
use anyhow::Result;
use std::process::ExitCode;

/// One tier: its name, the set-up steps it needs (all without a name), and what runs it.
struct Tier {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn(&Choice) -> Result<Counts>,
}

/// What builds the BPF object.
const TOOLCHAIN: &[&str] = &["packages", "bpf-linker"];

const TIERS: &[Tier] = &[
    Tier { name: "checks", needs: TOOLCHAIN, run: |_| checks::run() },
    Tier { name: "unit", needs: &["packages", "bpf-linker", "browser"], run: |_| workspace::run() },
    Tier { name: "native", needs: TOOLCHAIN, run: native::run },
    Tier {
        name: "guest",
        needs: &["packages", "bpf-linker", "qemu", "kernel-6.1", "kernel-6.12"],
        run: guest::run,
    },
    Tier { name: "lab", needs: &[], run: |_| lab::end_to_end() },
];

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only this tier.
    #[arg(long, value_parser = TIERS.iter().map(|tier| tier.name).collect::<Vec<_>>())]
    tier: Option<String>,
    #[command(flatten)]
    choice: Choice,
}

/// Which tests of the tiers `native` and `guest` to run; all by default.
#[derive(clap::Args, Default)]
pub struct Choice {
    /// Only on this kernel (tier `guest`).
    #[arg(long, requires = "tier", value_parser = KERNELS.iter().map(|kernel| kernel.key).collect::<Vec<_>>())]
    pub kernel: Option<String>,
    /// Only kernel tests whose name contains one of these words (tiers `native` and `guest`).
    #[arg(requires = "tier")]
    pub words: Vec<String>,
}

/// Runs the tiers.
///
/// # Errors
/// None: what goes wrong, in set-up too, is counted as a failure.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let chosen = |tier: &&Tier| arguments.tier.as_deref().is_none_or(|name| name == tier.name);
    let tiers: Vec<_> = TIERS.iter().filter(chosen).collect();
    let mut total = Counts::default();
    let mut lines = Vec::new();
    let mut add = |name: &str, result: Result<Counts>| {
        let counts = result.unwrap_or_else(|error| {
            eprint!("{}", hint::render(&error));
            Counts { failed: 1, ..Counts::default() }
        });
        lines.push(format!("{name}: {counts}"));
        total.add(counts);
    };
    add("setup", prepare(&tiers));
    for tier in tiers {
        eprintln!("=== tier {}", tier.name);
        add(tier.name, (tier.run)(&arguments.choice));
    }
    for line in lines {
        println!("{line}");
    }
    println!("total: {total}");
    Ok(ExitCode::from(u8::from(total.failed > 0)))
}

/// Provides what the tiers need; that alone is no test.
fn prepare(tiers: &[&Tier]) -> Result<Counts> {
    let all = tiers.iter().any(|tier| tier.needs.is_empty());
    let mut names: Vec<_> = tiers.iter().flat_map(|tier| tier.needs).copied().collect();
    if all {
        names.clear();
    }
    setup::ensure(&names)?;
    Ok(Counts::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_tier_needs_every_kernel_it_runs_on() {
        let guest = TIERS.iter().find(|tier| tier.name == "guest").unwrap();
        for kernel in KERNELS {
            assert!(guest.needs.contains(&kernel.key), "{}", kernel.key);
        }
    }
}
