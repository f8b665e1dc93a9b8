//! What `doctor` asks of the cluster: is it in reach, which version, how far its clock is off, what is permitted.
//!
//! In: [`Access`] and a [`Scope`]. Out: [`Check`]s, each with what was found and the remedy. Nothing is changed: rights
//! are asked for with SelfSubjectAccessReviews, which every authenticated user may make.

use super::failure::Failure;
use super::rbac::{self, RULES, Rule};
use super::{Access, Cluster, Scope, clock, request};
use crate::error::hint_of;
use serde_json::json;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// Works.
    Good,
    /// Works with limits.
    Limited,
    /// Does not work.
    Bad,
    /// Could not be checked.
    Unknown,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, e.g. `API server` or `may list pods`.
    pub name: String,
    /// How it went.
    pub result: CheckResult,
    /// What was found.
    pub found: String,
    /// What to do; may have several lines (YAML).
    pub remedy: Option<String>,
}

impl Check {
    fn new(name: impl Into<String>, result: CheckResult, found: impl Into<String>) -> Check {
        Check { name: name.into(), result, found: found.into(), remedy: None }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Check {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Runs all checks, the later ones as far as the earlier ones allow. Never fails: what cannot be reached is said.
pub async fn checks(access: &Access, scope: &Scope) -> Vec<Check> {
    let cluster = match Cluster::open(access).await {
        Ok(cluster) => cluster,
        Err(error) => {
            return vec![unusable("cluster configuration", &error), skipped("permissions")];
        }
    };
    let mut checks = vec![Check::new("cluster configuration", CheckResult::Good, cluster.source())];
    match cluster.version().await {
        Ok(version) => {
            let found = format!("{version} at {}", cluster.server());
            checks.push(Check::new("API server", CheckResult::Good, found));
        }
        Err(error) => {
            checks.extend([unusable("API server", &error), skipped("permissions")]);
            return checks;
        }
    }
    checks.push(server_clock(&cluster).await);
    checks.extend(permissions(&cluster).await);
    if let Some(node) = &scope.node {
        checks.push(node_name(&cluster, node).await);
    }
    checks
}

/// Above this timestamps of the API tell less than they could, ns.
const CLOCK_GOOD_NS: i64 = 250_000_000;

async fn server_clock(cluster: &Cluster) -> Check {
    let name = "API server's clock";
    let Some(clock) = clock::measure(&cluster.client, &cluster.timing).await else {
        return Check::new(name, CheckResult::Unknown, "its answers have no readable date");
    };
    let (least, most) = (clock.ahead_at_least_ns, clock.ahead_at_most_ns);
    let found = format!("{:+.2} to {:+.2} s from this node's", seconds(least), seconds(most));
    if least > CLOCK_GOOD_NS || most < -CLOCK_GOOD_NS {
        return Check::new(name, CheckResult::Limited, found)
            .remedy("synchronise the clocks of this node and of the control plane (NTP)");
    }
    Check::new(name, CheckResult::Good, found)
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

fn unusable(name: &str, error: &anyhow::Error) -> Check {
    let check = Check::new(name, CheckResult::Bad, format!("{error:#}"));
    check.remedy(hint_of(error).unwrap_or("without it `trace` works, but names no pods"))
}

fn skipped(name: &str) -> Check {
    Check::new(name, CheckResult::Unknown, "not checked: no API server in reach")
}

async fn permissions(cluster: &Cluster) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for rule in RULES {
        for verb in rule.verbs {
            let name = format!("may {verb} {}", rule.resource);
            match allowed(cluster, &rule, verb).await {
                Ok(true) => checks.push(Check::new(name, CheckResult::Good, "yes")),
                Ok(false) => {
                    missing.push(format!("{verb} {}", rule.resource));
                    let found = format!("no; unknown without it: {}", rule.purpose);
                    checks.push(Check::new(name, CheckResult::Bad, found));
                }
                Err(failure) => {
                    let found = format!("not checked: {}", failure.reason());
                    checks.push(
                        Check::new(name, CheckResult::Unknown, found).remedy(failure.remedy()),
                    );
                }
            }
        }
    }
    if !missing.is_empty() {
        let found = format!("missing: {}", missing.join(", "));
        checks.push(Check::new("ClusterRole", CheckResult::Bad, found).remedy(format!(
            "`kubectl apply -f -` with this, and bind it (docs/rbac.md):\n{}",
            rbac::cluster_role()
        )));
    }
    checks
}

async fn allowed(cluster: &Cluster, rule: &Rule, verb: &str) -> Result<bool, Failure> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "group": rule.group, "resource": rule.resource, "verb": verb
        }}
    });
    let url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = request::post(&cluster.client, url, &review, cluster.timing.answer).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::Malformed(error.to_string()))?;
    answer["status"]["allowed"]
        .as_bool()
        .ok_or_else(|| Failure::Malformed("a review without `status.allowed`".into()))
}

/// A field selector with a wrong node name selects nothing and is no error, so it is checked by what it selects.
async fn node_name(cluster: &Cluster, node: &str) -> Check {
    let name = "node name";
    let fields = request::encoded(&format!("spec.nodeName={node}"));
    let url = format!("/api/v1/pods?limit=1&fieldSelector={fields}");
    match request::get(&cluster.client, &url, cluster.timing.answer).await {
        Ok(answer) => {
            let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if list["items"].as_array().is_some_and(|items| !items.is_empty()) {
                Check::new(name, CheckResult::Good, format!("`{node}` has pods"))
            } else {
                Check::new(name, CheckResult::Limited, format!("no pod runs on a node `{node}`"))
                    .remedy("pass --node with the name that `kubectl get nodes` shows")
            }
        }
        Err(failure) => Check::new(name, CheckResult::Unknown, failure.reason()),
    }
}
