//! What the API server told, as the watch saw it: the part of each object that explains connections.
//!
//! API times are whole seconds; they are kept as Unix seconds, and `deletion_timestamp` lies in the future by the
//! grace period (KEP-less API behaviour: deletion was requested at `deletion_timestamp − deletion_grace_seconds`).

mod revision;

pub use revision::{ControllerRevision, DaemonSet, Rolling, StatefulSet, less_name};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An object as seen at the record's time, and since when it may have been so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed<T> {
    /// `false`: the object was deleted; `object` is its last state.
    pub present: bool,
    /// The earliest moment at which the object can have come into this state, ns of `CLOCK_MONOTONIC`:
    /// the previous version's arrival; 0 where no earlier version was seen. The interval ends at the record's time.
    pub not_before_ns: u64,
    /// The object.
    pub object: T,
}

/// Name and UID of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Meta {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    #[serde(default)]
    pub resource_version: String,
    /// `metadata.creationTimestamp`, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// The newest `metadata.managedFields[].time`, Unix seconds: this version was written in that second or later
    /// (by the API server's clock). Bounds `not_before` soundly where the watch lags; deletion requests do not move it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    /// `metadata.deletionTimestamp`, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    /// `metadata.deletionGracePeriodSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_grace_seconds: Option<i64>,
    /// `metadata.labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many labels were left out because of their size.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub labels_cut: u32,
    /// The controlling owner: kind, name, UID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// `metadata.ownerReferences` with `controller: true`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A Pod.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pod {
    /// Name, UID, labels, owner, deletion.
    pub meta: Meta,
    /// `spec.nodeName`; `None` while unscheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `status.podIPs`.
    #[serde(default)]
    pub ips: Vec<IpAddr>,
    /// `spec.hostNetwork`: its addresses are the node's.
    #[serde(default)]
    pub host_network: bool,
    /// `status.phase`.
    #[serde(default)]
    pub phase: String,
    /// Condition `Ready` is `True`.
    #[serde(default)]
    pub ready: bool,
    /// `lastTransitionTime` of condition `Ready`, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_changed: Option<i64>,
    /// `spec.terminationGracePeriodSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
    /// The longest `preStop.sleep` of its containers, seconds; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop_sleep_seconds: Option<i64>,
    /// The first other kind of `preStop` among its containers: `exec`, `http` or `tcp`; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop_hook: Option<String>,
    /// Containers and what became of them.
    #[serde(default)]
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `status.containerStatuses[].containerID` without the runtime's scheme; empty before it is known.
    #[serde(default)]
    pub id: String,
    /// Declared TCP container ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// `restartCount`.
    #[serde(default)]
    pub restarts: i32,
    /// `state.running.startedAt`, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// `state.terminated.finishedAt`, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<i64>,
    /// `state.terminated.exitCode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// An EndpointSlice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EndpointSlice {
    /// Name, UID, labels.
    pub meta: Meta,
    /// Label `kubernetes.io/service-name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// TCP ports: name and number.
    #[serde(default)]
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// `ports[]` of a slice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SlicePort {
    /// The Service port's name, possibly empty.
    #[serde(default)]
    pub name: String,
    /// The target port.
    pub port: u16,
}

/// `endpoints[]` of a slice. Conditions as KEP-1672 defines them, defaults applied.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// UID of the pod in `targetRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// Name of the pod in `targetRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// `nodeName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `conditions.ready` (absent = true).
    pub ready: bool,
    /// `conditions.serving` (absent = ready).
    pub serving: bool,
    /// `conditions.terminating` (absent = false).
    pub terminating: bool,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Service {
    /// Name, UID, labels.
    pub meta: Meta,
    /// `spec.clusterIPs` without `None` (headless: empty), then external and load-balancer addresses.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Its TCP ports.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
    /// `spec.selector`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// `spec.type`.
    #[serde(default)]
    pub kind: String,
    /// `spec.internalTrafficPolicy`; empty where it is not set.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub internal_traffic_policy: String,
    /// `spec.externalTrafficPolicy`; empty where it is not set.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external_traffic_policy: String,
}

/// `spec.ports[]` of a Service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name, possibly empty.
    #[serde(default)]
    pub name: String,
    /// `port`.
    pub port: u16,
    /// `targetPort`: a number, or a container port's name.
    #[serde(default)]
    pub target: String,
    /// `nodePort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port: Option<u16>,
}

/// A ReplicaSet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReplicaSet {
    /// Name, UID, owner (its Deployment).
    pub meta: Meta,
    /// Annotation `deployment.kubernetes.io/revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Label `pod-template-hash`.
    #[serde(default)]
    pub template_hash: String,
    /// `spec.replicas`.
    #[serde(default)]
    pub desired: i32,
    /// `status.replicas`.
    #[serde(default)]
    pub replicas: i32,
    /// `status.readyReplicas`.
    #[serde(default)]
    pub ready: i32,
}

/// A Deployment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Deployment {
    /// Name, UID.
    pub meta: Meta,
    /// `metadata.generation`.
    #[serde(default)]
    pub generation: i64,
    /// `status.observedGeneration`.
    #[serde(default)]
    pub observed_generation: i64,
    /// Annotation `deployment.kubernetes.io/revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// `spec.replicas`.
    #[serde(default)]
    pub desired: i32,
    /// `status.replicas`.
    #[serde(default)]
    pub replicas: i32,
    /// `status.updatedReplicas`.
    #[serde(default)]
    pub updated: i32,
    /// `status.readyReplicas`.
    #[serde(default)]
    pub ready: i32,
    /// `status.availableReplicas`.
    #[serde(default)]
    pub available: i32,
    /// `spec.paused`.
    #[serde(default)]
    pub paused: bool,
    /// `spec.selector.matchLabels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// `spec.strategy.type`.
    #[serde(default)]
    pub strategy: String,
    /// Of StatefulSets and DaemonSets: how they replace their pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Rolling>,
    /// A digest of `spec.template` (two Deployments with equal templates have equal digests).
    #[serde(default)]
    pub template_digest: String,
}

/// State of one watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    /// The watched resource, e.g. `pods`.
    pub resource: String,
    /// What it covers, e.g. `node=node1` or `default/serv`; empty = everything.
    #[serde(default)]
    pub scope: String,
    /// What happened.
    pub change: WatchChange,
    /// The error's text, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a `Cut`: the watch's last sign of life, ns of `CLOCK_MONOTONIC`; state may be stale from then on.
    /// 0 where there was none.
    #[serde(default)]
    pub since_ns: u64,
}

/// What happened to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchChange {
    /// The initial list is complete; from here on state is current.
    Synced,
    /// The watch broke: from `since_ns` until the next `Synced` of the same resource and scope, state may be stale.
    Cut,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
