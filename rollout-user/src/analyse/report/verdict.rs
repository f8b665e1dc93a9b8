//! The answer and its groups as the report tells them.

use super::Moment;
use super::attempt::{Outcome, Role, SynClass};
use crate::attribute::tag::{Certainty, PodRef, StateAt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    pub result: Finding,
    /// 0, 1 or 3 (2 means that there is no report).
    pub exit_code: u8,
    /// Users' attempts at the workload during the update.
    pub attempts: u64,
    /// Of these, never established or reset afterwards.
    pub failed: u64,
    /// Of the failed ones, those that were established and then reset (F7).
    pub reset_afterwards: u64,
    /// Succeeded, but a SYN was retransmitted or not sent.
    pub slowed: u64,
    /// No outcome until the end, and nothing bad so far.
    pub in_progress: u64,
    /// First to last attempt that failed or was slowed; `None`: there was none.
    pub from: Option<Moment>,
    /// See `from`.
    pub to: Option<Moment>,
    /// Users' attempts before the update.
    pub baseline_attempts: u64,
    /// Of these, failed.
    pub baseline_failed: u64,
    /// Of these, slowed.
    pub baseline_slowed: u64,
    /// kubelet's probes of the workload during the recording.
    pub probes: u64,
    /// Of these, failed.
    pub probes_failed: u64,
    /// Attempts of unknown clients that dial pods directly: users' or probes.
    pub unclear: u64,
    /// Of these, failed.
    pub unclear_failed: u64,
    /// Attempts at other destinations, which this report leaves out.
    pub out_of_scope: u64,
    /// Users' SYNs to the workload during the update, by what became of them.
    pub syns: SynCounts,
    /// Whether the update was seen whole; every reason why not.
    pub doubts: Vec<Doubt>,
}

/// The answer in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Seen whole, with traffic, and nothing failed or was slowed. Exit code 0.
    Clean,
    /// Users' attempts failed or were slowed. Exit code 1.
    Failures,
    /// Nothing bad was seen, but it could have been missed. Exit code 3.
    Inconclusive,
}

/// SYNs by class; they add up to `tried`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SynCounts {
    /// All of them.
    pub tried: u64,
    /// To a backend.
    pub pod: u64,
    /// Dropped in IPVS.
    pub dropped_in_ipvs: u64,
    /// No destination.
    pub no_destination: u64,
    /// Never left.
    pub not_sent: u64,
    /// Dropped elsewhere.
    pub undelivered: u64,
    /// Not known.
    pub unknown: u64,
}

impl SynCounts {
    /// Counts one SYN.
    pub fn add(&mut self, class: SynClass) {
        self.tried += 1;
        *match class {
            SynClass::Pod => &mut self.pod,
            SynClass::DroppedInIpvs => &mut self.dropped_in_ipvs,
            SynClass::NoDestination => &mut self.no_destination,
            SynClass::NotSent => &mut self.not_sent,
            SynClass::Undelivered => &mut self.undelivered,
            SynClass::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// A reason why a clean result would not be certain.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Doubt {
    /// No workload was watched: the recording is a plain trace.
    NoTarget,
    /// No update was seen.
    NoUpdate,
    /// The update was under way when the trace began.
    CameInTheMiddle,
    /// Probes and watches were never in sync.
    NeverInSync,
    /// The update began before probes and watches were in sync.
    NotInSyncAtStart,
    /// Ended early.
    CutShort {
        /// Why.
        reason: String,
    },
    /// The recording has no regular end: the recorder was killed, or the file is cut.
    NoEnd,
    /// The update was not complete, or old pods were still there.
    Incomplete,
    /// The workload was paused.
    Paused,
    /// Another change came before the update was complete.
    Superseded,
    /// No user's attempt at the workload during the update.
    NoTraffic,
    /// Where SYNs went is not known.
    BackendUnknown {
        /// So many.
        syns: u64,
    },
    /// Attempts have neither an outcome nor a retransmit, long after their SYN.
    OutcomeUnknown {
        /// So many.
        attempts: u64,
    },
    /// Events were lost during the update.
    Lost {
        /// So many.
        events: u64,
        /// Besides, losses of an unknown number.
        #[serde(default)]
        uncounted: u64,
    },
    /// A watch was cut or behind during the update.
    WatchCut {
        /// So many times.
        gaps: u64,
    },
    /// Something essential cannot be seen.
    Blind {
        /// The fact.
        fact: String,
    },
    /// Which hooks were attached was not recorded.
    HooksUnknown,
    /// The data path is one that is not covered, or was not recorded.
    DataPathNotCovered,
    /// Backends of the workload were chosen for clients that are not seen here.
    ClientsElsewhere {
        /// So many choices.
        choices: u64,
    },
    /// Failed or slowed attempts may be users' or kubelet's.
    UnclearClients {
        /// So many.
        attempts: u64,
    },
}

/// Attempts that have backend, state and outcome in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The SYN that decided, by what became of it; `None`: no SYN left.
    pub class: Option<SynClass>,
    /// The pod it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// The address it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Old or new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The pod's state at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateAt>,
    /// How sure pod and state are; `None` where no pod is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// What came of the attempts (their retransmits apart).
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// The first of them began.
    pub from: Moment,
    /// The last of them began.
    pub to: Moment,
    /// Longest time to outcome among them, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ns: Option<u64>,
    /// All of them: positions in [`Report::attempts`](super::Report::attempts), by time.
    pub attempts: Vec<usize>,
}

/// Something that could not be seen at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct BlindSpot {
    /// The fact, e.g. `connect`.
    pub fact: String,
    /// What serves it instead, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<String>,
    /// What cannot be known because of this.
    pub blind: String,
    /// Whether a clean verdict depends on it.
    pub essential: bool,
}
