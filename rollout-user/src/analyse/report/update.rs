//! The update and its three windows as the report tells them.

use super::Moment;
use crate::record::meta::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A revision of the workload.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Revision {
    /// `deployment.kubernetes.io/revision`, or the number of the ControllerRevision, when last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// `pod-template-hash` or `controller-revision-hash`: what tells revisions apart (a rolled back revision gets a new number).
    pub template_hash: String,
}

/// The watched workload's update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Update {
    /// The workload.
    pub target: Target,
    /// Revisions that had pods and were replaced, by hash.
    pub from: Vec<Revision>,
    /// The revision that replaces them.
    pub to: Revision,
    /// When the new revision was first seen; `None`: it was there when the trace began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Moment>,
    /// The start lies after this moment (the previous version of what showed it); ns of `CLOCK_MONOTONIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_not_before_ns: Option<u64>,
    /// When the workload was complete and its old pods gone; `None`: that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Moment>,
    /// Later changes of the template before the end, e.g. a roll-back half-way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// The workload was paused when last seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Wanted replicas when last seen.
    pub replicas: i32,
    /// Strategy's type, e.g. `RollingUpdate` or `OnDelete`.
    #[serde(default)]
    pub strategy: String,
    /// Of a StatefulSet or a DaemonSet: `maxUnavailable`, where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<String>,
    /// Of a DaemonSet: `maxSurge`, where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<String>,
    /// Of a StatefulSet: pods that keep their revision, those of the lowest ordinals; 0 = none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partition: u32,
}

/// A revision that was on its way in and was replaced before it was complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Superseded {
    /// The revision that was given up.
    pub revision: Revision,
    /// When its successor was first seen.
    pub at: Moment,
}

/// From one SYN to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First SYN.
    pub from: Moment,
    /// Last SYN.
    pub to: Moment,
    /// Between them, ns; 0 for a single SYN.
    pub duration_ns: u64,
}

/// The windows of an update, over users' SYNs at or after its start. They may overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Windows {
    /// 1: SYNs to an old pod that got no answer.
    pub unanswered: Unanswered,
    /// 2: old and new pods both get SYNs.
    pub both: Both,
    /// 3: only new pods get SYNs.
    pub only_new: OnlyNew,
    /// SYNs that these windows count: users', at or after the start, delivered to a pod of the workload.
    pub syns_to_old: u64,
    /// The same, to new pods.
    pub syns_to_new: u64,
    /// Users' SYNs to the workload that reached no pod, or one that is not known: no window counts them.
    pub syns_elsewhere: u64,
}

/// Window 1: first to last SYN delivered to an old pod and answered by neither SYN-ACK, RST nor ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unanswered {
    /// `None`: there was none.
    pub span: Option<Span>,
    /// Unanswered SYNs to old pods.
    pub syns: u64,
}

/// Window 2: first SYN to a new pod to last SYN to an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Both {
    /// Old and new pods both got SYNs from the one to the other.
    Overlap {
        /// First SYN to new … last SYN to old.
        span: Span,
        /// SYNs to old pods in it.
        syns_to_old: u64,
        /// SYNs to new pods in it.
        syns_to_new: u64,
    },
    /// The last SYN to an old pod came before the first to a new one.
    Gap {
        /// Last SYN to old … first SYN to new.
        span: Span,
        /// Users' SYNs to the workload in between: they reached no pod.
        syns: u64,
    },
    /// Old or new pods got no SYN at all.
    None,
}

/// Window 3: after the last SYN to an old pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnlyNew {
    /// First to last SYN to a new pod after the last SYN to an old one; `None`: there was none.
    pub span: Option<Span>,
    /// SYNs to new pods in it.
    pub syns: u64,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
