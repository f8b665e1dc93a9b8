//! The proof of the `preStop` number. Comes in: a lab and the static binary. Goes out: a table on the terminal and in
//! `target/lab/pre-stop.json`, and whether the number held.
//!
//! kube-proxy lags by the same time in every run, so that runs differ in the sleep alone.

use super::life::Lab;
use super::variant::{self, SLOW_PROXY, Variant};
use super::{RATE, experiment, load, programs, verify};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Updates in a row that may lose nothing.
const UPDATES: usize = 5;

/// One update.
#[derive(Debug, Serialize)]
struct Line {
    /// The sleep that its pods had, seconds.
    pre_stop_s: u64,
    /// Users' attempts during the update, as `rollout` counts them.
    attempts: u64,
    /// Of these, failed.
    failed: u64,
    /// Of these, slowed.
    slowed: u64,
    /// Requests from outside, by the load generator's own log.
    requests: u64,
    /// Of these, not answered with 200 within a second.
    bad_requests: u64,
    /// What the report of this update recommends, seconds.
    recommends_s: Option<u64>,
}

impl Line {
    fn lost(&self) -> bool {
        self.failed + self.slowed + self.bad_requests > 0
    }
}

/// Runs the proof; whether it succeeded.
///
/// # Errors
/// When a run cannot be made or read.
pub fn run(lab: &Lab, program: &Path) -> Result<bool> {
    verify::install(program)?;
    let without = variant::find(SLOW_PROXY)?;
    let mut lines = vec![update(lab, program, &without, 0)?];
    let first = lines.first().context("no run")?;
    let recommended = first.recommends_s.context("the report recommends no sleep")?;
    let fails_without = first.lost();
    for _ in 0..UPDATES {
        lines.push(update(lab, program, &without, recommended)?);
    }
    let holds = lines.iter().skip(1).all(|line| !line.lost());
    let half = recommended / 2;
    let mut half_fails = false;
    for _ in 0..UPDATES {
        let line = update(lab, program, &without, half)?;
        half_fails |= line.lost();
        lines.push(line);
        if half_fails {
            break;
        }
    }
    let path = programs::workspace()?.join("target/lab/pre-stop.json");
    fs::write(&path, serde_json::to_vec_pretty(&lines)?)?;
    let say = |holds: bool, what: &str| println!("{} {what}", if holds { "ok" } else { "NO" });
    say(fails_without, "without preStop the update loses connections");
    say(
        holds,
        &format!("with the recommended {recommended} s {UPDATES} updates in a row lose none"),
    );
    say(half_fails, &format!("with half of it, {half} s, at least one update loses connections"));
    println!("runs: {}", path.display());
    Ok(fails_without && holds && half_fails)
}

/// One update with that sleep.
fn update(lab: &Lab, program: &Path, variant: &Variant, pre_stop_s: u64) -> Result<Line> {
    // A name of its own: what it injects is not what the variant's labels say.
    let name = format!("{}-pre-stop-{pre_stop_s}", variant.name);
    let variant = Variant { name, pre_stop_s, ..variant.clone() };
    let options = experiment::Options { rate: RATE, tracer: None, show: false };
    let run = experiment::run(lab, &variant, &options)?;
    let recording = run.recording.clone().context("the run has no recording")?;
    let report = verify::explain(program, &recording, &run.folder)?;
    let report: Value = serde_json::from_slice(&fs::read(report)?)?;
    let count = |name: &str| report["verdict"][name].as_u64().unwrap_or(0);
    let requests = load::read(&run.folder.join("load.jsonl"))?;
    let line = Line {
        pre_stop_s,
        attempts: count("attempts"),
        failed: count("failed"),
        slowed: count("slowed"),
        requests: requests.len() as u64,
        bad_requests: requests.iter().filter(|request| request.is_bad()).count() as u64,
        recommends_s: report["pre_stop"]["seconds"].as_u64(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(line)
}
