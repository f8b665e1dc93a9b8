//! `cargo xtask dist`: one static binary for any x86-64 node. Comes in: the sources. Goes out: `target/dist/rollout`,
//! which needs no loader and no library, checked.

use crate::exec;
use crate::hint::hinted;
use crate::setup;
use crate::test::binary::TARGET;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Runs `cargo xtask dist`.
///
/// # Errors
/// When it does not build or needs something at run time.
pub fn run() -> Result<ExitCode> {
    let program = build()?;
    let bytes = fs::metadata(&program)?.len();
    println!("{} ({:.1} MiB)", program.display(), bytes as f64 / f64::from(1 << 20));
    Ok(ExitCode::SUCCESS)
}

/// Builds and checks the binary and returns its path.
///
/// # Errors
/// As [`run`].
pub fn build() -> Result<PathBuf> {
    setup::ensure(&["packages", "bpf-linker"])?;
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--package=rollout-user", "--bin=rollout", "--target", TARGET])
        .arg("--config")
        .arg(format!("target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']"))
        .env_remove("RUSTFLAGS");
    let status = command.status().context("failed to start cargo")?;
    ensure!(status.success(), "`{}` ended with {status}", exec::line(&command));

    let target = target_folder()?;
    let built = target.join(TARGET).join("release/rollout");
    let headers = exec::output(Command::new("readelf").args(["-l", "-d"]).arg(&built))?;
    if let Some(need) = needs(&headers) {
        return Err(hinted(
            format!("`{}` is not static: {need}", built.display()),
            "build it with the system's own toolchain",
        ));
    }
    let folder = target.join("dist");
    fs::create_dir_all(&folder)?;
    let program = folder.join("rollout");
    fs::copy(&built, &program)
        .with_context(|| format!("failed to write `{}`", program.display()))?;
    starts(&program)?;
    Ok(program)
}

/// What a program's headers say that it needs at run time, if anything.
fn needs(headers: &str) -> Option<&str> {
    headers.lines().map(str::trim).find(|line| line.contains("INTERP") || line.contains("(NEEDED)"))
}

fn starts(program: &Path) -> Result<()> {
    let text = exec::output(Command::new(program).arg("--version"))?;
    if text.trim() != format!("rollout {}", env!("CARGO_PKG_VERSION")) {
        bail!("`{} --version` says `{}`", program.display(), text.trim());
    }
    Ok(())
}

fn target_folder() -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    let text = exec::output(command.args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let folder = metadata.get("target_directory").and_then(|folder| folder.as_str());
    Ok(PathBuf::from(folder.context("cargo names no target folder")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_or_a_library_is_a_need() {
        let dynamic = "  INTERP         0x0318 0x0318\n 0x1 (NEEDED) Shared library: [libc.so.6]\n";
        assert!(needs(dynamic).unwrap().starts_with("INTERP"));
        assert!(needs(" 0x1 (NEEDED)  Shared library: [libc.so.6]\n").is_some());
        assert_eq!(needs("  LOAD  0x0\n  DYNAMIC 0x1\n 0x1e (FLAGS) STATIC_TLS\n"), None);
    }
}
