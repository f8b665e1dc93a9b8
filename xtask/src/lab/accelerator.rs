//! Whether the guest's processor is this machine's own or emulated. Comes in: the guest image. Goes out: what QEMU is
//! told. A device node alone proves nothing: only a guest that boots does.

use super::image::Image;
use crate::cache::Cache;
use crate::setup::qemu;
use anyhow::Result;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the guest that only tries may take; it has no disk and takes a second where KVM works.
const LIMIT: Duration = Duration::from_secs(15);
/// What `initrd.sh` says when it is only to try.
const BOOTS: &str = "lab: boots";

/// How the guest's processor is provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By this machine's own.
    Kvm,
    /// By emulation.
    Tcg,
}

impl Accelerator {
    /// KVM where a guest boots with it, else emulation.
    ///
    /// # Errors
    /// When QEMU is not in the cache.
    pub fn choose(cache: &Cache, image: &Image) -> Result<Self> {
        if File::options().read(true).write(true).open("/dev/kvm").is_err() {
            return Ok(Self::Tcg);
        }
        let mut command = qemu::command(cache)?;
        command
            .args(Self::Kvm.arguments())
            .args(["-smp", "2", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"])
            .args(["-serial", "stdio", "-append", "console=ttyS0 quiet panic=-1 lab.try"])
            .arg("-kernel")
            .arg(image.file("vmlinuz"))
            .arg("-initrd")
            .arg(image.file("initrd"));
        Ok(if boots(&mut command) { Self::Kvm } else { Self::Tcg })
    }

    /// QEMU's arguments. Emulation with several threads wants QEMU 10.
    pub fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

fn boots(command: &mut Command) -> bool {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = spawned else { return false };
    let end = Instant::now() + LIMIT;
    while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    // It may have ended by itself, which a guest that boots does.
    let _ = child.kill();
    child
        .wait_with_output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(BOOTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_that_says_so_boots() {
        let shell = |script: &str| boots(Command::new("sh").args(["-c", script]));
        assert!(shell("echo early; echo 'lab: boots'"));
        assert!(!shell("echo 'Could not access KVM kernel module'; exit 1"));
        assert!(!boots(&mut Command::new("no-such-program")));
    }

    #[test]
    fn the_guest_says_what_is_looked_for() {
        assert!(include_str!("../../lab/initrd.sh").contains(BOOTS));
    }
}
