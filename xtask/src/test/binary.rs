//! Builds a test binary that tiers run themselves. Comes in: its name. Goes out: its path.

use crate::exec;
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
    program(&messages(cargo(name))?, name)
}

/// Static programs for a guest.
pub struct Static {
    /// The test binary.
    pub test: PathBuf,
    /// `rollout` itself, which cargo builds for every integration test.
    pub rollout: PathBuf,
}

/// Builds it as one static file, without debug information, which would only slow a guest's boot down, and optimised:
/// under emulation the type information of a kernel takes seconds to read otherwise.
///
/// # Errors
/// When it does not compile.
pub fn build_static(name: &str) -> Result<Static> {
    let mut command = cargo(name);
    command
        .args(["--target", TARGET, "--config"])
        .arg(format!("target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env_remove("RUSTFLAGS");
    let messages = messages(command)?;
    Ok(Static { test: program(&messages, name)?, rollout: program(&messages, "rollout")? })
}

fn cargo(name: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--no-run", "--package=rollout-user", "--test", name]);
    command.arg("--message-format=json-render-diagnostics");
    command
}

fn messages(mut command: Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start `{}`", exec::line(&command)))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", exec::line(&command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn program(messages: &str, name: &str) -> Result<PathBuf> {
    executable(messages, name).with_context(|| format!("cargo named no program `{name}`"))
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
