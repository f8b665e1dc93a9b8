//! StatefulSets, DaemonSets and their ControllerRevisions.
//!
//! In: wire objects. Out: `record::cluster::{StatefulSet, DaemonSet, ControllerRevision}`, in a Deployment's terms.

use super::deployment::digest;
use super::{from_meta, to_i32};
use crate::cluster::wire::{self, IntOrString};
use crate::record::cluster::{
    ControllerRevision, DaemonSet, Deployment, ReplicaSet, Rolling, StatefulSet, less_name,
};

/// Converts a StatefulSet. An absent `spec.replicas` means 1.
pub(crate) fn from_stateful_set(wire: wire::StatefulSet) -> StatefulSet {
    let wire::StatefulSet { metadata, spec, status } = wire;
    let update = less_name(&status.update_revision, &metadata.name).to_owned();
    let mut rolling = rolling(&spec.update_strategy);
    rolling.first_ordinal = to_u32(spec.ordinals.start);
    rolling.pod_management = or(spec.pod_management_policy, "OrderedReady");
    rolling.update_hash = Some(update).filter(|hash| !hash.is_empty());
    StatefulSet(Deployment {
        generation: metadata.generation,
        observed_generation: status.observed_generation,
        desired: to_i32(spec.replicas.unwrap_or(1)),
        replicas: to_i32(status.replicas),
        updated: to_i32(status.updated_replicas),
        ready: to_i32(status.ready_replicas),
        available: to_i32(status.available_replicas),
        selector: spec.selector.match_labels,
        strategy: or(spec.update_strategy.r#type, "RollingUpdate"),
        rolling: Some(rolling),
        template_digest: digest(&spec.template),
        meta: from_meta(metadata),
        ..Deployment::default()
    })
}

/// Converts a DaemonSet.
pub(crate) fn from_daemon_set(wire: wire::DaemonSet) -> DaemonSet {
    let wire::DaemonSet { metadata, spec, status } = wire;
    DaemonSet(Deployment {
        generation: metadata.generation,
        observed_generation: status.observed_generation,
        desired: to_i32(status.desired_number_scheduled),
        replicas: to_i32(status.current_number_scheduled),
        updated: to_i32(status.updated_number_scheduled),
        ready: to_i32(status.number_ready),
        available: to_i32(status.number_available),
        selector: spec.selector.match_labels,
        rolling: Some(rolling(&spec.update_strategy)),
        strategy: or(spec.update_strategy.r#type, "RollingUpdate"),
        template_digest: digest(&spec.template),
        meta: from_meta(metadata),
        ..Deployment::default()
    })
}

/// Converts a ControllerRevision.
pub(crate) fn from_controller_revision(wire: wire::ControllerRevision) -> ControllerRevision {
    let meta = from_meta(wire.metadata);
    let owner = meta.owner.as_ref().map_or("", |owner| &owner.name);
    ControllerRevision(ReplicaSet {
        revision: u64::try_from(wire.revision).ok().filter(|revision| *revision > 0),
        template_hash: less_name(&meta.name, owner).to_owned(),
        meta,
        ..ReplicaSet::default()
    })
}

fn rolling(strategy: &wire::UpdateStrategy) -> Rolling {
    let rolling = &strategy.rolling_update;
    Rolling {
        max_unavailable: rolling.max_unavailable.as_ref().map(text),
        max_surge: rolling.max_surge.as_ref().map(text),
        partition: to_u32(rolling.partition),
        ..Rolling::default()
    }
}

fn text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::Name(text) => text.clone(),
    }
}

fn or(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

/// What is negative is none.
fn to_u32(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stateful_set_is_read_with_defaults() {
        let read = |json| from_stateful_set(serde_json::from_value(json).unwrap()).0;
        let set = read(json!({
            "metadata": {"name": "db", "generation": 4},
            "spec": {"replicas": 3, "ordinals": {"start": 1}, "podManagementPolicy": "Parallel",
                     "updateStrategy": {"type": "RollingUpdate",
                                        "rollingUpdate": {"partition": 2, "maxUnavailable": "50%"}}},
            "status": {"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1,
                       "readyReplicas": 2, "availableReplicas": 1,
                       "currentRevision": "db-aaa", "updateRevision": "db-bbb"}
        }));
        assert_eq!((set.generation, set.observed_generation), (4, 3));
        assert_eq!((set.desired, set.replicas, set.updated), (3, 3, 1));
        assert_eq!((set.ready, set.available, set.kept()), (2, 1, 2));
        let rolling = set.rolling.unwrap();
        assert_eq!((rolling.partition, rolling.first_ordinal), (2, 1));
        assert_eq!(rolling.max_unavailable.as_deref(), Some("50%"));
        assert_eq!(rolling.update_hash.as_deref(), Some("bbb"));
        assert_eq!(rolling.pod_management, "Parallel");

        let bare = read(json!({"spec": {"updateStrategy": null}}));
        assert_eq!((bare.desired, bare.strategy.as_str()), (1, "RollingUpdate"));
        assert_eq!(bare.rolling.unwrap().pod_management, "OrderedReady");
    }

    #[test]
    fn a_daemon_set_counts_nodes() {
        let wire = serde_json::from_value(json!({
            "spec": {"updateStrategy": {"type": "OnDelete"}},
            "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2,
                       "updatedNumberScheduled": 1, "numberReady": 2, "numberAvailable": 1}
        }));
        let set = from_daemon_set(wire.unwrap()).0;
        assert_eq!((set.desired, set.replicas, set.updated), (3, 2, 1));
        assert_eq!((set.ready, set.available), (2, 1));
        assert_eq!(set.strategy, "OnDelete");
    }

    #[test]
    fn a_controller_revision_has_its_hash_behind_its_owners_name() {
        let read = |json| from_controller_revision(serde_json::from_value(json).unwrap()).0;
        let owner = json!([{"kind": "DaemonSet", "name": "my-ds", "uid": "u", "controller": true}]);
        let one = read(json!({"metadata": {"name": "my-ds-6f4c", "ownerReferences": owner},
                              "revision": 7, "data": {"spec": {}}}));
        assert_eq!((one.template_hash.as_str(), one.revision), ("6f4c", Some(7)));
        let none = read(json!({"metadata": {"name": "odd"}, "revision": -1}));
        assert_eq!((none.template_hash.as_str(), none.revision), ("odd", None));
    }
}
