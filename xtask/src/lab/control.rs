//! The control plane: etcd, API server, controller manager and scheduler, as processes of this machine inside the
//! namespace. Comes in: Kubernetes of the cache, keys. Goes out: recorded processes and an API server that is ready.

use super::keys;
use super::kubectl;
use super::place::{self, API_PORT, ETCD_PORT, HOST_IP, SERVICE_CIDR, inside};
use super::process;
use super::seed;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the API server may take; it usually takes 3 s.
const LIMIT: Duration = Duration::from_secs(90);

/// Starts etcd and the API server, waits for it, then starts the rest. `components` holds the programs.
///
/// # Errors
/// When one does not start or the API server does not get ready.
pub fn start(components: &Path) -> Result<()> {
    process::start("etcd", &mut etcd(components))?;
    fs::write(place::file("config/audit.yaml"), include_str!("../../lab/audit.yaml"))?;
    process::start("kube-apiserver", &mut api_server(components))?;
    for name in ["admin", "controller-manager", "scheduler"] {
        let text = seed::kubeconfig(name, &format!("127.0.0.1:{API_PORT}"))?;
        fs::write(kubectl::config(name), text)?;
    }
    ready()?;
    process::start("kube-controller-manager", &mut controller_manager(components))?;
    process::start("kube-scheduler", &mut scheduler(components))
}

/// Waits until the API server says that it is ready.
fn ready() -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let answer = kubectl::output(&["get", "--raw", "/readyz"]);
        if answer.as_ref().is_ok_and(|text| text == "ok") {
            return Ok(());
        }
        if let Some(gone) = process::recorded()?.iter().find(|process| !process.runs()) {
            bail!("`{}` ended (log: `{}`)", gone.name, place::log(&gone.name).display());
        }
        if Instant::now() > end {
            bail!("the API server is not ready after {} s: {answer:?}", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn etcd(components: &Path) -> Command {
    let address = |port: u16| format!("http://127.0.0.1:{port}");
    let (clients, peers) = (address(ETCD_PORT), address(ETCD_PORT + 1));
    let mut command = inside(components.join("etcd"));
    command.arg("--data-dir").arg(place::file("etcd"));
    for (option, value) in [
        ("listen-client-urls", &clients),
        ("advertise-client-urls", &clients),
        ("listen-peer-urls", &peers),
        ("initial-advertise-peer-urls", &peers),
        ("initial-cluster", &format!("default={peers}")),
    ] {
        command.arg(format!("--{option}={value}"));
    }
    // The lab is thrown away, so nothing has to survive a power cut.
    command.arg("--unsafe-no-fsync");
    command
}

fn api_server(components: &Path) -> Command {
    let mut command = inside(components.join("kube-apiserver"));
    let mut file = |option: &str, path: &Path| {
        command.arg(format!("--{option}={}", path.display()));
    };
    file("tls-cert-file", &keys::path("api.crt"));
    file("tls-private-key-file", &keys::path("api.key"));
    file("client-ca-file", &keys::path("ca.crt"));
    file("kubelet-certificate-authority", &keys::path("ca.crt"));
    file("kubelet-client-certificate", &keys::path("kubelet-client.crt"));
    file("kubelet-client-key", &keys::path("kubelet-client.key"));
    file("service-account-key-file", &keys::path("accounts.pub"));
    file("service-account-signing-key-file", &keys::path("accounts.key"));
    file("token-auth-file", &keys::path("tokens.csv"));
    file("audit-policy-file", &place::file("config/audit.yaml"));
    file("audit-log-path", &audit_log());
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{ETCD_PORT}"))
        .arg(format!("--secure-port={API_PORT}"))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--advertise-address={HOST_IP}"))
        .arg(format!("--service-cluster-ip-range={SERVICE_CIDR}"))
        .arg("--service-account-issuer=https://rollout-lab")
        .arg("--authorization-mode=Node,RBAC")
        .arg("--enable-admission-plugins=NodeRestriction")
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg("--endpoint-reconciler-type=none")
        .arg("--allow-privileged=true");
    command
}

/// The API server's own record of what it wrote.
pub fn audit_log() -> std::path::PathBuf {
    place::file("audit.jsonl")
}

fn controller_manager(components: &Path) -> Command {
    let mut command = inside(components.join("kube-controller-manager"));
    command
        .arg(format!("--kubeconfig={}", kubectl::config("controller-manager").display()))
        .arg(format!("--service-account-private-key-file={}", keys::path("accounts.key").display()))
        .arg(format!("--root-ca-file={}", keys::path("ca.crt").display()))
        .args(["--use-service-account-credentials=true", "--leader-elect=false"])
        .arg("--bind-address=127.0.0.1");
    command
}

fn scheduler(components: &Path) -> Command {
    let mut command = inside(components.join("kube-scheduler"));
    command
        .arg(format!("--kubeconfig={}", kubectl::config("scheduler").display()))
        .args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
    command
}
