//! The vocabulary of attribution: certainty, pod states, and the tags that events carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How sure a tag is. Ordered from best to worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// One pod, one state, and no gap overlaps.
    Known,
    /// One pod, between two states: the moment lies inside an observation's interval.
    Changing,
    /// Several pods could have had the address.
    Ambiguous,
    /// The watch was behind or cut at that moment.
    Stale,
    /// Nothing is known of the address.
    Unknown,
}

/// A pod's Kubernetes state, in the order of a pod's life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PodState {
    /// Created, not ready yet.
    Starting,
    /// Condition Ready is true, deletion was not requested.
    Ready,
    /// Was ready before, is not now, and deletion was not requested.
    NotReady,
    /// Deletion was requested (`deletionTimestamp` is set) and it is still there.
    Terminating,
    /// Phase Succeeded or Failed.
    Finished,
    /// The object is gone.
    Gone,
}

/// What a state is worth: one state, or a change inside whose interval the moment lies.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StateAt {
    /// One state.
    Is(PodState),
    /// Between two states; never one side of it.
    Changing {
        /// Before the interval.
        from: PodState,
        /// After the interval.
        to: PodState,
    },
}

/// Names one pod for ever: UIDs are never reused.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct PodRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Workload revision: `deployment.kubernetes.io/revision` of its ReplicaSet, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// `pod-template-hash`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_hash: Option<String>,
    /// Name of the workload (Deployment, else the controlling owner), where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Node, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Who and in which state, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// How sure.
    pub certainty: Certainty,
    /// The pod; `None` unless exactly one is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// Its state; `None` where the pod or its state is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateAt>,
    /// Pods that could have been meant, when `ambiguous`; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<PodRef>,
    /// Whose socket it is when it is no pod's: `kubelet` or `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostClient>,
}

/// A client that is not in a pod's cgroup.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostClient {
    /// kubelet: its connects to pods are probes (F25).
    Kubelet,
    /// Another process of the node.
    Host,
}

/// The Service behind a dialled address, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceTag {
    /// How sure.
    pub certainty: Certainty,
    /// Namespace; empty unless one Service is possible.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Port name, possibly empty.
    #[serde(default)]
    pub port: String,
}

/// One backend choice of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackendTag {
    /// When it was chosen, ns of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The chosen address.
    pub address: SocketAddr,
    /// Who that was then.
    pub tag: Tag,
    /// Id of the record that says so.
    pub evidence: u64,
}

/// All tags of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EventTags {
    /// Whose socket made the connection, or whose process or listener it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Tag>,
    /// The Service that was dialled; `None`: no Service address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTag>,
    /// The destinations chosen so far, by time; a directly dialled pod counts as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendTag>,
}
