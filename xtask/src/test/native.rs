//! Tier `native`: programs and tables on this machine's own kernel, in network namespaces of its own.
//! Comes in: the test binary `native`, root. Goes out: counts. One test at a time: they share the kernel.

use super::{Choice, Counts, binary};
use crate::exec;
use anyhow::{Context, Result};
use std::process::Command;

/// Builds and runs the native tests.
///
/// # Errors
/// When they do not build or none ran.
pub fn run(choice: &Choice) -> Result<Counts> {
    let program = binary::build("native")?;
    let (success, text) =
        exec::echoed(Command::new(program).arg("--test-threads=1").args(&choice.words))?;
    let mut counts = Counts::of_libtest(&text).context("no native test ran")?;
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}
