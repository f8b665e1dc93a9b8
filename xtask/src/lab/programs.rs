//! The lab's own programs, linked statically so that they run in the guest and in empty containers.
//! Comes in: the sources in `src/bin`. Goes out: their paths under `target`.

use crate::exec;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const NAMES: &[&str] = &["lab-agent", "lab-load", "lab-pause", "lab-serv", "lab-witness"];

/// The built programs.
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds what has changed.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn build() -> Result<Self> {
        let root = workspace()?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(&root)
            .args(["build", "--quiet", "--release", "--package", "xtask", "--target", TARGET])
            .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-C target-feature=+crt-static")
            // It would win over the line above.
            .env_remove("RUSTFLAGS");
        for name in NAMES {
            command.args(["--bin", name]);
        }
        exec::output(&mut command)?;
        let programs = Self { folder: root.join("target").join(TARGET).join("release") };
        for name in NAMES {
            ensure!(programs.path(name).is_file(), "`{name}` was not built");
        }
        Ok(programs)
    }

    /// Where all of them are.
    pub fn all(&self) -> Vec<PathBuf> {
        NAMES.iter().map(|name| self.path(name)).collect()
    }

    /// Where a program is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The top of the workspace.
///
/// # Errors
/// When this package is not in one.
pub fn workspace() -> Result<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(parent.context("xtask is not in a workspace")?.to_owned())
}
