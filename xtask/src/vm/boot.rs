//! Boots a kernel with an initramfs under emulation. Comes in: kernel image, archive, words for the command line.
//! Goes out: everything the guest wrote to its console. There is always a time limit.

use crate::cache::Cache;
use crate::setup::qemu;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A guest to boot.
pub struct Guest<'a> {
    /// The kernel image.
    pub kernel: &'a Path,
    /// The initramfs.
    pub archive: &'a Path,
    /// Words for the kernel's command line, besides those that every guest needs.
    pub words: &'a str,
    /// Stands before each line that is shown.
    pub label: &'a str,
    /// The guest is stopped after this time.
    pub limit: Duration,
}

/// Ends the emulator whatever happens to the reader.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same program, which the kernel ends when this one is killed: a guest that nobody reads would go on for ever.
fn ending_with_us(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    bound
}

/// Boots the guest, shows its console and returns what it wrote when it powered off.
///
/// # Errors
/// When QEMU does not start, or the guest is not done in time; what it wrote was shown.
pub fn run(cache: &Cache, guest: &Guest<'_>) -> Result<String> {
    let mut command = ending_with_us(&qemu::command(cache)?);
    // Emulation with several threads wants QEMU 10; `panic=-1` with `-no-reboot` turns a panic into an exit.
    command
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536"])
        .args(["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(guest.kernel)
        .arg("-initrd")
        .arg(guest.archive)
        .arg("-append")
        .arg(format!("console=ttyS0 quiet panic=-1 rdinit=/init {}", guest.words));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start QEMU")?;
    let output = child.stdout.take().context("QEMU has no output")?;
    let _emulator = Emulator(child);

    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            if sender.send(String::from_utf8_lossy(&bytes).into_owned()).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    let end = Instant::now() + guest.limit;
    let mut text = String::new();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                print!("{}: {line}", guest.label);
                text.push_str(&line);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(text),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the guest was not done after {} s", guest.limit.as_secs())
            }
        }
    }
}
