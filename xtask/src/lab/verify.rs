//! Runs a variant under `rollout watch` and lays the witnesses' statements beside its report.
//! Comes in: a lab, a variant, the static binary. Goes out: both sides of each statement, and the files.

use super::experiment::{self, Options, ROLLOUT, Run};
use super::guest;
use super::life::Lab;
use super::place::SERV_IP;
use super::variant::{self, Variant};
use crate::exec;
use crate::witness::{self, Comparison, Sources};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A run with its comparison.
pub struct Verified {
    /// `watch`'s exit code.
    pub exit_code: i32,
    /// The recording on this machine.
    pub recording: PathBuf,
    /// Both sides.
    pub comparison: Comparison,
}

/// Puts the binary into the guest.
///
/// # Errors
/// When it cannot be written there, or does not start.
pub fn install(program: &Path) -> Result<()> {
    guest::push(program, ROLLOUT)?;
    exec::output(&mut guest::command(&[ROLLOUT, "--version"]))?;
    Ok(())
}

/// Runs the variant; `show` puts what `watch` prints on the terminal.
///
/// # Errors
/// When something fails. That the witnesses disagree is part of the result.
pub fn run(
    lab: &Lab,
    program: &Path,
    variant: &Variant,
    rate: f64,
    show: bool,
) -> Result<Verified> {
    let run = experiment::run(lab, variant, &Options { rate, tracer: None, show })?;
    again(&run, program)
}

/// Lays the witnesses of a run that was made beside what this `rollout` says of its recording.
///
/// # Errors
/// When a file is missing or damaged.
pub fn again(run: &Run, program: &Path) -> Result<Verified> {
    let variant = variant::find(&run.facts.variant)?;
    let recording = run.recording.clone().context("the run has no recording")?;
    if variant.expects.contains(witness::NOT_SENT) {
        ensure!(run.files.not_sent.is_some(), "the client's firewall left no counters");
    }
    let sources = sources(run, &recording, explain(program, &recording, &run.folder)?)?;
    let mut comparison = witness::compare(&sources)?;
    let exit_code = run.facts.exit_code;
    expect(&mut comparison, &variant, exit_code, &sources.report)?;
    Ok(Verified { exit_code, recording, comparison })
}

/// What `watch` and `explain` both say, and what the variant leads to.
fn expect(
    comparison: &mut Comparison,
    variant: &Variant,
    exit_code: i32,
    report: &Path,
) -> Result<()> {
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report)?)?;
    let explained = report["verdict"]["exit_code"].as_i64().unwrap_or(-1);
    comparison.equal("exit code of watch, and of explain", i64::from(exit_code), explained);
    let expected =
        variant.exit_codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let holds = variant.exit_codes.contains(&exit_code);
    comparison.state("exit code that this update leads to", expected, exit_code.to_string(), holds);
    Ok(())
}

fn sources(run: &Run, recording: &Path, report: PathBuf) -> Result<Sources> {
    let capture = |address| {
        let path = run.files.captures.get(address);
        path.cloned().with_context(|| format!("no veth of `{address}` was captured"))
    };
    let servers = run.facts.servers.iter().map(|address| Ok((*address, capture(address)?)));
    Ok(Sources {
        client_captures: vec![capture(&run.facts.client)?],
        server_captures: servers.collect::<Result<_>>()?,
        dropped_by_kernel: run.files.dropped_by_kernel,
        client: run.facts.client,
        service: SERV_IP.parse()?,
        nginx: run.files.nginx.clone(),
        audit: run.files.audit.clone(),
        api_ahead_ns: run.facts.host_ahead_ns,
        ipvs: run.files.ipvs.clone(),
        not_sent: run.files.not_sent.clone(),
        report,
        recording: recording.to_owned(),
        namespace: "default".into(),
        workload: "serv".into(),
    })
}

/// The report of the recording as JSON, made on this machine.
///
/// # Errors
/// When there is none.
pub fn explain(program: &Path, recording: &Path, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("report.json");
    let output = Command::new(program).args(["explain", "-o", "json"]).arg(recording).output()?;
    // Its exit code is the report's verdict; 2 alone means that there is none.
    ensure!(
        output.status.code().is_some_and(|code| code != 2),
        "`rollout explain` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(&path, output.stdout)?;
    Ok(path)
}
