//! One pod's life as the report tells it: a fixed row of cells in one time base.

use super::Moment;
use super::attempt::Role;
use crate::attribute::tag::PodRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One pod of the watched workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PodRow {
    /// The pod.
    pub pod: PodRef,
    /// Old or new; `None` where no update was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// Every step of [`Step::ALL`], in that order.
    pub steps: Vec<StepAt>,
    /// Users' SYNs that were delivered to it.
    pub syns: u64,
    /// Of these, the ones that nothing answered.
    pub unanswered: u64,
}

/// A step of a pod's life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The object was created.
    Created,
    /// `status.podIPs` is set.
    IpAssigned,
    /// Its first TCP listener is open.
    ListenerOpen,
    /// Condition Ready is true.
    Ready,
    /// An EndpointSlice has it as ready.
    InSlice,
    /// This node's balancer sends new connections to it.
    Programmed,
    /// The first user's SYN to it.
    FirstSyn,
    /// `deletionTimestamp` is set.
    DeletionSeen,
    /// SIGTERM (or the image's stop signal) to a container's init.
    StopSignal,
    /// Its last listener closed.
    ListenerClosed,
    /// The slices have it as not ready, terminating, or no longer.
    OutOfSlice,
    /// This node's balancer sends no new connections to it: weight 0 or deleted (F12).
    Unprogrammed,
    /// The last user's SYN to it.
    LastSyn,
    /// A container's init begins to exit (F23).
    Exit,
    /// The object is gone.
    Gone,
}

impl Step {
    /// All steps, in the order of a pod's life.
    pub const ALL: [Step; 15] = [
        Step::Created,
        Step::IpAssigned,
        Step::ListenerOpen,
        Step::Ready,
        Step::InSlice,
        Step::Programmed,
        Step::FirstSyn,
        Step::DeletionSeen,
        Step::StopSignal,
        Step::ListenerClosed,
        Step::OutOfSlice,
        Step::Unprogrammed,
        Step::LastSyn,
        Step::Exit,
        Step::Gone,
    ];
}

/// A step and when it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepAt {
    /// The step.
    pub step: Step,
    /// When, or why that is not known.
    #[serde(flatten)]
    pub cell: Cell,
}

/// What a step's cell says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "cell")]
pub enum Cell {
    /// It was seen.
    At {
        /// When it happened (kernel) or was seen (watch).
        #[serde(flatten)]
        at: Moment,
        /// It cannot have happened earlier than this, ns of `CLOCK_MONOTONIC`; absent for kernel events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before_ns: Option<u64>,
        /// Id of the record that says so; absent where it was computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<u64>,
        /// More of it, e.g. `SIGTERM`, `weight 0`, `status 137`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// It had happened before the trace began, at an unknown time.
    Before,
    /// It was looked for, and did not happen until the recording's end.
    NotYet,
    /// It cannot be known.
    NotSeen {
        /// Why, e.g. `on node node2`.
        why: String,
    },
}
