//! Step `guest-image`: the disk of the lab's node. Comes in: Debian packages, a kernel and Kubernetes of the cache.
//! Goes out: `guest-image-HASH/` in the cache with `disk` (ext4), `vmlinuz`, `initrd` and `gateway.tar`.
//! Nothing of a running lab is in it: configuration and the lab's own programs come with each boot (`seed`).

use super::{container, place};
use crate::cache::Cache;
use crate::exec;
use crate::setup::kernel::{KERNELS, Kernel};
use crate::setup::suite::Suite;
use crate::setup::{Step, kubernetes};
use crate::vm::{archive::Archive, modules};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised when the image is made in another way.
const EDITION: u32 = 1;
const SUITES: &[&str] = &["trixie", "trixie-security"];
const KERNEL: &str = "kernel-6.12";
/// Room for containers and logs; the file is sparse.
const DISK: &str = "2G";

/// What a node needs, the tools that look into it, and nginx for the image of `gateway`.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "iproute2",
    "ipset",
    "iptables",
    "ipvsadm",
    "kmod",
    "nginx",
    "procps",
    "runc",
    "tcpdump",
    "zstd",
];
/// What the initramfs needs to find its disk.
const BOOT_MODULES: &[&str] = &["virtio_pci", "virtio_blk", "ext4"];
const INIT: &str = include_str!("../../lab/initrd.sh");
const COMPONENTS: &[&str] = &["kubelet", "kube-proxy"];
const KEY_FILES: &[&str] = &["disk", "vmlinuz", "initrd", "gateway.tar"];

/// The guest image in the cache.
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// Finds it.
    ///
    /// # Errors
    /// When set-up has not run.
    pub fn find(cache: &Cache) -> Result<Self> {
        let folder = cache.find(&key(cache)?);
        Ok(Self {
            folder: folder.context("the guest image is not in the cache: run cargo xtask setup")?,
        })
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The step.
pub fn step() -> Step {
    Step {
        name: "guest-image",
        usual_s: 60,
        heavy: true,
        after: &["packages", KERNEL, "kubernetes"],
        missing: Box::new(|cache| {
            Ok(if Image::find(cache).is_ok() {
                vec![]
            } else {
                vec!["the lab's guest image".into()]
            })
        }),
        make: Box::new(make),
    }
}

fn kernel() -> Result<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.key == KERNEL).context("the guest's kernel is not known")
}

/// Names everything that the image is made of.
fn key(cache: &Cache) -> Result<String> {
    let release = kernel()?.unpacked(cache)?.release;
    let components = kubernetes::folder(cache)?;
    let name = components.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parts = format!("{EDITION} {release} {name} {DISK} {PACKAGES:?} {BOOT_MODULES:?} {INIT}");
    let hash = Sha256::digest(parts);
    let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("guest-image-{short}"))
}

fn make(cache: &Cache) -> Result<()> {
    let log = cache.log("guest-image");
    cache.build(&key(cache)?, KEY_FILES, |folder| {
        let suite = Suite::read(cache, "guest-image", SUITES)?;
        let root = folder.join("root");
        let mut install = Command::new("mmdebstrap");
        install
            .args(["--variant=minbase", "--mode=root", "--format=directory"])
            .arg(format!("--include={}", PACKAGES.join(",")))
            .arg("trixie")
            .arg(&root)
            .arg(suite.sources());
        exec::logged(&mut install, &log)?;
        add_kernel(cache, &root, folder)?;
        add_components(cache, &root)?;
        fs::write(root.join("etc/hostname"), format!("{}\n", place::NODE))?;
        container::gateway(&root, &folder.join("gateway.tar"))?;
        let disk = folder.join("disk");
        exec::logged(Command::new("truncate").args(["-s", DISK]).arg(&disk), &log)?;
        let mut format = Command::new("mke2fs");
        format
            .args(["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d"])
            .arg(&root)
            .arg(&disk);
        exec::logged(&mut format, &log)?;
        Ok(fs::remove_dir_all(&root)?)
    })?;
    Ok(())
}

fn add_kernel(cache: &Cache, root: &Path, folder: &Path) -> Result<()> {
    let kernel = kernel()?.unpacked(cache)?;
    let target = root.join("usr/lib/modules");
    fs::create_dir_all(&target)?;
    let mut copy = Command::new("cp");
    exec::output(copy.arg("-a").arg(&kernel.modules).arg(target.join(&kernel.release)))?;
    fs::copy(&kernel.image, folder.join("vmlinuz"))?;
    let busybox = fs::read(root.join("usr/bin/busybox")).context("busybox is not in the image")?;
    let mut archive = Archive::default();
    for part in ["/proc", "/sys", "/dev", "/node"] {
        archive.folder(part);
    }
    archive.character("/dev/console", 5, 1);
    archive.file("/bin/busybox", &busybox);
    let mut load = String::new();
    for module in modules::read(&kernel.modules, BOOT_MODULES)? {
        archive.file(&format!("/modules/{}.ko", module.name), &module.content);
        load.push_str(&format!("insmod /modules/{}.ko\n", module.name));
    }
    archive.file("/init", INIT.replace("@LOAD@", &load).as_bytes());
    Ok(fs::write(folder.join("initrd"), archive.finish())?)
}

fn add_components(cache: &Cache, root: &Path) -> Result<()> {
    let folder = kubernetes::folder(cache)?;
    let target = root.join("usr/local/bin");
    fs::copy(folder.join("components"), target.join("components"))?;
    for name in COMPONENTS {
        ensure!(folder.join(name).exists(), "`{name}` is not among the components");
        symlink("components", target.join(name))?;
    }
    Ok(())
}
