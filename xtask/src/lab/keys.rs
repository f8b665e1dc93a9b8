//! The lab's own certificate authority, certificates and tokens. Goes out: files in the folder of the running lab.
//! Everything is new for each lab and gone with it.

use super::place::{self, API_SERVICE_IP, GUEST_IP, HOST_IP, NODE};
use crate::exec;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

/// Who may call the API server, and as whom. Nobody but `admin` is a cluster administrator.
pub const IDENTITIES: &[Identity] = &[
    Identity { name: "admin", user: "lab-admin", groups: "system:masters" },
    Identity { name: "controller-manager", user: "system:kube-controller-manager", groups: "" },
    Identity { name: "scheduler", user: "system:kube-scheduler", groups: "" },
    Identity { name: "kubelet", user: "system:node:node1", groups: "system:nodes" },
    Identity { name: "kube-proxy", user: "system:kube-proxy", groups: "" },
    Identity { name: "rollout", user: "rollout", groups: "" },
];

/// A caller of the API server.
pub struct Identity {
    /// Its name in the lab; also that of its kubeconfig.
    pub name: &'static str,
    /// The user that RBAC sees.
    user: &'static str,
    groups: &'static str,
}

/// A key or certificate of the running lab.
pub fn path(name: &str) -> PathBuf {
    place::file("keys").join(name)
}

/// Makes everything.
///
/// # Errors
/// When `openssl` is missing or fails.
pub fn make() -> Result<()> {
    certificate("ca", "/CN=rollout-lab-ca", "basicConstraints=critical,CA:TRUE", false)?;
    let api = format!(
        "subjectAltName=IP:127.0.0.1,IP:{HOST_IP},IP:{API_SERVICE_IP},DNS:kubernetes.default.svc\nextendedKeyUsage=serverAuth"
    );
    certificate("api", "/CN=kube-apiserver", &api, true)?;
    let kubelet = format!("subjectAltName=IP:{GUEST_IP},DNS:{NODE}\nextendedKeyUsage=serverAuth");
    certificate("kubelet", &format!("/CN={NODE}"), &kubelet, true)?;
    certificate("kubelet-client", "/CN=api-to-kubelet", "extendedKeyUsage=clientAuth", true)?;
    exec::output(
        Command::new("openssl")
            .args(["ecparam", "-name", "prime256v1", "-genkey"])
            .args(["-noout", "-out"])
            .arg(path("accounts.key")),
    )?;
    exec::output(
        Command::new("openssl")
            .args(["ec", "-pubout", "-in"])
            .arg(path("accounts.key"))
            .arg("-out")
            .arg(path("accounts.pub")),
    )?;
    tokens()
}

/// The token of an identity.
///
/// # Errors
/// When the lab has none.
pub fn token(name: &str) -> Result<String> {
    fs::read_to_string(path(&format!("{name}.token")))
        .with_context(|| format!("the lab has no token for `{name}`"))
}

fn certificate(name: &str, subject: &str, extensions: &str, signed: bool) -> Result<()> {
    let settings = path(&format!("{name}.cnf"));
    fs::write(
        &settings,
        format!("[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n{extensions}\n"),
    )?;
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-nodes", "-days", "30", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject, "-config"])
        .arg(&settings)
        .arg("-keyout")
        .arg(path(&format!("{name}.key")))
        .arg("-out")
        .arg(path(&format!("{name}.crt")));
    if signed {
        command.arg("-CA").arg(path("ca.crt")).arg("-CAkey").arg(path("ca.key"));
    }
    exec::output(&mut command)?;
    Ok(())
}

fn tokens() -> Result<()> {
    let mut table = String::new();
    for identity in IDENTITIES {
        let mut bytes = [0; 16];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let Identity { name, user, groups } = identity;
        writeln!(table, "{token},{user},{name},\"{groups}\"")?;
        fs::write(path(&format!("{name}.token")), token)?;
    }
    Ok(fs::write(path("tokens.csv"), table)?)
}
