//! What `explain` finds, as one value: text, JSON and (later) HTML render it and nothing else.
//!
//! In: nothing; these are plain types. Out: the versioned, ordered, deterministic [`Report`]. `docs/report.md` is its
//! description for users; a change that breaks readers raises [`REPORT_VERSION`].

pub mod attempt;
pub mod cause;
pub mod duration;
pub mod pod;
pub mod pre_stop;
pub mod update;
pub mod verdict;
pub mod way_in;

use crate::record::meta::{DataPath, LeftOut, Stage, Target};
use attempt::Attempt;
use cause::Cause;
use pod::PodRow;
use pre_stop::PreStop;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use update::{Update, Windows};
use verdict::{BlindSpot, Group, Verdict};
use way_in::WayIn;

/// Version of the JSON form of [`Report`].
pub const REPORT_VERSION: u32 = 2;

/// A moment in the time bases that readers need.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Moment {
    /// Nanoseconds of `CLOCK_MONOTONIC` on the traced node.
    pub time_ns: u64,
    /// Nanoseconds since the Unix epoch, by the recording's own clock calibration; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_ns: Option<i64>,
    /// Nanoseconds since the update's start (negative: before it); `None` where no start was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_ns: Option<i64>,
}

/// Everything that one recording says about one rolling update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`REPORT_VERSION`] of the writer.
    pub version: u32,
    /// Where the records come from; `None` where the recording has no header.
    pub source: Option<Source>,
    /// The answer, its numbers and its exit code.
    pub verdict: Verdict,
    /// Why users' attempts failed or were slowed: dearest first. Empty: no findings.
    pub causes: Vec<Cause>,
    /// The `preStop` sleep that would have covered the update; `None` where no old pod was seen to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<PreStop>,
    /// The update itself; `None` where none was seen.
    pub update: Option<Update>,
    /// The three windows; `None` where no update was seen.
    pub windows: Option<Windows>,
    /// Which Services and ports users dialled during the update, the most used first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways_in: Vec<WayIn>,
    /// The workload's pods: old ones first, each by creation.
    pub pods: Vec<PodRow>,
    /// Users' attempts that failed during the update, grouped.
    pub failures: Vec<Group>,
    /// Users' attempts that were slowed during the update but succeeded, grouped.
    pub slowed: Vec<Group>,
    /// Users' attempts that failed or were slowed before the update began, grouped.
    pub baseline: Vec<Group>,
    /// kubelet's probes of the workload's pods, grouped; never part of windows or verdict.
    pub probes: Vec<Group>,
    /// Attempts that failed or were slowed and may be users' or kubelet's: their client is not known.
    pub unclear: Vec<Group>,
    /// What was lost, where, and when.
    pub losses: Vec<LossLine>,
    /// Intervals in which a watch was cut or behind.
    pub watch_gaps: Vec<WatchGap>,
    /// What could not be seen at all.
    pub blind_spots: Vec<BlindSpot>,
    /// How well times of day are known; `None` where no clock was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockLine>,
    /// How the node balances Service traffic; `None` where that was not recorded.
    pub data_path: Option<DataPathLine>,
    /// Kernel events that belong to no traced attempt.
    pub unmatched: Unmatched,
    /// Every attempt of the recording, by time; groups point into this list.
    pub attempts: Vec<Attempt>,
}

/// Where the records come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Node name.
    pub node: String,
    /// `uname -r`.
    pub kernel: String,
    /// Boot id: monotonic times compare only within one boot.
    pub boot_id: String,
    /// Version of `rollout` that recorded.
    pub recorded_by: String,
    /// What was watched, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Time of the earliest record.
    pub from: Moment,
    /// Time of the latest record.
    pub to: Moment,
    /// Number of records read.
    pub records: u64,
    /// What the user wished to leave out.
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    pub left_out: LeftOut,
}

/// A loss.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LossLine {
    /// The loss lies after this moment…
    pub from: Moment,
    /// …and before this one.
    pub to: Moment,
    /// Where.
    pub stage: Stage,
    /// The kernel program or queue, if one can be named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// How many; 0 = an unknown number.
    pub count: u64,
    /// Whether it may hide something that the verdict depends on.
    pub overlaps_update: bool,
}

/// A watch that was not current.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct WatchGap {
    /// Last moment at which state was certainly current.
    pub from: Moment,
    /// Current again; `None`: never again in this recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// The resource, e.g. `pods`.
    pub resource: String,
    /// What the watch covers; empty = everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The error's text, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it overlaps the update.
    pub overlaps_update: bool,
}

/// How well times of day (`unix_ns`) are known. Monotonic times, offsets and durations do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockLine {
    /// Times of day are right to this by the node's own clock, apart from the steps, ns.
    pub error_ns: u64,
    /// Where the node's clock was set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ClockStep>,
}

/// The node's clock was set. Times of day between the two moments are off by as much at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockStep {
    /// After this moment…
    pub from: Moment,
    /// …and before this one.
    pub to: Moment,
    /// Forwards, or back where negative, ns.
    pub by_ns: i64,
}

/// The data path and the sign by which it was recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataPathLine {
    /// The data path.
    pub path: DataPath,
    /// The sign.
    pub evidence: String,
}

/// Kernel events about TCP flows that no traced attempt explains, counted. They come from clients outside this node
/// (forwarded traffic), from connects that began before the trace, or from loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Unmatched {
    /// Backend choices.
    pub choices: u64,
    /// Of these, choices of a pod of the watched workload: users whose SYNs are not seen here.
    pub choices_of_workload: u64,
    /// SYNs dropped.
    pub drops: u64,
    /// Packets without a destination.
    pub no_destination: u64,
    /// ICMP errors.
    pub icmp: u64,
}
