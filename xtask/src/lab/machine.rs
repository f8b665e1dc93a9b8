//! The lab's guest: a virtual machine inside the namespace. Comes in: the guest image and a seed. Goes out: a
//! recorded QEMU process whose command channel answers.

use super::image::Image;
use super::place::{
    self, CHANNEL_GUEST_PORT, CHANNEL_PORT, GUEST_IP, KUBELET_PORT, LOAD_PORT, NODE_PORT,
};
use super::{process, remote};
use crate::cache::Cache;
use crate::setup::qemu;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the guest may take until it answers; under emulation it usually takes 10 to 15 s.
const LIMIT: Duration = Duration::from_secs(180);
/// How long a boot that only tries the processor's virtualisation may take.
const TRY_LIMIT: Duration = Duration::from_secs(15);
/// Memory, MiB.
const MEMORY: &str = "3072";
/// What the trying guest says when it has booted.
pub const BOOTS: &str = "lab: boots";

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
        if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
            return Ok(Self::Tcg);
        }
        let mut command = qemu::command(cache)?;
        Self::Kvm.add(&mut command);
        add_kernel(&mut command, image, "lab.try");
        command.args(["-m", "256", "-serial", "stdio"]);
        Ok(if boots(&mut command) { Self::Kvm } else { Self::Tcg })
    }

    fn add(self, command: &mut Command) {
        match self {
            Self::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
            Self::Tcg => command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]),
        };
    }
}

fn boots(command: &mut Command) -> bool {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = spawned else { return false };
    let end = Instant::now() + TRY_LIMIT;
    while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    // It may have ended by itself, which is what a guest that boots does.
    let _ = child.kill();
    child
        .wait_with_output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(BOOTS))
}

fn add_kernel(command: &mut Command, image: &Image, words: &str) {
    command
        .args(["-smp", "2", "-nodefaults", "-display", "none", "-no-reboot"])
        .arg("-kernel")
        .arg(image.file("vmlinuz"))
        .arg("-initrd")
        .arg(image.file("initrd"))
        .arg("-append")
        .arg(format!("console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off {words}"));
}

/// Starts the guest.
///
/// # Errors
/// When QEMU does not start.
pub fn start(cache: &Cache, image: &Image, seed: &Path, accelerator: Accelerator) -> Result<()> {
    let qemu = qemu::command(cache)?;
    let mut command = place::inside(qemu.get_program());
    command.args(qemu.get_args());
    for (name, value) in qemu.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    accelerator.add(&mut command);
    add_kernel(&mut command, image, "");
    let forward = |host: &str, port: u16, guest: u16| format!("hostfwd=tcp:{host}:{port}-:{guest}");
    let network = [
        "user,id=net".to_owned(),
        forward("127.0.0.1", CHANNEL_PORT, CHANNEL_GUEST_PORT),
        forward("127.0.0.1", LOAD_PORT, NODE_PORT),
        forward(GUEST_IP, KUBELET_PORT, KUBELET_PORT),
    ];
    command
        .args(["-m", MEMORY])
        .args(["-netdev", &network.join(","), "-device", "virtio-net-pci,netdev=net"])
        .arg("-serial")
        .arg(format!("file:{}", place::log("console").display()))
        // Writes go to a file that has no name any more, so the image stays as it is and nothing is left.
        .arg("-drive")
        .arg(drive(&image.file("disk"), "snapshot=on,cache=unsafe"))
        .arg("-drive")
        .arg(drive(seed, "readonly=on"))
        .env("TMPDIR", place::folder());
    process::start("guest", &mut command)
}

fn drive(path: &Path, options: &str) -> String {
    // A comma in a path is doubled.
    let path = path.display().to_string().replace(',', ",,");
    format!("file={path},format=raw,if=virtio,{options}")
}

/// Waits until the guest runs commands.
///
/// # Errors
/// When it ends or does not answer in time.
pub fn answers() -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        if is_up() {
            return Ok(());
        }
        let console = place::log("console");
        if !process::recorded()?.iter().any(|process| process.name == "guest" && process.runs()) {
            bail!("the guest ended (log: `{}`)", console.display());
        }
        if Instant::now() > end {
            bail!(
                "the guest does not answer after {} s (log: `{}`)",
                LIMIT.as_secs(),
                console.display()
            );
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The guest runs commands.
pub fn is_up() -> bool {
    let probe = || -> Result<i32> {
        let running = remote::start(&["true"])?.with_limit(Duration::from_secs(5))?;
        running.finish(std::io::sink(), std::io::sink())
    };
    probe().is_ok_and(|code| code == 0)
}
