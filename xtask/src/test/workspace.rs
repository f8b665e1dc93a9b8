//! Tier `unit`: unit and integration tests of every crate. Comes in: `cargo test --workspace`. Goes out: counts.

use super::Counts;
use crate::exec;
use anyhow::{Result, bail};
use std::process::Command;

/// Runs the tests of the workspace to the end, whatever fails.
///
/// # Errors
/// When they do not build or none ran.
pub fn run() -> Result<Counts> {
    let (success, text) =
        exec::echoed(Command::new("cargo").args(["test", "--workspace", "--no-fail-fast"]))?;
    match Counts::of_libtest(&text) {
        Some(counts) if success || counts.failed > 0 => Ok(counts),
        Some(mut counts) => {
            // A test binary that died, or did not build, printed no result of its own.
            counts.failed += 1;
            Ok(counts)
        }
        None => bail!("no test ran"),
    }
}
