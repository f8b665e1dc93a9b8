//! What the tool says of itself: header, clocks, losses, hooks, phases.

mod target;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the record format that this build writes.
pub const FORMAT_VERSION: u32 = 1;

/// First record of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Version of `rollout` that wrote it.
    pub version: String,
    /// Node name (`--node`, `NODE_NAME`, or the host name).
    pub node: String,
    /// `/proc/sys/kernel/random/boot_id`: monotonic times of two recordings compare only within one boot.
    pub boot_id: String,
    /// `uname -r`.
    pub kernel: String,
    /// What was watched, if `watch` wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Bounded wait for late observations in live output, ns (the final report does not use it).
    #[serde(default)]
    pub reorder_window_ns: u64,
    /// What the user wished to leave out.
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    pub left_out: LeftOut,
}

/// Connections that the kernel does not tell because the user does not want them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Of pods in these Kubernetes namespaces, by their cgroups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// In these network namespaces: paths, as given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netns: Vec<String>,
}

impl LeftOut {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.netns.is_empty()
    }
}

/// The watched workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// `CLOCK_REALTIME` beside the record's `CLOCK_MONOTONIC`; one at the start, then one each second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Unix time in ns at the record's time.
    pub unix_ns: i64,
    /// Half the time that the two readings took.
    pub error_ns: u64,
}

/// How far the API server's clock is ahead of this node's (negative: behind), from the `Date` of its answers. Its
/// timestamps (creation, deletion, `managedFields`) are by that clock; a pod's `Ready` transition is by its node's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerClock {
    /// At least so much, ns.
    pub ahead_at_least_ns: i64,
    /// At most so much, ns.
    pub ahead_at_most_ns: i64,
}

/// Where something can be lost.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The ring buffer was full when a program wanted to write.
    Ring,
    /// A kernel map was full, so that state of an attempt could not be kept.
    Map,
    /// The kernel did not run a program, because it would have interrupted itself.
    Skipped,
    /// A wire record could not be decoded.
    Decode,
    /// A queue inside user space was full.
    Queue,
    /// The recording could not be written (disk full, size cap).
    Recording,
    /// conntrack events overran their socket buffer (ENOBUFS).
    Conntrack,
    /// A line or frame of a recording could not be read.
    Read,
    /// A kernel table could not be read when it was polled.
    Table,
    /// An object of the API server could not be read: an observation is missing.
    Watch,
}

/// Something was lost. The count is new since the previous `Loss` of the same stage and program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Where.
    pub stage: Stage,
    /// The kernel program or queue, if one can be named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// How many; 0 = an unknown number.
    pub count: u64,
    /// The loss lies between this time and the record's time, ns of `CLOCK_MONOTONIC`.
    pub since_ns: u64,
}

/// Which hook serves which fact, once after attaching.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hooks {
    /// By fact, e.g. `connect`.
    pub facts: BTreeMap<String, Hook>,
}

/// One fact's hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// What is attached, e.g. `fentry tcp_connect`; `None`: nothing, the fact is not seen.
    pub attached: Option<String>,
    /// Why better ones were not available, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// What cannot be known because of this, for a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
}

/// How the node balances Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataPath {
    /// kube-proxy in IPVS mode.
    Ipvs,
    /// kube-proxy in iptables mode.
    Iptables,
    /// kube-proxy in nftables mode.
    Nftables,
    /// A socket load balancer (cgroup BPF connect hooks): not covered.
    SocketLb,
    /// No Service balancing was found.
    None,
    /// Some of the places to look could not be read, and the others show nothing.
    Unknown,
}

/// What was found, and by what sign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPathFound {
    /// The data path.
    pub path: DataPath,
    /// The sign, for a user, e.g. `7 IPVS services`.
    pub evidence: String,
}

/// The tool's own progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Probes attached and watches in sync: from here on everything is seen.
    Watching,
    /// A regular end: the update was complete, its old pods gone, or `--duration` was over.
    Ended,
    /// Ended early, e.g. by Ctrl-C or `--timeout`.
    CutShort {
        /// Why.
        reason: String,
    },
}
