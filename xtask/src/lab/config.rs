//! Configuration files of the lab. Comes in: templates in `xtask/lab`, in which `@WORD@` stands for a value.
//! Goes out: their text.

use super::place::{
    API_PORT, CHANNEL_GUEST_PORT, GUEST_IP, HOST_IP, NODE, NODE_PORT, POD_CIDR, SERV_IP,
};
use super::{container, keys};
use crate::exec;
use anyhow::{Result, bail};
use std::process::Command;

/// Replaces what every template may name.
///
/// # Errors
/// When something is left that nobody replaced.
pub fn render(template: &str) -> Result<String> {
    let text = template
        .replace("@NODE@", NODE)
        .replace("@GUEST_IP@", GUEST_IP)
        .replace("@HOST_IP@", HOST_IP)
        .replace("@POD_CIDR@", POD_CIDR)
        .replace("@SERV_IP@", SERV_IP)
        .replace("@NODE_PORT@", &NODE_PORT.to_string())
        .replace("@CHANNEL_GUEST_PORT@", &CHANNEL_GUEST_PORT.to_string())
        .replace("@PAUSE@", container::PAUSE)
        .replace("@SERV@", container::SERV)
        .replace("@GATEWAY@", container::GATEWAY);
    if let Some(word) = text.split('@').find(|word| is_placeholder(word)) {
        bail!("a template names `{word}`, which is not known");
    }
    Ok(text)
}

/// Shell scripts have an `@` too.
fn is_placeholder(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The kubeconfig of an identity, for callers that see the API server at `host`.
///
/// # Errors
/// When the lab has no keys.
pub fn kubeconfig(name: &str, host: &str) -> Result<String> {
    let ca = exec::output(Command::new("base64").arg("-w0").arg(keys::path("ca.crt")))?;
    render(
        &include_str!("../../lab/kubeconfig.yaml")
            .replace("@API@", &format!("{host}:{API_PORT}"))
            .replace("@CA@", ca.trim())
            .replace("@NAME@", name)
            .replace("@TOKEN@", &keys::token(name)?),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_complete() {
        for template in [
            include_str!("../../lab/start.sh"),
            include_str!("../../lab/inittab"),
            include_str!("../../lab/containerd.toml"),
            include_str!("../../lab/cni.conflist"),
            include_str!("../../lab/kube-proxy.yaml"),
        ] {
            render(template).unwrap();
        }
    }

    #[test]
    fn an_unknown_word_is_an_error() {
        assert!(render("a: @WHAT@").is_err());
    }
}
