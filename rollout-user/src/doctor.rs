//! `rollout doctor`: what would work here and what not, each with its remedy.
//!
//! In: [`Options`]: where `/proc` and `/sys` are, what attaching the hooks showed, what the cluster checks showed. Out: a
//! [`DoctorReport`], a plain value, as text or JSON. Reads only; needs no right and no cluster, and says what it could
//! not check without them.

mod hooks;
mod kernel;
mod node;
mod permission;
mod render;

pub use hooks::Tried;

use crate::cluster::checks as cluster;
use crate::tables::netns::Namespace;
use serde::Serialize;
use std::path::PathBuf;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works, or is not needed here.
    Ok,
    /// Works with limits.
    Warn,
    /// Does not work.
    Fail,
    /// Could not be checked.
    Unknown,
}

/// What a check is about, in the order of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// The running kernel.
    Kernel,
    /// What this process may do.
    Permission,
    /// Each fact's hook.
    Hooks,
    /// This node: cgroups, namespaces, data path, clock.
    Node,
    /// The API server and the rights there.
    Cluster,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about.
    pub area: Area,
    /// What was checked, e.g. `BTF`.
    pub name: String,
    /// How it went.
    pub status: Status,
    /// What was found, and what that means.
    pub detail: String,
    /// What to do; may have several lines (YAML).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn new(area: Area, name: impl Into<String>, status: Status, detail: impl Into<String>) -> Self {
        Self { area, name: name.into(), status, detail: detail.into(), remedy: None }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What to look at.
#[derive(Debug)]
pub struct Options {
    /// Normally `/proc`.
    pub proc: PathBuf,
    /// Normally `/sys`.
    pub sys: PathBuf,
    /// What attaching the hooks showed.
    pub hooks: Tried,
    /// What the cluster showed; `None`: it was not asked.
    pub cluster: Option<Vec<cluster::Check>>,
}

/// All in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that is needed here works.
    Works,
    /// Tracing works, but some facts will be missing, or could not be checked.
    Degraded,
    /// Tracing cannot work.
    Cannot,
}

/// Everything that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// In the order of their areas.
    pub checks: Vec<Check>,
}

/// Runs all checks. Never fails: what cannot be read is said.
pub fn run(options: &Options) -> DoctorReport {
    let namespace = Namespace::open(&options.proc.join("1/ns/net"));
    let node = node::Node::look(options, namespace);
    let mut checks = kernel::checks(options);
    checks.extend(permission::checks(&options.proc));
    checks.extend(hooks::checks(&options.hooks, node.needs_ipvs()));
    checks.extend(node.checks());
    match &options.cluster {
        Some(found) => checks.extend(found.iter().map(of_cluster)),
        None => checks.push(Check::new(
            Area::Cluster,
            "API server",
            Status::Unknown,
            "not asked; without it events carry addresses, but no pods",
        )),
    }
    DoctorReport { checks }
}

fn of_cluster(check: &cluster::Check) -> Check {
    let status = match check.result {
        cluster::CheckResult::Good => Status::Ok,
        cluster::CheckResult::Limited => Status::Warn,
        cluster::CheckResult::Bad => Status::Fail,
        cluster::CheckResult::Unknown => Status::Unknown,
    };
    let mut made = Check::new(Area::Cluster, &check.name, status, &check.found);
    made.remedy.clone_from(&check.remedy);
    made
}

impl DoctorReport {
    /// Without the cluster the tracer still works, untagged: a failure there only degrades.
    pub fn verdict(&self) -> Verdict {
        let fails = |check: &Check| check.status == Status::Fail && check.area != Area::Cluster;
        if self.checks.iter().any(fails) {
            Verdict::Cannot
        } else if self.checks.iter().all(|check| check.status == Status::Ok) {
            Verdict::Works
        } else {
            Verdict::Degraded
        }
    }

    /// 0 works, 3 degraded, 2 cannot.
    pub fn exit_code(&self) -> u8 {
        match self.verdict() {
            Verdict::Works => 0,
            Verdict::Degraded => 3,
            Verdict::Cannot => 2,
        }
    }

    /// For a terminal, escaped; in colours if `color`.
    pub fn text(&self, color: bool) -> String {
        render::text(self, color)
    }

    /// One JSON object.
    pub fn json(&self) -> serde_json::Value {
        render::json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::meta::Hooks;

    fn report(statuses: &[(Area, Status)]) -> DoctorReport {
        let check = |(area, status): &(Area, Status)| Check::new(*area, "name", *status, "detail");
        DoctorReport { checks: statuses.iter().map(check).collect() }
    }

    #[test]
    fn the_exit_code_follows_the_worst_that_matters() {
        let ok = (Area::Kernel, Status::Ok);
        assert_eq!(report(&[ok]).exit_code(), 0);
        assert_eq!(report(&[ok, (Area::Node, Status::Warn)]).exit_code(), 3);
        assert_eq!(report(&[ok, (Area::Cluster, Status::Unknown)]).exit_code(), 3);
        assert_eq!(report(&[ok, (Area::Cluster, Status::Fail)]).exit_code(), 3);
        assert_eq!(report(&[(Area::Permission, Status::Fail), ok]).exit_code(), 2);
    }

    #[test]
    fn an_empty_machine_is_reported_and_not_an_error() {
        let nowhere = tempfile::tempdir().unwrap();
        let options = Options {
            proc: nowhere.path().join("proc"),
            sys: nowhere.path().join("sys"),
            hooks: Tried::Attached(Hooks::default()),
            cluster: None,
        };
        let report = run(&options);
        assert_eq!(report.verdict(), Verdict::Cannot, "{}", report.text(false));
        let areas: Vec<Area> = report.checks.iter().map(|check| check.area).collect();
        assert!(areas.is_sorted(), "{areas:?}");
        let wordless = report.checks.iter().find(|check| check.detail.is_empty());
        assert_eq!(wordless, None);
    }

    #[test]
    fn what_the_cluster_says_is_kept_with_its_remedy() {
        let check = cluster::Check {
            name: "may list pods".into(),
            result: cluster::CheckResult::Bad,
            found: "no".into(),
            remedy: Some("apply".into()),
        };
        let made = of_cluster(&check);
        assert_eq!((made.area, made.status), (Area::Cluster, Status::Fail));
        assert_eq!(made.remedy.as_deref(), Some("apply"));
    }
}
