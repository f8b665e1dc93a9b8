//! Whose pod it is: ReplicaSets and Deployments, revisions, old and new.
//!
//! In: `ReplicaSet` and `Deployment` observations. Out: names, revisions and the class of a pod within an update.

use super::tag::PodRef;
use crate::record::cluster::{Deployment, Observed, ReplicaSet};
use serde::Serialize;
use std::collections::BTreeMap;

/// Which side of an update a pod is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Of a revision before the newest that was seen.
    Old,
    /// Of the newest revision.
    New,
    /// Its revision is not known.
    Unknown,
}

/// A pod of a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct WorkloadPod {
    /// The pod.
    pub pod: PodRef,
    /// Old or new, by revision.
    pub side: Side,
}

/// One observation of a Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentSeen {
    /// Arrival, ns.
    pub time_ns: u64,
    /// Record id.
    pub id: u64,
    /// Whether it exists.
    pub present: bool,
    /// The Deployment.
    pub deployment: Deployment,
}

#[derive(Debug, Clone)]
struct Set {
    name: String,
    /// UID of the StatefulSet or DaemonSet whose revision it is, and the hash.
    revision_of: Option<(String, String)>,
    deployment: Option<String>,
    /// By (resource version, arrival): the revision annotation, which moves when a Deployment is rolled back.
    revisions: BTreeMap<(u64, u64), Option<u64>>,
}

/// Workloads by UID and name.
#[derive(Debug, Clone, Default)]
pub(super) struct Workloads {
    sets: BTreeMap<String, Set>,
    deployments: BTreeMap<(String, String), BTreeMap<(u64, u64), DeploymentSeen>>,
}

impl Workloads {
    pub fn observe_set(&mut self, time_ns: u64, observed: &Observed<ReplicaSet>) {
        let set = &observed.object;
        let owner = set.meta.owner.as_ref();
        let direct = owner.filter(|one| matches!(one.kind.as_str(), "StatefulSet" | "DaemonSet"));
        let owner = owner.filter(|owner| owner.kind == "Deployment");
        let entry = self.sets.entry(set.meta.uid.clone()).or_insert_with(|| Set {
            name: set.meta.name.clone(),
            revision_of: direct.map(|owner| (owner.uid.clone(), set.template_hash.clone())),
            deployment: owner.map(|owner| owner.name.clone()),
            revisions: BTreeMap::new(),
        });
        if entry.deployment.is_none() {
            entry.deployment = owner.map(|owner| owner.name.clone());
        }
        let version = set.meta.resource_version.parse().unwrap_or(0);
        entry.revisions.insert((version, time_ns), set.revision);
    }

    pub fn observe_deployment(&mut self, time_ns: u64, id: u64, observed: &Observed<Deployment>) {
        let deployment = observed.object.clone();
        let key = (deployment.meta.namespace.clone(), deployment.meta.name.clone());
        let seen = DeploymentSeen { time_ns, id, present: observed.present, deployment };
        self.deployments.entry(key).or_default().insert((time_ns, id), seen);
    }

    /// Every observation of a Deployment, by arrival.
    pub fn deployment(&self, namespace: &str, name: &str) -> impl Iterator<Item = &DeploymentSeen> {
        let key = (namespace.to_owned(), name.to_owned());
        self.deployments.get(&key).into_iter().flat_map(|seen| seen.values())
    }

    /// Name of the workload and revision, from the UID of a ReplicaSet. The newest revision annotation wins.
    pub fn of_set(&self, uid: &str) -> Option<(String, Option<u64>)> {
        let set = self.sets.get(uid)?;
        let name = set.deployment.clone().unwrap_or_else(|| set.name.clone());
        let revision = set.revisions.values().rev().find_map(|revision| *revision);
        Some((name, revision))
    }

    /// The number of a revision of the StatefulSet or DaemonSet with this UID.
    pub fn of_revision(&self, owner: &str, hash: &str) -> Option<u64> {
        let is = |set: &&Set| {
            set.revision_of.as_ref().is_some_and(|(of, its)| (&**of, &**its) == (owner, hash))
        };
        let revisions = self.sets.values().filter(is);
        revisions.filter_map(|set| set.revisions.values().rev().find_map(|one| *one)).max()
    }

    /// The Deployment's newest revision that was seen.
    pub fn newest_revision(&self, namespace: &str, name: &str) -> Option<u64> {
        let own = self.deployment(namespace, name).filter_map(|seen| seen.deployment.revision);
        own.max()
    }
}
