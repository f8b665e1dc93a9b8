//! What comes with each boot of the guest: configuration, keys, the lab's programs, container images.
//! Comes in: keys of the running lab and built programs. Goes out: a tar that the guest reads as a raw disk.

use super::config;
use super::container::{self, Image, append};
use super::image;
use super::keys;
use super::place::{self, HOST_IP};
use super::programs::Programs;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use tar::Builder;

/// Writes the tar and returns its path.
///
/// # Errors
/// When something that belongs into it is missing.
pub fn write(programs: &Programs, image: &image::Image) -> Result<PathBuf> {
    let target = place::file("seed.tar");
    let mut archive = Builder::new(fs::File::create(&target)?);
    for (name, template) in [
        ("lab/init", include_str!("../../lab/init.sh")),
        ("lab/start", include_str!("../../lab/start.sh")),
        ("etc/inittab", include_str!("../../lab/inittab")),
        ("lab/containerd.toml", include_str!("../../lab/containerd.toml")),
        ("lab/cni/10-lab.conflist", include_str!("../../lab/cni.conflist")),
        ("lab/kubelet.yaml", include_str!("../../lab/kubelet.yaml")),
        ("lab/kube-proxy.yaml", include_str!("../../lab/kube-proxy.yaml")),
    ] {
        append(&mut archive, name, config::render(template)?.as_bytes(), 0o755)?;
    }
    for name in ["kubelet", "kube-proxy", "rollout"] {
        let text = config::kubeconfig(name, HOST_IP)?;
        append(&mut archive, &format!("lab/{name}.kubeconfig"), text.as_bytes(), 0o600)?;
    }
    for name in ["ca.crt", "kubelet.crt", "kubelet.key"] {
        append(&mut archive, &format!("lab/{name}"), &read(&keys::path(name))?, 0o600)?;
    }
    for name in ["lab-agent", "lab-witness"] {
        append(&mut archive, &format!("lab/{name}"), &read(&programs.path(name))?, 0o755)?;
    }
    for (name, reference) in [("lab-pause", container::PAUSE), ("lab-serv", container::SERV)] {
        let tar = place::file(name);
        Image::of_program(name, read(&programs.path(name))?).write(reference, &tar)?;
        append(&mut archive, &format!("lab/images/{name}.tar"), &read(&tar)?, 0o644)?;
        fs::remove_file(tar)?;
    }
    append(&mut archive, "lab/images/gateway.tar", &read(&image.file("gateway.tar"))?, 0o644)?;
    archive.into_inner()?;
    Ok(target)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}
