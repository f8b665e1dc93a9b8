//! The lab's node: a guest under QEMU with user-mode networking, inside the namespace.
//! Comes in: the guest image and a seed. Goes out: a recorded process, and commands that run in the guest.

use super::accelerator::Accelerator;
use super::image::Image;
use super::place::{
    self, CHANNEL_GUEST_PORT, CHANNEL_PORT, GUEST_IP, KUBELET_PORT, LOAD_PORT, NODE_PORT,
};
use super::process;
use crate::cache::Cache;
use crate::exec;
use crate::setup::qemu;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Memory of the guest, MiB.
const MEMORY: &str = "3072";

/// Boots the guest and waits until it takes commands.
///
/// # Errors
/// When QEMU does not start or the guest does not answer in time.
pub fn boot(cache: &Cache, image: &Image, seed: &Path) -> Result<()> {
    let forward = |from: &str, port: u16, to: u16| format!("hostfwd=tcp:{from}:{port}-:{to}");
    let network = [
        "user,id=net".to_owned(),
        forward("127.0.0.1", CHANNEL_PORT, CHANNEL_GUEST_PORT),
        forward("127.0.0.1", LOAD_PORT, NODE_PORT),
        // The API server dials kubelet at the address that the node reports.
        forward(GUEST_IP, KUBELET_PORT, KUBELET_PORT),
    ];
    let emulator = qemu::command(cache)?;
    let mut command = place::inside(emulator.get_program());
    command.args(emulator.get_args());
    for (name, value) in emulator.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .args(Accelerator::choose(cache, image)?.arguments())
        .args(["-smp", "2", "-m", MEMORY, "-nodefaults", "-display", "none", "-no-reboot"])
        .arg("-serial")
        .arg(format!("file:{}", place::log("console").display()))
        .arg("-kernel")
        .arg(image.file("vmlinuz"))
        .arg("-initrd")
        .arg(image.file("initrd"))
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .arg("-drive")
        .arg(format!("file={},if=virtio,format=raw,snapshot=on", image.file("disk").display()))
        .arg("-drive")
        .arg(format!("file={},if=virtio,format=raw,readonly=on", seed.display()))
        .args(["-netdev", &network.join(","), "-device", "virtio-net-pci,netdev=net"])
        // Changes of the disk go to a nameless file here, and end with QEMU.
        .env("TMPDIR", place::folder());
    process::start("guest", &mut command)?;
    let end = Instant::now() + Duration::from_secs(180);
    while !answers() {
        if Instant::now() > end {
            bail!(
                "the guest takes no commands after 180 s (console: `{}`)",
                place::log("console").display()
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    set_clock()
}

/// The guest takes commands.
pub fn answers() -> bool {
    exec::output(&mut command(&["true"])).is_ok()
}

/// A command in the guest. Its standard streams and exit code are the guest's; ending it ends the command there.
pub fn command(words: &[&str]) -> Command {
    // Inside the namespace this very program connects to the guest, even when it was rebuilt in the meantime.
    let mut command = place::inside(format!("/proc/{}/exe", std::process::id()));
    command.args(["lab", "channel", "--"]).args(words);
    command
}

/// Output of a shell script that runs in the guest.
///
/// # Errors
/// When it fails.
pub fn shell(script: &str) -> Result<String> {
    exec::output(&mut command(&["sh", "-c", script]))
}

/// Copies a file of the guest out.
///
/// # Errors
/// When it is not there or cannot be written.
pub fn pull(from: &str, to: &Path) -> Result<()> {
    // Beside it, so that a file that is there outlives a failure.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("failed to make `{}`", to.display()))?;
    let out = file.reopen()?;
    let status = command(&["cat", from]).stdin(std::process::Stdio::null()).stdout(out).status()?;
    if !status.success() {
        bail!("failed to read `{from}` in the guest");
    }
    file.persist(to).with_context(|| format!("failed to write `{}`", to.display()))?;
    Ok(())
}

/// Copies a file into the guest and makes it executable.
///
/// # Errors
/// When it cannot be read or written.
pub fn push(from: &Path, to: &str) -> Result<()> {
    let file = std::fs::File::open(from)
        .with_context(|| format!("failed to open `{}`", from.display()))?;
    let script = "cat >\"$0.new\" && chmod 755 \"$0.new\" && mv \"$0.new\" \"$0\"";
    let status = command(&["sh", "-c", script, to]).stdin(file).status()?;
    if !status.success() {
        bail!("failed to write `{to}` in the guest");
    }
    Ok(())
}

/// Sets the guest's clock to the host's: emulated hardware keeps whole seconds.
fn set_clock() -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    shell(&format!("date -s @{}.{:09}", now.as_secs(), now.subsec_nanos()))?;
    Ok(())
}
