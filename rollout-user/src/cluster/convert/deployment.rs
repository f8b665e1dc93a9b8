//! Deployments and ReplicaSets: which revision is which, and how far an update has come.
//!
//! In: wire objects. Out: `record::cluster::{Deployment, ReplicaSet}`.

use super::{from_meta, revision, to_i32};
use crate::cluster::wire;
use crate::record::cluster::{Deployment, ReplicaSet};
use serde_json::Value;

/// Converts a ReplicaSet. An absent `spec.replicas` means 1.
pub(crate) fn from_replica_set(wire: wire::ReplicaSet) -> ReplicaSet {
    ReplicaSet {
        revision: revision(&wire.metadata.annotations),
        template_hash: wire.metadata.labels.get("pod-template-hash").cloned().unwrap_or_default(),
        desired: to_i32(wire.spec.replicas.unwrap_or(1)),
        replicas: to_i32(wire.status.replicas),
        ready: to_i32(wire.status.ready_replicas),
        meta: from_meta(wire.metadata),
    }
}

/// Converts a Deployment. An absent `spec.replicas` means 1, an absent strategy `RollingUpdate`.
pub(crate) fn from_deployment(wire: wire::Deployment) -> Deployment {
    let strategy = wire.spec.strategy.r#type;
    Deployment {
        generation: wire.metadata.generation,
        observed_generation: wire.status.observed_generation,
        revision: revision(&wire.metadata.annotations),
        desired: to_i32(wire.spec.replicas.unwrap_or(1)),
        replicas: to_i32(wire.status.replicas),
        updated: to_i32(wire.status.updated_replicas),
        ready: to_i32(wire.status.ready_replicas),
        available: to_i32(wire.status.available_replicas),
        paused: wire.spec.paused,
        selector: wire.spec.selector.match_labels,
        rolling: None,
        strategy: if strategy.is_empty() { "RollingUpdate".into() } else { strategy },
        template_digest: digest(&wire.spec.template),
        meta: from_meta(wire.metadata),
    }
}

/// 128-bit FNV-1a over the template with its keys in order, in hexadecimal. Stable across versions and recordings.
pub(super) fn digest(template: &Value) -> String {
    let mut text = String::new();
    canonical(template, &mut text);
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in text.bytes() {
        hash ^= u128::from(byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

/// JSON with sorted keys and without nulls, which say nothing in a template.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(json: Value) -> Deployment {
        from_deployment(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_deployment_is_read_with_defaults() {
        let read = deployment(json!({
            "metadata": {"name": "serv", "generation": 4, "annotations":
                {"deployment.kubernetes.io/revision": "3", "other": "x"}},
            "spec": {"paused": true, "selector": {"matchLabels": {"app": "serv"}}, "template": {}},
            "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1,
                       "readyReplicas": 2, "availableReplicas": 1}
        }));
        assert_eq!((read.generation, read.observed_generation), (4, 3));
        assert_eq!((read.desired, read.replicas, read.updated), (1, 2, 1));
        assert_eq!((read.ready, read.available), (2, 1));
        assert_eq!(read.revision, Some(3));
        assert!(read.paused);
        assert_eq!(read.strategy, "RollingUpdate");
    }

    #[test]
    fn equal_templates_have_equal_digests_in_any_key_order() {
        let one = json!({"spec": {"template": {"a": 1, "b": {"c": [1, 2], "d": null}}}});
        let two = json!({"spec": {"template": {"b": {"c": [1, 2]}, "a": 1}}});
        let other = json!({"spec": {"template": {"b": {"c": [2, 1]}, "a": 1}}});
        assert_eq!(deployment(one.clone()).template_digest, deployment(two).template_digest);
        assert_ne!(deployment(one).template_digest, deployment(other).template_digest);
    }

    #[test]
    fn a_replica_set_knows_its_revision_and_hash() {
        let read = from_replica_set(
            serde_json::from_value(json!({
                "metadata": {"labels": {"pod-template-hash": "abc"},
                             "annotations": {"deployment.kubernetes.io/revision": "7"}},
                "spec": {"replicas": 0}, "status": {"replicas": 1, "readyReplicas": 1}
            }))
            .unwrap(),
        );
        assert_eq!((read.revision, read.template_hash.as_str()), (Some(7), "abc"));
        assert_eq!((read.desired, read.replicas, read.ready), (0, 1, 1));
    }

    #[test]
    fn a_malformed_revision_is_unknown() {
        let read = from_replica_set(
            serde_json::from_value(json!({"metadata": {"annotations":
                {"deployment.kubernetes.io/revision": "\u{7}seven"}}}))
            .unwrap(),
        );
        assert_eq!(read.revision, None);
    }
}
