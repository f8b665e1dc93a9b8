//! Variants of the experiment, as data: how `serv` behaves, what is done to the node during its update, and which causes that
//! injects. Comes in: `xtask/lab/variants/NAME.toml`. Goes out: [`Variant`]s.

use super::programs;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The blog post's update, with nothing done to it.
pub const PLAIN: &str = "plain";
/// The blog post's first window at its widest.
pub const STALLED: &str = "stalled";
/// kube-proxy lags behind a server that exits at once.
pub const SLOW_PROXY: &str = "slow-proxy";

/// One way in which an update goes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name on the command line: the file's.
    #[serde(skip)]
    pub name: String,
    /// What happens in it.
    pub summary: String,
    /// It is part of the lab tier.
    #[serde(default)]
    pub tier: bool,
    /// The Deployment's `maxSurge`.
    #[serde(default = "one")]
    pub max_surge: u32,
    /// The Deployment's `maxUnavailable`.
    #[serde(default)]
    pub max_unavailable: u32,
    /// Settings of the server, as in `lab-serv`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The `preStop` sleep, seconds; 0: none.
    #[serde(default)]
    pub pre_stop_s: u64,
    /// The grace period, seconds.
    #[serde(default = "grace")]
    pub grace_s: u64,
    /// kube-proxy is stopped before the update, and goes on so long after the old pod was told to go, seconds.
    pub proxy_paused_s: Option<f64>,
    /// At the update's begin the gateway's own namespace drops its SYNs for so long: they never leave. Seconds.
    pub client_blocked_s: Option<f64>,
    /// Exit codes of `watch` that it may lead to.
    pub exit_codes: Vec<i32>,
    /// Causes that it injects: the report has to name them.
    #[serde(default)]
    pub expects: BTreeSet<String>,
    /// Causes that may follow from what it injects, as timing will have it.
    #[serde(default)]
    pub allows: BTreeSet<String>,
}

fn one() -> u32 {
    1
}

fn grace() -> u64 {
    30
}

impl Variant {
    /// See [`Variant::proxy_paused_s`].
    pub fn proxy_paused(&self) -> Option<Duration> {
        self.proxy_paused_s.map(Duration::from_secs_f64)
    }

    /// See [`Variant::client_blocked_s`].
    pub fn client_blocked(&self) -> Option<Duration> {
        self.client_blocked_s.map(Duration::from_secs_f64)
    }
}

/// All variants, by name.
///
/// # Errors
/// When a file cannot be read or is no variant.
pub fn all() -> Result<Vec<Variant>> {
    let folder: PathBuf = programs::workspace()?.join("xtask/lab/variants");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("failed to list variants in `{}`", folder.display()))?;
    let mut variants = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let mut variant: Variant =
            toml::from_str(&text).with_context(|| format!("`{}` is no variant", path.display()))?;
        variant.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        variants.push(variant);
    }
    variants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(variants)
}

/// The variant of that name.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn find(name: &str) -> Result<Variant> {
    let found = all()?.into_iter().find(|variant| variant.name == name);
    found.with_context(|| format!("there is no variant `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_variant() {
        for name in [PLAIN, STALLED, SLOW_PROXY] {
            assert_eq!(find(name).unwrap().name, name);
        }
        assert!(find("no such").is_err());
    }

    #[test]
    fn what_is_injected_is_not_merely_allowed() {
        for variant in all().unwrap() {
            let both: Vec<_> = variant.expects.intersection(&variant.allows).collect();
            assert!(both.is_empty(), "{}: {both:?}", variant.name);
        }
    }
}
