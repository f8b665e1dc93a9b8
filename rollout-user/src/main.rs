//! The `rollout` binary: runs the command line and turns its result into an exit code.

use clap::Parser;
use rollout::{cli::Cli, command, error};
use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) if error::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", error::render(&error));
            ExitCode::from(2)
        }
    }
}
