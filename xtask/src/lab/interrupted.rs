//! `rollout watch` that is interrupted before its update: it reports what was seen and says that it was cut short. Comes in:
//! a lab with `rollout` installed. Goes out: what it printed, as statements.

use super::experiment::ROLLOUT;
use super::guest;
use super::place::NODE;
use crate::witness::Comparison;
use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// In the guest.
const FOLDER: &str = "/tmp/interrupted";
/// It is ready, and over, within this time.
const PATIENCE: Duration = Duration::from_secs(90);

/// Watches, interrupts, and states what came of it.
///
/// # Errors
/// When it does not start or does not end.
pub fn compare() -> Result<Comparison> {
    guest::shell(&format!("rm -rf {FOLDER}; mkdir -p {FOLDER}"))?;
    let recording = format!("{FOLDER}/recording");
    let ready = format!("{FOLDER}/ready");
    let watch = guest::command(&[ROLLOUT, "watch", "deployment/serv", "-n", "default"])
        .args(["--kubeconfig", "/lab/rollout.kubeconfig", "--node", NODE])
        .args(["--ready-file", &ready, "--record", &recording])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start `rollout watch`")?;
    let end = Instant::now() + PATIENCE;
    while guest::shell(&format!("test -e {ready}")).is_err() {
        ensure!(Instant::now() < end, "`rollout watch` is not ready");
        std::thread::sleep(Duration::from_millis(300));
    }
    guest::shell("pkill -INT -x rollout")?;
    let output = watch.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // The exit code is the verdict: 3 is no failure of `explain`.
    let again = guest::shell(&format!("{ROLLOUT} explain {recording} || test $? = 3"))?;

    let mut comparison = Comparison::default();
    comparison.equal("interrupted: exit code of watch", 3, output.status.code().unwrap_or(-1));
    let holds = printed.contains("cut short");
    let said = if holds { "said" } else { "not said" };
    comparison.state("interrupted: cut short", "said".into(), said.into(), holds);
    let same = printed == again;
    let said = if same { "the same" } else { "another" };
    comparison.state("interrupted: explain of its recording", "the same".into(), said.into(), same);
    Ok(comparison)
}
