//! Runs of the model. Comes in: how many of each plan. Goes out: their figures.

use super::figures::Score;
use crate::exec;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Runs the model's campaign with a fresh seed.
///
/// # Errors
/// When it does not build or writes no figures.
pub fn score(runs: u64) -> Result<Score> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("figures.json");
    let mut command = Command::new("cargo");
    command
        .args(["test", "--quiet", "--package=rollout-user", "--no-default-features"])
        .args(["--test=score", "every_cause", "--", "--nocapture"])
        .env("SCORE_RUNS", runs.to_string())
        .env("SCORE_OUT", &path);
    // That it fails where a target is missed is told by the figures.
    let output =
        command.output().with_context(|| format!("failed to run `{}`", exec::line(&command)))?;
    ensure!(
        path.exists(),
        "`{}` wrote no figures: {}",
        exec::line(&command),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&std::fs::read(&path)?).context("the model's figures are damaged")
}
