//! The control plane: etcd, API server, controller manager and scheduler, natively, inside the namespace.
//! Comes in: keys, and the components of the cache. Goes out: recorded processes and a cluster that answers.

use super::place::{self, API_PORT, ETCD_PORT, HOST_IP, SERVICE_CIDR};
use super::{config, keys, process};
use crate::cache::Cache;
use crate::exec;
use crate::setup::kubernetes;
use anyhow::{Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const MANAGER: &str = "kube-controller-manager";

/// Starts it and waits until the API server is ready and knows who may do what.
///
/// # Errors
/// When a program does not start or the API server is not ready in time.
pub fn up(cache: &Cache) -> Result<()> {
    keys::make()?;
    for identity in keys::IDENTITIES {
        fs::write(kubeconfig(identity.name), config::kubeconfig(identity.name, "127.0.0.1")?)?;
    }
    for (name, text) in [
        ("audit.yaml", include_str!("../../lab/audit.yaml")),
        ("access.yaml", include_str!("../../lab/access.yaml")),
    ] {
        fs::write(place::file("config").join(name), text)?;
    }
    let folder = components(cache)?;
    let component = |name: &str| place::inside(folder.join(name));
    process::start("etcd", etcd(&mut component("etcd")))?;
    process::start("kube-apiserver", api(&mut component("kube-apiserver")))?;
    wait(cache)?;
    manager(cache, 0)?;
    let mut scheduler = component("kube-scheduler");
    scheduler
        .arg(format!("--kubeconfig={}", kubeconfig("scheduler").display()))
        .args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
    process::start("kube-scheduler", &mut scheduler)?;
    let access = place::file("config").join("access.yaml");
    exec::output(kubectl(cache)?.args(["apply", "--server-side", "-f"]).arg(access))?;
    Ok(())
}

/// Starts the controller manager, in place of one that runs. It gathers changes of endpoints for so many seconds.
///
/// # Errors
/// When the one that runs does not end, or the other does not start.
pub fn manager(cache: &Cache, slice_batch_s: u64) -> Result<()> {
    for running in process::recorded()?.into_iter().filter(|one| one.name == MANAGER) {
        running.end()?;
    }
    let mut manager = place::inside(components(cache)?.join(MANAGER));
    manager
        .arg(format!("--kubeconfig={}", kubeconfig("controller-manager").display()))
        .arg(format!("--service-account-private-key-file={}", keys::path("accounts.key").display()))
        .arg(format!("--root-ca-file={}", keys::path("ca.crt").display()))
        .arg(format!("--endpointslice-updates-batch-period={slice_batch_s}s"))
        .args(["--use-service-account-credentials=true", "--leader-elect=false"])
        .args(["--bind-address=127.0.0.1"]);
    process::start(MANAGER, &mut manager)
}

/// `kubectl` as the lab's administrator, inside the namespace; arguments are to be added.
///
/// # Errors
/// When set-up has not run.
pub fn kubectl(cache: &Cache) -> Result<Command> {
    let mut command = place::inside(components(cache)?.join("kubectl"));
    command.arg("--kubeconfig").arg(kubeconfig("admin"));
    // kubectl's caches belong to the lab as well.
    command.arg("--cache-dir").arg(place::file("kubectl"));
    Ok(command)
}

/// The folder of the components. It is checked once: each check reads all of it, which an experiment would feel.
fn components(cache: &Cache) -> Result<&'static PathBuf> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    if let Some(folder) = FOLDER.get() {
        return Ok(folder);
    }
    let folder = kubernetes::folder(cache)?;
    Ok(FOLDER.get_or_init(|| folder))
}

/// The API server's audit log.
pub fn audit_log() -> PathBuf {
    place::file("audit.log")
}

/// The API server says that it is ready.
///
/// # Errors
/// When set-up has not run.
pub fn ready(cache: &Cache) -> Result<bool> {
    let answer = exec::output(kubectl(cache)?.args(["get", "--raw", "/readyz"]));
    Ok(answer.is_ok_and(|text| text == "ok"))
}

fn wait(cache: &Cache) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(90);
    while !ready(cache)? {
        if Instant::now() > end {
            bail!(
                "the API server is not ready after 90 s (log: `{}`)",
                place::log("kube-apiserver").display()
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn kubeconfig(name: &str) -> PathBuf {
    place::file("config").join(format!("{name}.kubeconfig"))
}

fn etcd(command: &mut Command) -> &mut Command {
    let client = format!("http://127.0.0.1:{ETCD_PORT}");
    let peer = format!("http://127.0.0.1:{}", ETCD_PORT + 1);
    command
        .arg(format!("--data-dir={}", place::file("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        // The lab's data need not outlive a power cut.
        .arg("--unsafe-no-fsync")
}

fn api(command: &mut Command) -> &mut Command {
    let key = |name: &str| keys::path(name).display().to_string();
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{ETCD_PORT}")),
        ("bind-address", "127.0.0.1".into()),
        ("advertise-address", HOST_IP.into()),
        ("secure-port", API_PORT.to_string()),
        ("tls-cert-file", key("api.crt")),
        ("tls-private-key-file", key("api.key")),
        ("token-auth-file", key("tokens.csv")),
        ("authorization-mode", "Node,RBAC".into()),
        // `kubectl debug node/…` makes a privileged pod.
        ("allow-privileged", "true".into()),
        ("enable-admission-plugins", "NodeRestriction".into()),
        ("anonymous-auth", "false".into()),
        ("service-cluster-ip-range", SERVICE_CIDR.into()),
        ("service-account-issuer", "https://kubernetes.default.svc".into()),
        ("service-account-key-file", key("accounts.pub")),
        ("service-account-signing-key-file", key("accounts.key")),
        ("kubelet-client-certificate", key("kubelet-client.crt")),
        ("kubelet-client-key", key("kubelet-client.key")),
        ("kubelet-certificate-authority", key("ca.crt")),
        ("kubelet-preferred-address-types", "InternalIP".into()),
        ("audit-policy-file", place::file("config").join("audit.yaml").display().to_string()),
        ("audit-log-path", audit_log().display().to_string()),
    ];
    for (name, value) in flags {
        command.arg(format!("--{name}={value}"));
    }
    command
}
