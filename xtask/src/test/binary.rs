//! Builds a test binary that tiers run themselves. Comes in: its name. Goes out: its path.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The target that allows a static glibc to be asked for without touching build scripts.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A line of cargo's JSON messages; other lines have other fields.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds the test `name` of `rollout-user`.
///
/// # Errors
/// When it does not compile.
pub fn build(name: &str) -> Result<PathBuf> {
    built(name, cargo(name))
}

/// Builds it as one static file, without debug information, which would only slow a guest's boot down.
///
/// # Errors
/// When it does not compile.
pub fn build_static(name: &str) -> Result<PathBuf> {
    let mut command = cargo(name);
    command
        .args(["--target", TARGET, "--config"])
        .arg(format!("target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env_remove("RUSTFLAGS");
    built(name, command)
}

fn cargo(name: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--no-run", "--package=rollout-user", "--test", name]);
    command.arg("--message-format=json-render-diagnostics");
    command
}

fn built(name: &str, mut command: Command) -> Result<PathBuf> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("failed to start `cargo test --no-run`")?;
    if !output.status.success() {
        bail!("test `{name}` does not compile");
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("cargo named no executable for test `{name}`"))
}

fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == name))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_of_the_right_target_is_taken() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/a"}
not json
{"reason":"compiler-artifact","target":{"name":"guest"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"guest"},"executable":"/b"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "guest"), Some("/b".into()));
        assert_eq!(executable(messages, "native"), None);
    }
}
