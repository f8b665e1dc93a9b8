//! What a guest gets at each boot: configuration, credentials, the lab's own programs and container images.
//! Comes in: assets of `xtask/lab`, programs, keys. Goes out: the tar that the guest's first program unpacks.

use super::container::{self, Image};
use super::keys::{self, IDENTITIES};
use super::place::{self, API_PORT, HOST_IP};
use super::programs::Programs;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use tar::Builder;

/// Assets of the guest and their places.
const ASSETS: &[(&str, &str)] = &[
    ("lab/init", include_str!("../../lab/init.sh")),
    ("etc/inittab", include_str!("../../lab/inittab")),
    ("lab/start", include_str!("../../lab/start.sh")),
    ("lab/capture", include_str!("../../lab/capture.sh")),
    ("lab/containerd.toml", include_str!("../../lab/containerd.toml")),
    ("lab/cni/lab.conflist", include_str!("../../lab/cni.conflist")),
    ("lab/kubelet.yaml", include_str!("../../lab/kubelet.yaml")),
    ("lab/kube-proxy.yaml", include_str!("../../lab/kube-proxy.yaml")),
];
/// Who calls the API server from inside the guest.
const CALLERS: &[&str] = &["kubelet", "kube-proxy", "rollout"];
const KEYS: &[&str] = &["ca.crt", "kubelet.crt", "kubelet.key"];

/// Writes the tar; `gateway` is the proxy's image.
///
/// # Errors
/// When something it is made of is missing.
pub fn write(programs: &Programs, gateway: &Path) -> Result<PathBuf> {
    let images = tempfile::tempdir_in(place::folder())?;
    let target = place::file("seed.tar");
    let file = fs::File::create(&target)?;
    let mut archive = Builder::new(file);
    let mut add =
        |name: &str, content: &[u8]| container::append(&mut archive, name, content, 0o755);
    for (name, text) in ASSETS {
        add(name, filled(text)?.as_bytes())?;
    }
    for name in KEYS {
        add(&format!("lab/{name}"), &fs::read(keys::path(name))?)?;
    }
    for name in CALLERS {
        let text = kubeconfig(name, &format!("{HOST_IP}:{API_PORT}"))?;
        add(&format!("lab/{name}.kubeconfig"), text.as_bytes())?;
    }
    for name in ["remote", "poll"] {
        add(&format!("lab/{name}"), &programs.content(name)?)?;
    }
    for (name, reference) in [("pause", container::PAUSE), ("serv", container::SERV)] {
        let path = images.path().join(name);
        Image::of_program(name, programs.content(name)?).write(reference, &path)?;
        add(&format!("lab/images/{name}.tar"), &fs::read(path)?)?;
    }
    add("lab/images/gateway.tar", &fs::read(gateway)?)?;
    archive.into_inner()?;
    Ok(target)
}

/// The kubeconfig of a caller for the API server at `address`.
///
/// # Errors
/// When the lab has no such caller.
pub fn kubeconfig(name: &str, address: &str) -> Result<String> {
    ensure!(IDENTITIES.iter().any(|identity| identity.name == name), "no caller `{name}`");
    let authority = fs::read(keys::path("ca.crt")).context("the lab has no authority")?;
    let text = include_str!("../../lab/kubeconfig.yaml")
        .replace("@CA@", &base64(&authority))
        .replace("@API@", address)
        .replace("@NAME@", name)
        .replace("@TOKEN@", &keys::token(name)?);
    Ok(text)
}

/// An asset with its `@NAME@` places filled in.
///
/// # Errors
/// When one is left over.
pub fn filled(text: &str) -> Result<String> {
    let port = place::CHANNEL_GUEST_PORT.to_string();
    let node_port = place::NODE_PORT.to_string();
    let mut text = text.to_owned();
    for (name, value) in [
        ("NODE", place::NODE),
        ("GUEST_IP", place::GUEST_IP),
        ("HOST_IP", place::HOST_IP),
        ("POD_CIDR", place::POD_CIDR),
        ("SERV_IP", place::SERV_IP),
        ("CHANNEL_GUEST_PORT", &port),
        ("NODE_PORT", &node_port),
        ("PAUSE", container::PAUSE),
        ("SERV", container::SERV),
        ("GATEWAY", container::GATEWAY),
    ] {
        text = text.replace(&format!("@{name}@"), value);
    }
    let open = text.split_whitespace().find(|word| {
        word.split_once('@').is_some_and(|(_, rest)| {
            rest.split_once('@').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
            })
        })
    });
    ensure!(open.is_none(), "`{}` has no value", open.unwrap_or_default());
    Ok(text)
}

/// Base64 as in RFC 4648, which kubeconfigs use for certificates.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let byte = |index: usize| part.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            let letter = LETTERS.get(index as usize).copied().unwrap_or(b'=');
            text.push(if position > part.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }

    #[test]
    fn every_asset_is_filled_completely() {
        for (name, text) in ASSETS {
            assert!(filled(text).is_ok(), "{name}");
        }
        assert!(filled("a @NO_SUCH@ b").is_err());
    }
}
