//! `cargo xtask setup`: the steps that install and build what the other commands need.
//! Comes in: the machine and the cache. Goes out: a complete cache, or one list of what is missing.
//! Running it again is cheap: each step first says what it misses and does nothing when that is nothing.

mod bpf_linker;
mod browser;
pub mod kernel;
pub mod kubernetes;
mod machine;
mod packages;
pub mod qemu;
mod schedule;
pub mod suite;

use crate::cache::Cache;
use crate::hint::hinted;
use crate::lab;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Says what a step misses, one short text each; an empty list means that the step is done.
pub type Missing = Box<dyn Fn(&Cache) -> Result<Vec<String>> + Send + Sync>;
/// Does a step. Runs at most once in a set-up, after the steps named in [`Step::after`].
pub type Make = Box<dyn Fn(&Cache) -> Result<()> + Send + Sync>;

/// One step of the set-up.
pub struct Step {
    /// Short name, also of its log file.
    pub name: &'static str,
    /// How long it usually takes on two cores, in seconds.
    pub usual_s: u32,
    /// Keeps the processor busy: at most two such steps run at a time.
    pub heavy: bool,
    /// Steps that must be done before.
    pub after: &'static [&'static str],
    /// What is missing.
    pub missing: Missing,
    /// Provides it.
    pub make: Make,
}

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these steps and the ones they need; all without a name.
    steps: Vec<String>,
    /// Describes the system; other files serve tests.
    #[arg(long, default_value = "/etc/os-release", hide = true)]
    os_release: PathBuf,
}

/// Runs `cargo xtask setup`.
///
/// # Errors
/// The list of what is missing, or the steps that failed.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let cache = Cache::open()?;
    let names: Vec<_> = arguments.steps.iter().map(String::as_str).collect();
    let machine = machine::Machine::look(&arguments.os_release);
    provide(&cache, &machine, schedule::select(all(), &names)?)?;
    eprintln!("set-up is complete (cache: `{}`)", cache.root().display());
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the named steps and those they need are done (all of them without a name).
/// Other commands call this before they use what a step provides.
///
/// # Errors
/// As [`run`].
pub fn ensure(names: &[&str]) -> Result<Cache> {
    let cache = Cache::open()?;
    let machine = machine::Machine::look("/etc/os-release".as_ref());
    provide(&cache, &machine, schedule::select(all(), names)?)?;
    Ok(cache)
}

/// Every step, in the order in which they are listed.
fn all() -> Vec<Step> {
    let mut steps = vec![
        packages::step(),
        bpf_linker::step(),
        browser::step(),
        kubernetes::step(),
        qemu::step(),
    ];
    steps.extend(kernel::steps());
    steps.extend(lab::steps());
    steps
}

fn provide(cache: &Cache, machine: &machine::Machine, steps: Vec<Step>) -> Result<()> {
    let mut open = Vec::new();
    let mut missing = Vec::new();
    for step in steps {
        let items = (step.missing)(cache)?;
        if items.is_empty() {
            continue;
        }
        missing.push(format!("{}: {}", step.name, items.join(", ")));
        open.push(step);
    }
    if open.is_empty() {
        return Ok(());
    }
    let obstacles = machine.obstacles();
    if !obstacles.is_empty() {
        return Err(hinted(
            format!(
                "this machine cannot be set up: {}\nmissing:\n  {}",
                obstacles.join("; "),
                missing.join("\n  ")
            ),
            "use Debian or Ubuntu as root, or provide what is listed",
        ));
    }
    schedule::run(cache, &open)
}
