//! Variants of the experiment, as data: how `serv` behaves, what is done to the node during its update, and which causes that
//! injects. Comes in: `xtask/lab/variants/NAME.toml`. Goes out: [`Variant`]s.

use super::programs;
use anyhow::{Context, Result, bail};
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
    /// Pods of `serv`.
    #[serde(default = "one")]
    pub replicas: u32,
    /// The port that kubelet probes.
    #[serde(default = "serv_port")]
    pub ready_port: u16,
    /// nginx's `proxy_connect_timeout`.
    #[serde(default = "patient")]
    pub connect_timeout: String,
    /// nginx keeps upstream connections open and uses them again.
    #[serde(default)]
    pub keep_alive: bool,
    /// The gateway's readiness goes through `serv`, and one failed probe takes it out.
    #[serde(default)]
    pub cascade: bool,
    /// The EndpointSlice controller gathers changes for so long, seconds; 0: as usual.
    #[serde(default)]
    pub slice_batch_s: u64,
    /// What is done to the node, in order.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// Exit codes of `watch` that it may lead to.
    pub exit_codes: Vec<i32>,
    /// Causes that it injects: the report has to name them.
    #[serde(default)]
    pub expects: BTreeSet<String>,
    /// Causes that may follow from what it injects, as timing will have it.
    #[serde(default)]
    pub allows: BTreeSet<String>,
}

/// Something that is done to the node and undone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins.
    pub from: Moment,
    /// When it is undone.
    pub until: Moment,
    /// A shell script for the node. `$OLD` is the address of the first pod that goes, once one does.
    #[serde(default)]
    pub node: String,
    /// The script that undoes it.
    #[serde(default)]
    pub undo: String,
    /// Arguments of kubectl, as the lab's administrator. Nothing undoes it.
    #[serde(default)]
    pub kubectl: Vec<String>,
}

/// `update+1.5`: so many seconds after the update's begin; `deletion+6`: after an old pod was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment {
    /// After what.
    pub at: Anchor,
    /// How long after.
    pub after: Duration,
}

/// What moments count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The new template is about to be set.
    Update,
    /// The API server says that a pod is going.
    Deletion,
}

impl TryFrom<String> for Moment {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let (at, after) = text.split_once('+').unwrap_or((&text, "0"));
        let at = match at {
            "update" => Anchor::Update,
            "deletion" => Anchor::Deletion,
            other => bail!("`{other}` is no moment: it is `update` or `deletion`, with `+SECONDS`"),
        };
        let seconds: f64 =
            after.parse().with_context(|| format!("`{after}` is no number of seconds"))?;
        let after = Duration::try_from_secs_f64(seconds)?;
        Ok(Self { at, after })
    }
}

fn serv_port() -> u16 {
    8000
}

fn patient() -> String {
    "5s".to_owned()
}

fn one() -> u32 {
    1
}

fn grace() -> u64 {
    30
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
    fn moments_are_read() {
        let moment = |text: &str| Moment::try_from(text.to_owned());
        let half = Duration::from_millis(1500);
        assert_eq!(moment("deletion+1.5").unwrap(), Moment { at: Anchor::Deletion, after: half });
        assert_eq!(moment("update").unwrap().after, Duration::ZERO);
        assert!(moment("later").is_err() && moment("update+-1").is_err());
    }

    #[test]
    fn what_is_injected_is_not_merely_allowed() {
        for variant in all().unwrap() {
            let both: Vec<_> = variant.expects.intersection(&variant.allows).collect();
            assert!(both.is_empty(), "{}: {both:?}", variant.name);
        }
    }
}
