//! Workloads whose revisions are ControllerRevisions: StatefulSets and DaemonSets, in a Deployment's terms, and which
//! revision a pod of any workload belongs to.
//!
//! In: objects as observed. Out: types of records, and the hash that tells revisions apart: of a Deployment's pods
//! `pod-template-hash`; of the others `controller-revision-hash` less the StatefulSet's name, with which a StatefulSet's
//! begins and a DaemonSet's does not.

use super::{Deployment, Observed, Pod, ReplicaSet};
use crate::record::Body;
use serde::{Deserialize, Serialize};

/// A StatefulSet: `revision` is never set, `rolling` always.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatefulSet(pub Deployment);

/// A DaemonSet: `desired`, `replicas` and `updated` are `desiredNumberScheduled`, `currentNumberScheduled` and
/// `updatedNumberScheduled`; `ready` and `available` are `numberReady` and `numberAvailable`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DaemonSet(pub Deployment);

/// A ControllerRevision: `revision` is its own field (a roll-back moves it to the newest number), `template_hash` its
/// name less the owner's; it counts no pods.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ControllerRevision(pub ReplicaSet);

/// How a StatefulSet or a DaemonSet replaces its pods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rolling {
    /// `updateStrategy.rollingUpdate.maxUnavailable`, a number or a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<String>,
    /// `updateStrategy.rollingUpdate.maxSurge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<String>,
    /// `updateStrategy.rollingUpdate.partition`: so many pods, those of the lowest ordinals, keep the older revision.
    #[serde(default)]
    pub partition: u32,
    /// `spec.ordinals.start`.
    #[serde(default)]
    pub first_ordinal: u32,
    /// `spec.podManagementPolicy`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod_management: String,
    /// The hash of `status.updateRevision`, to which `updated` refers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_hash: Option<String>,
}

impl Deployment {
    /// How many pods an update leaves at their revision, of those that are wanted.
    pub fn kept(&self) -> i32 {
        let partition = self.rolling.as_ref().map_or(0, |rolling| rolling.partition);
        i32::try_from(partition).unwrap_or(i32::MAX).min(self.desired.max(0))
    }

    /// Whether an update leaves the pod of this name at its revision: its ordinal is below the partition.
    pub fn keeps(&self, pod: &str) -> bool {
        let Some(rolling) = self.rolling.as_ref().filter(|rolling| rolling.partition > 0) else {
            return false;
        };
        let ordinal = pod.rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse::<u64>().ok());
        let end = u64::from(rolling.first_ordinal) + u64::from(rolling.partition);
        ordinal.is_some_and(|ordinal| ordinal < end)
    }

    /// Whether `updated` counts pods of an older revision than this one, as far as the object says.
    pub fn counts_another(&self, hash: &str) -> bool {
        let update = self.rolling.as_ref().and_then(|rolling| rolling.update_hash.as_deref());
        update.is_some_and(|update| update != hash)
    }
}

impl Body {
    /// A workload of any kind as the watch saw it, with its kind.
    pub fn workload(&self) -> Option<(&'static str, Observed<&Deployment>)> {
        Some(match self {
            Body::Deployment(seen) => ("Deployment", seen.part(|it| it)),
            Body::StatefulSet(seen) => ("StatefulSet", seen.part(|it| &it.0)),
            Body::DaemonSet(seen) => ("DaemonSet", seen.part(|it| &it.0)),
            _ => return None,
        })
    }

    /// A revision of a workload of any kind as the watch saw it.
    pub fn revision(&self) -> Option<Observed<&ReplicaSet>> {
        Some(match self {
            Body::ReplicaSet(seen) => seen.part(|it| it),
            Body::ControllerRevision(seen) => seen.part(|it| &it.0),
            _ => return None,
        })
    }
}

impl<T> Observed<T> {
    /// The same observation of a part of the object.
    fn part<'a, U>(&'a self, of: impl FnOnce(&'a T) -> &'a U) -> Observed<&'a U> {
        let object = of(&self.object);
        Observed { present: self.present, not_before_ns: self.not_before_ns, object }
    }
}

impl<T: Clone> Observed<&T> {
    /// A copy of the object with its observation.
    pub fn cloned(&self) -> Observed<T> {
        let object = self.object.clone();
        Observed { present: self.present, not_before_ns: self.not_before_ns, object }
    }
}

impl Pod {
    /// What tells the pod's revision from others of its workload.
    pub fn revision_hash(&self) -> Option<&str> {
        let labels = &self.meta.labels;
        let owner = self.meta.owner.as_ref();
        match owner.map(|owner| owner.kind.as_str()) {
            Some("StatefulSet" | "DaemonSet") => {
                let label = labels.get("controller-revision-hash")?;
                Some(less_name(label, owner.map_or("", |owner| &owner.name)))
            }
            _ => labels.get("pod-template-hash").map(String::as_str),
        }
    }
}

/// A revision's name less the workload's, which the controller puts before the hash.
pub fn less_name<'a>(revision: &'a str, workload: &str) -> &'a str {
    let hash = revision.strip_prefix(workload).and_then(|rest| rest.strip_prefix('-'));
    hash.unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use super::super::{Meta, Owner};
    use super::*;

    fn pod(kind: &str, label: &str, value: &str) -> Pod {
        let owner = Owner { kind: kind.into(), name: "db".into(), uid: "u".into() };
        let mut meta = Meta { owner: Some(owner), ..Meta::default() };
        meta.labels.insert(label.into(), value.into());
        Pod { meta, ..Pod::default() }
    }

    #[test]
    fn both_ways_to_write_a_controller_revision_are_one_hash() {
        let label = "controller-revision-hash";
        assert_eq!(pod("StatefulSet", label, "db-6f4c").revision_hash(), Some("6f4c"));
        assert_eq!(pod("DaemonSet", label, "6f4c").revision_hash(), Some("6f4c"));
        assert_eq!(pod("ReplicaSet", "pod-template-hash", "6f4c").revision_hash(), Some("6f4c"));
        assert_eq!(pod("ReplicaSet", label, "6f4c").revision_hash(), None);
        assert_eq!(pod("StatefulSet", "pod-template-hash", "6f4c").revision_hash(), None);
    }

    #[test]
    fn a_partition_keeps_the_lowest_ordinals() {
        let rolling = Rolling { partition: 2, first_ordinal: 5, ..Rolling::default() };
        let set = Deployment { desired: 3, rolling: Some(rolling), ..Deployment::default() };
        assert_eq!(set.kept(), 2);
        let kept: Vec<bool> =
            ["db-5", "db-6", "db-7", "db", "db-x"].iter().map(|name| set.keeps(name)).collect();
        assert_eq!(kept, [true, true, false, false, false]);
        assert!(!Deployment::default().keeps("db-0"));
        let all = Deployment { desired: 1, ..set };
        assert_eq!(all.kept(), 1, "never more than are wanted");
    }
}
