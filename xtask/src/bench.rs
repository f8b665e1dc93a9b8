//! `cargo xtask bench NAME`: figures of this machine. Comes in: the benchmark's name. Goes out: its lines, below what they
//! depend on: processor, kernel and versions.

use crate::exec;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use std::fs;
use std::process::{Command, ExitCode};

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The benchmark.
    #[arg(value_enum)]
    name: Name,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Speed of writing and reading a recording, and its size, for one million events.
    Recording,
}

/// Runs `cargo xtask bench`.
///
/// # Errors
/// When the benchmark does not build or fails.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let bench = match arguments.name {
        Name::Recording => "recording",
    };
    // Needs no probes, and so no BPF toolchain.
    let mut command = Command::new("cargo");
    command
        .args(["bench", "--quiet", "--package=rollout-user", "--no-default-features"])
        .arg(format!("--bench={bench}"));
    println!("{}", machine()?);
    let (fine, _) = exec::echoed(&mut command)?;
    ensure!(fine, "`{}` failed", exec::line(&command));
    Ok(ExitCode::SUCCESS)
}

fn machine() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo").context("cannot read `/proc/cpuinfo`")?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
        .context("cannot read `/proc/sys/kernel/osrelease`")?;
    let compiler = exec::output(Command::new("rustc").arg("--version"))?;
    let commit = exec::output(Command::new("git").args(["describe", "--always", "--dirty"]));
    Ok(format!(
        "machine: {}\nkernel:  {}\nbuilt:   {}, rollout at {}",
        processor(&processors),
        kernel.trim(),
        compiler.trim(),
        // A tree that was unpacked from an archive has no commit.
        commit.as_deref().unwrap_or("unknown commit").trim(),
    ))
}

/// `2 × Some CPU @ 2.00GHz`.
fn processor(text: &str) -> String {
    let model = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim())
    });
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} × {}", model.unwrap_or("unknown processor"))
}

#[cfg(test)]
mod tests {
    use super::processor;

    #[test]
    fn processors_are_counted_and_named() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2GHz\n";
        assert_eq!(processor(text), "2 × Some CPU @ 2GHz");
        assert_eq!(processor(""), "0 × unknown processor");
    }
}
