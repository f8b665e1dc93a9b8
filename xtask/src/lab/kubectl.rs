//! kubectl as the lab's administrator. Comes in: its arguments. Goes out: its output or exit code.

use super::place::{self, inside};
use crate::cache::Cache;
use crate::exec;
use crate::setup::kubernetes;
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// The kubeconfig of a caller on this machine.
pub fn config(name: &str) -> PathBuf {
    place::file("config").join(format!("{name}.kubeconfig"))
}

/// kubectl with the administrator's kubeconfig, inside the namespace.
fn command() -> Result<Command> {
    // The folder was checked when the lab came up; hashing it for each call would take longer than the call.
    let text = std::fs::read_to_string(place::file("config/components"));
    let folder = match text {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => kubernetes::folder(&Cache::open()?)?,
    };
    let mut command = inside(folder.join("kubectl"));
    // Discovery is cached below the lab's folder, so that nothing stays.
    command
        .arg("--kubeconfig")
        .arg(config("admin"))
        .arg("--cache-dir")
        .arg(place::file("discovery"));
    Ok(command)
}

/// Runs it on the user's terminal.
///
/// # Errors
/// When it does not start.
pub fn run(arguments: &[String]) -> Result<ExitStatus> {
    command()?.args(arguments).status().context("failed to start `kubectl`")
}

/// Runs it and returns what it wrote.
///
/// # Errors
/// When it fails.
pub fn output(arguments: &[&str]) -> Result<String> {
    exec::output(command()?.args(arguments))
}

/// Makes the cluster have the objects of a manifest.
///
/// # Errors
/// When the API server refuses one.
pub fn apply(manifest: &str) -> Result<()> {
    let mut child = command()?
        .args(["apply", "--filename=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start `kubectl apply`")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(manifest.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`kubectl apply` failed: {}", said.trim_end());
    Ok(())
}
