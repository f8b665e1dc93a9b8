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

/// What the recording says was lost, a line each.
pub fn losses(records: &[Value]) -> Vec<String> {
    let line = |(time_ns, loss): (u64, &Value)| {
        let part = |name: &str| loss[name].as_str().unwrap_or_default().to_owned();
        let at_s = time_ns as f64 / 1e9;
        format!(
            "lost: {} of {} at {}, by {at_s:.3} s",
            loss["count"],
            part("program"),
            part("stage")
        )
    };
    of_kind(records, "loss").map(line).collect()
}

/// What is added to a time of the recording to make it Unix time, ns; by its first clock reading.
///
/// # Errors
/// When it has none.
pub fn clock_offset(records: &[Value]) -> anyhow::Result<i64> {
    let (time_ns, clock) = of_kind(records, "clock").next().context("no clock reading")?;
    let unix_ns = clock["unix_ns"].as_i64().context("a clock reading without `unix_ns`")?;
    Ok(unix_ns - time_ns as i64)
}

/// How long live output waited for late observations, ns.
///
/// # Errors
/// When the recording has no header.
pub fn reorder_window(records: &[Value]) -> anyhow::Result<i64> {
    let (_, header) = of_kind(records, "header").next().context("the recording has no header")?;
    header["reorder_window_ns"].as_i64().context("a header without `reorder_window_ns`")
}
