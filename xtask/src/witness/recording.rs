//! Reads a recording with public tools only: `zstd -dc`, then one JSON object a line.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// All records, in file order.
///
/// # Errors
/// When `zstd` fails or a line is not JSON.
pub fn read(path: &Path) -> anyhow::Result<Vec<Value>> {
    let output =
        Command::new("zstd").arg("-dcq").arg(path).output().context("cannot run `zstd`")?;
    ensure!(output.status.success(), "`zstd` cannot read `{}`", path.display());
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context("a line of the recording is not JSON"))
        .collect()
}

/// Bodies of one kind, each with its time.
pub fn of_kind<'a>(records: &'a [Value], kind: &str) -> impl Iterator<Item = (u64, &'a Value)> {
    records.iter().filter_map(move |record| {
        let body = record.get("body")?.get(kind)?;
        Some((record.get("time_ns")?.as_u64()?, body))
    })
}
