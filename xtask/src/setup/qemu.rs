//! Step `qemu`: QEMU 10 with its firmware and libraries. Comes in: packages of the release or its backports.
//! Goes out: `qemu-10/` in the cache and [`command`] that runs it. QEMU 7.2 of Debian 12 makes guests panic
//! under multi-threaded emulation.

use super::Step;
use super::suite::{Suite, codename};
use crate::cache::Cache;
use crate::exec;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

const KEY: &str = "qemu-10";
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
const FIRMWARE: &str = "usr/share/seabios/bios-256k.bin";
/// Oldest major version whose guests come up.
const OLDEST: u32 = 10;

/// The step.
pub fn step() -> Step {
    Step {
        name: "qemu",
        usual_s: 10,
        heavy: false,
        after: &["packages"],
        missing: Box::new(|cache| {
            Ok(if command(cache).is_ok() { vec![] } else { vec![format!("QEMU {OLDEST}")] })
        }),
        make: Box::new(make),
    }
}

/// QEMU from the cache, with its firmware folders; arguments are to be added.
///
/// # Errors
/// When set-up has not run.
pub fn command(cache: &Cache) -> Result<Command> {
    Ok(command_in(&cache.find(KEY).context("QEMU is not in the cache: run cargo xtask setup")?))
}

fn command_in(folder: &Path) -> Command {
    let mut command = Command::new(folder.join(PROGRAM));
    for data in ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"] {
        command.arg("-L").arg(folder.join(data));
    }
    command.env("LD_LIBRARY_PATH", libraries(folder));
    command
}

fn libraries(folder: &Path) -> String {
    let path = |part: &str| folder.join(part).display().to_string();
    [path("usr/lib/x86_64-linux-gnu"), path("lib/x86_64-linux-gnu")].join(":")
}

fn make(cache: &Cache) -> Result<()> {
    cache.build(KEY, &[PROGRAM, FIRMWARE], |folder| {
        let release = codename()?;
        let backports = format!("{release}-backports");
        let wanted = if release == "bookworm" { backports.as_str() } else { release.as_str() };
        let suites = if wanted == release { vec![wanted] } else { vec![release.as_str(), wanted] };
        let suite = Suite::read(cache, "qemu", &suites)?;
        suite.unpack_closure(&["qemu-system-x86", "seabios"], wanted, folder)?;
        complete(folder)?;
        let text = exec::output(command_in(folder).arg("--version"))?;
        match major(&text) {
            Some(version) if version >= OLDEST => Ok(()),
            _ => bail!("QEMU {OLDEST} or newer is needed, `{wanted}` has: {}", text.trim()),
        }
    })?;
    Ok(())
}

/// Fails when a shared library is found neither on the machine nor among the unpacked packages.
fn complete(folder: &Path) -> Result<()> {
    let mut ldd = Command::new("ldd");
    let text =
        exec::output(ldd.arg(folder.join(PROGRAM)).env("LD_LIBRARY_PATH", libraries(folder)))?;
    let missing: Vec<_> =
        text.lines().filter(|line| line.contains("not found")).map(str::trim).collect();
    if missing.is_empty() { Ok(()) } else { bail!("libraries are missing: {}", missing.join(", ")) }
}

/// From `QEMU emulator version 10.0.2 (…)`.
fn major(text: &str) -> Option<u32> {
    text.split_once("version ")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(major("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds)\nCopyright"), Some(10));
        assert_eq!(major("QEMU emulator version 7.2.19"), Some(7));
        assert_eq!(major("no such thing"), None);
    }
}
