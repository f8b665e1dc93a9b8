//! Why connections failed or were slowed: named causes with evidence, rivals, cost and remedy.
//!
//! In: nothing; these are plain types. Out: [`Cause`]. `docs/causes.md` describes each [`CauseName`] for users.

use super::Moment;
use crate::attribute::tag::PodRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A named cause, in the order in which the report lists causes of equal cost.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CauseName {
    /// The slice still named a finished pod's address, which another pod had by then.
    FailedPodIpReused,
    /// A kept entry led to an address that a pod of another Service had by then.
    StaleConntrack,
    /// The Service's traffic policy is `Local`, and there was no ready endpoint on the node.
    LocalPolicyNoEndpoint,
    /// The balancer had no destination at all (F2).
    NoDestination,
    /// The node's conntrack table was full.
    ConntrackFull,
    /// Two connections raced for one source port of the node (insert failed).
    SourceNatRace,
    /// An entry of an earlier connection led to a destination of weight 0 (F16).
    WeightZeroReuse,
    /// An entry in TIME_WAIT cost the first SYN (F16).
    ReuseDrop,
    /// A retransmit was dropped inside IPVS, the next one was moved to another backend (F1).
    DroppedInIpvs,
    /// An ingress dialled a pod that its Service no longer listed.
    StaleUpstream,
    /// The pod was ready before it listened.
    ReadyBeforeListening,
    /// The listener was closed before the balancer stopped choosing the pod.
    ListenerClosedFirst,
    /// Connections that nobody had accepted were reset when their listener closed (F7).
    UnacceptedReset,
    /// The pod was killed at the end of its grace period.
    GraceOverrun,
    /// The server exited at once on its stop signal.
    ExitsAtOnce,
    /// The server had closed an idle connection that the client used once more.
    KeepAliveRace,
    /// The client's kernel answered a packet that lost its translation (conntrack INVALID).
    ConntrackInvalid,
    /// An established connection was cut when its pod was taken out, though the pod still served.
    FlowCutAtRemoval,
    /// The pod's accept queue was full.
    SurgeOverload,
    /// The terminating pod's network was cut while it still served.
    CniCutEarly,
    /// No route or no neighbour for the pod's address.
    HostUnreachable,
    /// The pod was gone, and nothing answered for it.
    BlackHole,
    /// A SYN was sent to a terminating pod and not answered.
    LateSyn,
    /// The client's own side did not send the SYN.
    NotSent,
    /// The client gave up before an answer came.
    ClientGaveUp,
    /// No rule explains it.
    Unexplained,
    /// All endpoints were terminating, and traffic to them is intended (KEP-1669).
    Intended,
    /// `preStop` is missing or shorter than the balancer needs.
    PreStopTooShort,
    /// This node's kube-proxy was slow to stop choosing the pod.
    SlowProxy,
    /// The EndpointSlice followed the pod's deletion late.
    SlowController,
    /// A healthy proxy pod left its Service, because its readiness depends on the failing backend.
    ReadinessCascade,
    /// What this tool could not see leaves the answer open.
    OwnBlindness,
}

impl CauseName {
    /// Every cause, in order.
    pub const ALL: [CauseName; 32] = [
        CauseName::FailedPodIpReused,
        CauseName::StaleConntrack,
        CauseName::LocalPolicyNoEndpoint,
        CauseName::NoDestination,
        CauseName::ConntrackFull,
        CauseName::SourceNatRace,
        CauseName::WeightZeroReuse,
        CauseName::ReuseDrop,
        CauseName::DroppedInIpvs,
        CauseName::StaleUpstream,
        CauseName::ReadyBeforeListening,
        CauseName::ListenerClosedFirst,
        CauseName::UnacceptedReset,
        CauseName::GraceOverrun,
        CauseName::ExitsAtOnce,
        CauseName::KeepAliveRace,
        CauseName::ConntrackInvalid,
        CauseName::FlowCutAtRemoval,
        CauseName::SurgeOverload,
        CauseName::CniCutEarly,
        CauseName::HostUnreachable,
        CauseName::BlackHole,
        CauseName::LateSyn,
        CauseName::NotSent,
        CauseName::ClientGaveUp,
        CauseName::Unexplained,
        CauseName::Intended,
        CauseName::PreStopTooShort,
        CauseName::SlowProxy,
        CauseName::SlowController,
        CauseName::ReadinessCascade,
        CauseName::OwnBlindness,
    ];
}

impl CauseName {
    /// Whether it stands behind causes of single connects and explains none by itself.
    pub fn is_behind(self) -> bool {
        matches!(
            self,
            CauseName::Intended
                | CauseName::PreStopTooShort
                | CauseName::SlowProxy
                | CauseName::SlowController
                | CauseName::ReadinessCascade
                | CauseName::OwnBlindness
        )
    }
}

/// How sure a cause is. Ordered from best to worst; a loss never makes it better.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Surety {
    /// Every sign was seen, and its rivals are ruled out.
    Proven,
    /// Its signs were seen; a rival could not be ruled out, or a sign is uncertain in time.
    Likely,
    /// It fits what was seen, but what would prove it was not, or something was lost.
    Possible,
}

/// Why something happened to users' connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// Which cause.
    pub name: CauseName,
    /// How sure.
    pub surety: Surety,
    /// Pods concerned, sorted; empty where none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodRef>,
    /// Attempts that it explains: positions in [`Report::attempts`](super::Report::attempts), by time.
    pub attempts: Vec<usize>,
    /// What it cost users.
    pub cost: Cost,
    /// First attempt that it explains began, else its first sign.
    pub from: Moment,
    /// Last attempt that it explains began, else its last sign.
    pub to: Moment,
    /// What shows it, each with the records that say so.
    pub signs: Vec<Sign>,
    /// Causes that were ruled out, and by what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ruled_out: Vec<RuledOut>,
    /// Causes that explain some of the same attempts, or could not be ruled out; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub competing: Vec<CauseName>,
    /// Causes of this report that it made possible or worse; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads_to: Vec<CauseName>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// What a cause cost users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were slowed.
    pub slowed: u64,
    /// Connections that were made, to the wrong pod.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub misdirected: u64,
    /// Time that failed and slowed attempts took together, beyond the median of those that went well, ns.
    pub extra_latency_ns: u64,
    /// The longest of them, ns.
    pub longest_ns: u64,
}

/// One sign of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sign {
    /// In words; names are as the cluster gave them, unescaped.
    pub text: String,
    /// Ids of the records that say so; empty where it is an absence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
}

/// A cause that is not it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuledOut {
    /// Which one.
    pub cause: CauseName,
    /// Because of this.
    pub why: String,
}

/// What to do about a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// In words, with a number where one exists.
    pub text: String,
    /// What `kubectl patch` takes, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
