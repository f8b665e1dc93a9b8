//! What a screen shows at one moment: finished rows, all text escaped. A paused display keeps one.
//!
//! In: made by [`super::state::Top::view`]. Out: read by `draw`.

use super::window::Sums;
use crate::present::event_line::Tone;

/// Rows of one panel that a view holds at most; the others are counted.
pub const ROWS: usize = 500;
/// Last events that a view holds.
pub const EVENTS: usize = 200;

/// Everything that a screen shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The lines at the top.
    pub head: Head,
    /// Updates in progress.
    pub updates: Vec<UpdateRow>,
    /// Pods.
    pub pods: Vec<PodRow>,
    /// Pods that are not shown.
    pub more_pods: u64,
    /// Backends.
    pub backends: Vec<BackendRow>,
    /// Backends that are not shown.
    pub more_backends: u64,
    /// Last events, the newest first.
    pub events: Vec<EventRow>,
    /// Losses, and what cannot be seen.
    pub losses: Vec<LossRow>,
}

/// The lines at the top.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// This node.
    pub node: String,
    /// Its kernel.
    pub kernel: String,
    /// How it balances Services.
    pub data_path: String,
    /// The cluster; `None`: done without.
    pub cluster: Option<String>,
    /// How long the trace goes on, ns.
    pub up_ns: u64,
    /// Events in a second.
    pub events: f64,
    /// SYNs in a second.
    pub syns: f64,
    /// The last ten seconds.
    pub last_10: Sums,
    /// The last minute.
    pub last_60: Sums,
    /// All events.
    pub total: u64,
    /// Events that something lost.
    pub lost: u64,
}

/// One update.
#[derive(Debug, Clone)]
pub struct UpdateRow {
    /// Namespace, as it is.
    pub namespace: String,
    /// Namespace and name.
    pub name: String,
    /// Old and new number.
    pub revision: String,
    /// Old pods: there, ready.
    pub old: (u32, u32),
    /// New pods: there, ready; `None`: which are the new ones is not known.
    pub new: Option<(u32, u32)>,
    /// How far it is.
    pub phase: String,
    /// How that is meant.
    pub tone: Tone,
    /// How long it takes or took, ns.
    pub took_ns: u64,
    /// It began before it was seen.
    pub at_least: bool,
}

/// Counts of a pod or a backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// SYNs in a second.
    pub rate: f64,
    /// The last ten seconds.
    pub last_10: Sums,
    /// The last minute.
    pub last_60: Sums,
}

/// One pod.
#[derive(Debug, Clone)]
pub struct PodRow {
    /// Namespace and name.
    pub name: String,
    /// Number or hash of its revision.
    pub revision: String,
    /// State now, and how sure that is.
    pub state: String,
    /// How that is meant.
    pub tone: Tone,
    /// Its address.
    pub address: String,
    /// What connects to it came to.
    pub counts: Counts,
}

/// One backend.
#[derive(Debug, Clone)]
pub struct BackendRow {
    /// The Service, or the dialled address.
    pub service: String,
    /// The pod, or the address.
    pub backend: String,
    /// IPVS weight.
    pub weight: String,
    /// What connects to it came to.
    pub counts: Counts,
}

/// One event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// As `trace` prints it.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// One loss or blind spot.
#[derive(Debug, Clone)]
pub struct LossRow {
    /// What was lost, or is not seen.
    pub text: String,
    /// How that is meant.
    pub tone: Tone,
}
