//! The commands: each wires sources, timeline and output together. Out: an exit code.

pub mod explain;

use crate::cli::{Cli, Color, Command};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Runs what the user asked for.
///
/// # Errors
/// When it could not run at all; the caller prints the error and exits with 2.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let color = use_color(cli.color);
    match cli.command {
        Command::Explain(args) => explain::run(&args, color),
        Command::Watch(_) | Command::Trace(_) | Command::Doctor(_) => {
            anyhow::bail!("not built into this binary yet")
        }
    }
}

/// Colours on a terminal, unless `NO_COLOR` is set to anything.
fn use_color(choice: Color) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::io::stdout().is_terminal()
        }
    }
}
