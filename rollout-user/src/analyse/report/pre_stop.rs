//! The `preStop` sleep that would have covered every late backend choice, as the report tells it.

use super::Moment;
use crate::attribute::tag::PodRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What old pods needed, and what to set. Durations are nanoseconds unless a name says seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreStop {
    /// Old pods whose stop signal and last backend choice were seen, by need, smallest first.
    pub pods: Vec<Need>,
    /// Old pods for which one of the two was not seen, or which were still chosen when the recording ended.
    pub not_known: u64,
    /// Smallest need.
    pub least_ns: u64,
    /// Median need.
    pub median_ns: u64,
    /// Largest need.
    pub most_ns: u64,
    /// What is added for what this update did not show.
    pub margin_ns: u64,
    /// The smallest whole number of seconds that covers every need and the margin.
    pub seconds: u64,
    /// The sleep that the pods have, seconds; `None`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_seconds: Option<u64>,
    /// `terminationGracePeriodSeconds`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// The longest that a server took from its stop signal to its exit, where seen: the grace period has to hold it
    /// beside the sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown_ns: Option<u64>,
    /// Grace period that sleep and shutdown need together, seconds.
    pub needs_grace_seconds: u64,
    /// Whether the present grace period has room for that; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<bool>,
    /// Containers that get the sleep.
    pub containers: Vec<String>,
    /// What `kubectl patch --type strategic` takes, as JSON.
    pub patch: String,
}

/// What one old pod needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The pod.
    pub pod: PodRef,
    /// The last time a backend choice fell on it.
    pub last_choice: Moment,
    /// Id of the record that tells the choice.
    pub last_choice_evidence: u64,
    /// Its stop signal.
    pub stop_signal: Moment,
    /// Id of the record that tells the signal.
    pub stop_signal_evidence: u64,
    /// The sleep that it has, seconds.
    pub has_seconds: u64,
    /// `last choice − (stop signal − sleep)`; 0 where the last choice came before the pod was asked to stop.
    pub need_ns: u64,
}
