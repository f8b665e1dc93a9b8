//! One connect as the report tells it: who, to what, every SYN, every backend, what came of it.

use super::Moment;
use crate::attribute::tag::{ServiceTag, Tag};
use crate::record::kernel::{Chooser, Netns};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// One connect of a client on the traced node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The kernel side's number of it; `None`: it never reached SYN_SENT, or it began before the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// When the connect began; where that was not seen, its first event.
    #[serde(flatten)]
    pub begun: Moment,
    /// Its beginning was not seen: earlier SYNs may be missing here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begun_unseen: bool,
    /// Who connects.
    pub client: Client,
    /// What was dialled.
    pub destination: SocketAddr,
    /// The Service behind that, if it is one's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTag>,
    /// It concerns the watched workload (always true where no workload is watched).
    pub in_scope: bool,
    /// It belongs to the time before the update: see `docs/report.md`.
    pub baseline: bool,
    /// Every backend choice, by time.
    pub backends: Vec<Backend>,
    /// Every SYN, by time, those included that the kernel could not send.
    pub syns: Vec<Syn>,
    /// What came of it.
    pub outcome: Outcome,
    /// When that was certain; `None`: still in progress at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
    /// From the connect to its outcome (not to a later reset), ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ns: Option<u64>,
    /// SYNs that were sent again.
    pub retransmits: u32,
    /// SYNs that the kernel wanted to send and could not (F6).
    pub not_sent: u32,
    /// Never established, or reset afterwards.
    pub failed: bool,
    /// Not failed, but a SYN was retransmitted or not sent.
    pub slowed: bool,
    /// A loss overlaps it: what it lacks may have happened nevertheless.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
    /// Ids of the records that tell its beginning and its end.
    pub evidence: Vec<u64>,
}

/// What kind of client.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A user: a pod, or a process of the node that is not kubelet; also an unknown client that dials a Service.
    User,
    /// kubelet, probing (F25).
    Probe,
    /// Unknown, and it dials a pod directly: a user or kubelet.
    Unclear,
}

/// Who connects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// Source address, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Source port, where known (F5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// User or probe.
    pub kind: ClientKind,
    /// The pod, by the socket's cgroup (F13).
    pub tag: Tag,
    /// `task->comm` of the caller; empty where the beginning was not seen.
    #[serde(default)]
    pub comm: String,
    /// Process id of the caller; 0 if unknown.
    #[serde(default)]
    pub pid: u32,
    /// Network namespace of the socket.
    pub netns: Netns,
}

/// A backend choice of an attempt (F1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backend {
    /// When it was chosen.
    #[serde(flatten)]
    pub at: Moment,
    /// The chosen address.
    pub address: SocketAddr,
    /// Its weight at that moment (IPVS only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Who chose.
    pub by: Chooser,
    /// The choice was made for an earlier connect of the same tuple, or before the trace, and was kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Who had that address, and in which state, then.
    pub tag: Tag,
    /// Id of the record that says so.
    pub evidence: u64,
}

/// What became of a SYN. The classes add up to the number of SYNs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SynClass {
    /// It went to a backend: [`Syn::address`].
    Pod,
    /// Netfilter's verdict of IPVS, after a backend had been chosen for the tuple (F1).
    DroppedInIpvs,
    /// The balancer had no destination for it (F2).
    NoDestination,
    /// It never left: the kernel says so (F6).
    NotSent,
    /// Dropped elsewhere on its way: neighbour, netfilter rule, full queue.
    Undelivered,
    /// Where it went was not seen.
    Unknown,
}

/// How a SYN was answered, as far as the client's kernel tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// By SYN-ACK.
    SynAck,
    /// By RST.
    Rst,
    /// By ICMP.
    Icmp,
    /// By nothing, until the next SYN or the end of the attempt.
    Nothing,
    /// Not known: the trace ended, or events were lost.
    Unknown,
}

/// One SYN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Syn {
    /// When it was sent (or should have been).
    #[serde(flatten)]
    pub at: Moment,
    /// What became of it.
    pub class: SynClass,
    /// Where it went, for class `pod`; where it was going, for `undelivered` and `dropped_in_ipvs` where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Who had that address, and in which state, when the SYN was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Tag>,
    /// Old or new; `None` where the pod is not of the watched workload, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether it was answered.
    pub answer: Answer,
    /// Why it was dropped or not sent, in the kernel's words (`NETFILTER_DROP`, `errno 16`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ids of the records that say so: the SYN itself, then choice, drop, missing destination, ICMP.
    pub evidence: Vec<u64>,
}

/// Which side of the update a pod is on, by revision.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Of a revision that is replaced.
    Old,
    /// Of the revision that replaces.
    New,
}

/// What came of an attempt.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// Established, and nothing bad seen afterwards.
    Established,
    /// Established, then broken by a RST or an error while the client still used it (F7).
    ResetAfterwards {
        /// `ECONNRESET`, `EPIPE`, …
        errno: i32,
    },
    /// A RST answered the SYN.
    RefusedByRst,
    /// An ICMP error answered the SYN (F2).
    RefusedByIcmp,
    /// Refused; whether by RST or ICMP was not seen.
    Refused,
    /// The kernel gave up.
    TimedOut,
    /// No route, no neighbour, or an ICMP error that says so.
    Unreachable {
        /// `EHOSTUNREACH`, `ENETUNREACH`, …
        errno: i32,
    },
    /// The connect call failed before any SYN left (F3).
    NeverSent {
        /// What the call returned.
        errno: i32,
    },
    /// The application closed the socket before an answer came (F3).
    Abandoned {
        /// SYN retransmits until then.
        retransmits: u32,
    },
    /// Reset during the handshake.
    ResetBeforeEstablished,
    /// Failed with another error.
    Failed {
        /// The error.
        errno: i32,
    },
    /// No outcome until the recording's end.
    InProgress,
    /// Its outcome was not seen (begun before the trace, or lost).
    Unknown,
}
