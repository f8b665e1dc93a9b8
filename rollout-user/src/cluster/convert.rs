//! From the API server's JSON to records: pure functions, one for each kind.
//!
//! In: `wire` values. Out: `record::cluster` objects with the API's defaults applied. Text passes through as it is;
//! labels beyond [`LABEL_BYTES`] are cut and counted.

mod controlled;
mod deployment;
mod network;
mod pod;

pub(crate) use controlled::{from_controller_revision, from_daemon_set, from_stateful_set};
pub(crate) use deployment::{from_deployment, from_replica_set};
pub(crate) use network::{from_endpoint_slice, from_service};
pub(crate) use pod::from_pod;

use super::wire;
use crate::record::cluster::{Meta, Owner};
use std::collections::BTreeMap;

/// Bytes of label keys and values that are kept for one object. The API allows 63 bytes a value, so ordinary objects
/// are far below.
pub const LABEL_BYTES: usize = 8 * 1024;

/// Identity, labels, owner and deletion.
pub(crate) fn from_meta(wire: wire::ObjectMeta) -> Meta {
    let updated =
        wire.managed_fields.iter().filter_map(|field| unix_seconds(field.time.as_deref())).max();
    let owner = wire
        .owner_references
        .into_iter()
        .find(|owner| owner.controller)
        .map(|owner| Owner { kind: owner.kind, name: owner.name, uid: owner.uid });
    let (labels, labels_cut) = capped(wire.labels);
    Meta {
        namespace: wire.namespace,
        name: wire.name,
        uid: wire.uid,
        resource_version: wire.resource_version,
        created: unix_seconds(wire.creation_timestamp.as_deref()),
        updated,
        deletion_timestamp: unix_seconds(wire.deletion_timestamp.as_deref()),
        deletion_grace_seconds: wire.deletion_grace_period_seconds,
        labels,
        labels_cut,
        owner,
    }
}

/// Keeps whole labels, shortest first (then by key), up to [`LABEL_BYTES`]; says how many were left out.
fn capped(labels: BTreeMap<String, String>) -> (BTreeMap<String, String>, u32) {
    let total = labels.len();
    let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes <= LABEL_BYTES {
        return (labels, 0);
    }
    let mut by_size: Vec<_> = labels.into_iter().collect();
    by_size.sort_by_key(|(key, value)| key.len() + value.len());
    let mut used = 0;
    let kept: BTreeMap<_, _> = by_size
        .into_iter()
        .take_while(|(key, value)| {
            used += key.len() + value.len();
            used <= LABEL_BYTES
        })
        .collect();
    let cut = u32::try_from(total - kept.len()).unwrap_or(u32::MAX);
    (kept, cut)
}

/// RFC 3339 to Unix seconds, rounded down.
fn unix_seconds(text: Option<&str>) -> Option<i64> {
    let time: jiff::Timestamp = text?.parse().ok()?;
    Some(time.as_nanosecond().div_euclid(1_000_000_000)).and_then(|s| i64::try_from(s).ok())
}

fn revision(annotations: &wire::Annotations) -> Option<u64> {
    annotations.revision.as_deref()?.parse().ok()
}

/// A TCP port number; `None` for other protocols (absent = TCP) and for what is no port.
fn tcp_port(port: i64, protocol: Option<&str>) -> Option<u16> {
    if !matches!(protocol, None | Some("" | "TCP")) {
        return None;
    }
    u16::try_from(port).ok().filter(|port| *port != 0)
}

fn to_i32(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(json: serde_json::Value) -> Meta {
        from_meta(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn deletion_owner_and_last_write_are_read() {
        let meta = meta(serde_json::json!({
            "namespace": "default", "name": "serv-1", "uid": "u1", "resourceVersion": "42",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "deletionTimestamp": "2026-01-02T03:05:05Z",
            "deletionGracePeriodSeconds": 30,
            "ownerReferences": [
                {"kind": "Other", "name": "x", "uid": "ux"},
                {"kind": "ReplicaSet", "name": "serv-abc", "uid": "ur", "controller": true}
            ],
            "managedFields": [
                {"manager": "kubelet", "time": "2026-01-02T03:04:35Z", "fieldsV1": {"f:status": {}}},
                {"manager": "kube-controller-manager", "time": "2026-01-02T03:04:05Z"},
                {"manager": "old"}
            ]
        }));
        assert_eq!(meta.created, Some(1_767_323_045));
        assert_eq!(meta.updated, Some(1_767_323_075));
        assert_eq!(meta.deletion_timestamp, Some(1_767_323_105));
        assert_eq!(meta.deletion_grace_seconds, Some(30));
        assert_eq!(meta.owner.map(|owner| owner.name).as_deref(), Some("serv-abc"));
    }

    #[test]
    fn nulls_and_missing_fields_are_defaults() {
        let meta = meta(serde_json::json!({
            "name": "a", "creationTimestamp": null, "labels": null, "ownerReferences": null
        }));
        assert_eq!(meta, Meta { name: "a".into(), ..Meta::default() });
    }

    #[test]
    fn a_malformed_time_is_unknown_and_a_fraction_is_rounded_down() {
        assert_eq!(unix_seconds(Some("yesterday")), None);
        assert_eq!(unix_seconds(Some("1970-01-01T00:00:01.9Z")), Some(1));
        assert_eq!(unix_seconds(Some("1969-12-31T23:59:59.5Z")), Some(-1));
    }

    #[test]
    fn labels_beyond_the_cap_are_cut_and_counted() {
        let huge = "x".repeat(1 << 20);
        let meta = meta(serde_json::json!({
            "labels": {"app": "serv\u{1b}[2J", "a-huge": huge, "pod-template-hash": "abc"}
        }));
        assert_eq!(meta.labels_cut, 1);
        assert_eq!(meta.labels.len(), 2);
        assert_eq!(meta.labels["app"], "serv\u{1b}[2J", "control characters pass through as data");
    }
}
