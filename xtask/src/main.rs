//! Development commands of rollout: `cargo xtask …`. Parses the command line and turns a result into an exit code.
//! Exit codes: 0 fine, 1 something that was checked failed, 2 the command could not run.
mod bench;
mod cache;
mod demo;
mod dist;
mod exec;
mod hint;
mod lab;
mod score;
mod setup;
mod test;
mod tidy;
mod vm;
mod witness;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Development commands of rollout.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install and build what the other commands need, into a cache outside the tree.
    Setup(setup::Arguments),
    /// Run every test tier and print one total.
    Test(test::Arguments),
    /// Build one static binary for any x86-64 node: target/dist/rollout.
    Dist,
    /// Check the rules of the tree that no compiler checks.
    Tidy,
    /// Measure on this machine.
    Bench(bench::Arguments),
    /// Bring up, look into and take down the Kubernetes lab.
    Lab(lab::Arguments),
    /// Measure how often reports name the right causes.
    Score(score::Arguments),
    /// Trace a real rolling update in the lab and print the report.
    Demo(demo::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(arguments) => setup::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Dist => dist::run(),
        Command::Tidy => tidy::run(),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Lab(arguments) => lab::run(arguments),
        Command::Score(arguments) => score::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
    };
    result.unwrap_or_else(|error| {
        eprint!("{}", hint::render(&error));
        ExitCode::from(2)
    })
}
