//! The lab's own programs, built as static files. Comes in: the sources under `xtask/src/bin`. Goes out: their paths.

use crate::exec;
use crate::test::TARGET;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The web server, the load generator, the sandbox container, the guest's end of the command channel, and the poller.
const NAMES: &[&str] = &["serv", "load", "pause", "remote", "poll"];

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

/// Paths by name.
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Builds them; cheap when nothing changed.
    ///
    /// # Errors
    /// When one does not compile.
    pub fn build() -> Result<Self> {
        let mut command = Command::new("cargo");
        command.args(["build", "--quiet", "--release", "--package=xtask", "--target", TARGET]);
        command.args(NAMES.iter().map(|name| format!("--bin={name}")));
        command
            .arg("--config")
            .arg(format!("target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']"))
            .arg("--message-format=json-render-diagnostics")
            .env_remove("RUSTFLAGS");
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("failed to start `{}`", exec::line(&command)))?;
        if !output.status.success() {
            bail!("the lab's programs do not compile");
        }
        let found = executables(&String::from_utf8_lossy(&output.stdout));
        let programs = Self(found);
        for name in NAMES {
            programs.path(name)?;
        }
        Ok(programs)
    }

    /// The path of a program.
    ///
    /// # Errors
    /// When cargo named none.
    pub fn path(&self, name: &str) -> Result<&PathBuf> {
        self.0.get(name).with_context(|| format!("cargo named no executable for `{name}`"))
    }

    /// The content of a program.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
    }
}

fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_by_name() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"serv"},"executable":"/t/serv"}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages), BTreeMap::from([("serv".into(), "/t/serv".into())]));
    }
}
