//! What init does before the tests: mounts, modules, loopback. Comes in: an initramfs with `/modules/order`.
//! Goes out: a system in which programs can be loaded and network namespaces made.

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, init_module, reboot};
use std::fs;
use std::process::Command;

/// Type and place of each file system, in an order in which every place exists.
const MOUNTS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tracefs", "/sys/kernel/tracing"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
];

/// Makes the system ready and returns the words that choose tests (`rollout.tests=a,b` on the command line).
pub fn prepare() -> Result<Vec<String>> {
    for (kind, place) in MOUNTS {
        mount(*kind, *place, *kind, MountFlags::empty(), None)
            .with_context(|| format!("failed to mount `{kind}` at `{place}`"))?;
    }
    load_modules()?;
    let status = Command::new("/bin/ip").args(["link", "set", "lo", "up"]).status()?;
    ensure!(status.success(), "`ip link set lo up` ended with {status}");
    let line = fs::read_to_string("/proc/cmdline")?;
    let words = line.split_whitespace().find_map(|word| word.strip_prefix("rollout.tests="));
    Ok(words.map(|words| words.split(',').map(str::to_owned).collect()).unwrap_or_default())
}

fn load_modules() -> Result<()> {
    let order = fs::read_to_string("/modules/order").context("failed to read `/modules/order`")?;
    for name in order.lines() {
        let content = fs::read(format!("/modules/{name}.ko"))
            .with_context(|| format!("failed to read module `{name}`"))?;
        init_module(&content, c"").with_context(|| format!("failed to load module `{name}`"))?;
    }
    Ok(())
}

/// Powers the machine off; returns only when the kernel refuses.
pub fn power_off() {
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        println!("error: failed to power off: {error}");
    }
}
