//! Where the lab lives: names, addresses, ports, and the folder of what runs now. Goes out: constants and paths.
//! Everything that `lab down` removes lies in [`folder`] or in the namespace. Both carry the lab's name, so that
//! `ROLLOUT_LAB=other` brings up a second lab beside the first one.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lab's name where `ROLLOUT_LAB` gives no other.
const NAME: &str = "rollout-lab";
/// The guest's name as a Kubernetes node.
pub const NODE: &str = "node1";
/// The guest's address on QEMU's user-mode network, and the host's on it.
pub const GUEST_IP: &str = "10.0.2.15";
/// The host as the guest sees it; the namespace's loopback answers there.
pub const HOST_IP: &str = "10.0.2.2";
/// Addresses of Services.
pub const SERVICE_CIDR: &str = "10.101.0.0/16";
/// The API server's own Service.
pub const API_SERVICE_IP: &str = "10.101.0.1";
/// Addresses of the node's pods.
pub const POD_CIDR: &str = "10.102.0.0/24";
/// The Service `serv`.
pub const SERV_IP: &str = "10.101.102.33";
/// The API server's port.
pub const API_PORT: u16 = 16443;
/// etcd's port for clients; the next one is for peers.
pub const ETCD_PORT: u16 = 12379;
/// The command channel's port in the namespace.
pub const CHANNEL_PORT: u16 = 17000;
/// The same, in the guest.
pub const CHANNEL_GUEST_PORT: u16 = 7000;
/// Where load from outside the cluster enters, in the namespace.
pub const LOAD_PORT: u16 = 18080;
/// The same, in the guest: the node port of the Service `gateway`.
pub const NODE_PORT: u16 = 30080;
/// kubelet's port, in the guest and at [`GUEST_IP`] in the namespace.
pub const KUBELET_PORT: u16 = 10250;

/// The lab's name, also that of its network namespace, which has a loopback and nothing else.
pub fn name() -> String {
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    std::env::var("ROLLOUT_LAB").ok().filter(plain).unwrap_or_else(|| NAME.to_owned())
}

/// The folder of the running lab; `lab down` removes it.
pub fn folder() -> PathBuf {
    Path::new("/var/tmp").join(name())
}

/// A file of the running lab.
pub fn file(name: &str) -> PathBuf {
    folder().join(name)
}

/// Log of a program that runs outside the guest.
pub fn log(name: &str) -> PathBuf {
    file("logs").join(format!("{name}.log"))
}

/// Makes the folder with its parts, readable by root alone: it holds keys and tokens.
///
/// # Errors
/// When a folder cannot be made.
pub fn make() -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    for part in ["", "logs", "processes", "keys", "config"] {
        let path = file(part);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("failed to make `{}`", path.display()))?;
    }
    Ok(())
}

/// A command that runs inside the namespace; its process id is that of the program.
pub fn inside(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &name()]).arg(program);
    command
}
