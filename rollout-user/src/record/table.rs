//! What user space read from kernel tables: IPVS over generic netlink, socket diagnostics, `/proc`, cgroups.

use super::kernel::Netns;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// All TCP virtual services and their destinations of one namespace at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IpvsTable {
    /// The namespace that was read.
    pub netns: Netns,
    /// Its virtual services.
    pub services: Vec<IpvsService>,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpvsService {
    /// ClusterIP (or another Service address) and port.
    pub address: SocketAddr,
    /// Scheduler's name, e.g. `rr`.
    #[serde(default)]
    pub scheduler: String,
    /// Its real servers.
    pub destinations: Vec<IpvsRealServer>,
}

/// A real server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpvsRealServer {
    /// Pod address and target port.
    pub address: SocketAddr,
    /// Weight; 0 = no new connections.
    pub weight: i32,
    /// Active connections.
    #[serde(default)]
    pub active: u32,
    /// Inactive connections.
    #[serde(default)]
    pub inactive: u32,
}

/// Entries of `/proc/net/ip_vs_conn` at the start (F15).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IpvsConnections {
    /// The namespace that was read.
    pub netns: Netns,
    /// TCP entries.
    pub entries: Vec<IpvsConnection>,
    /// Entries beyond the limit that were left out.
    #[serde(default)]
    pub left_out: u64,
}

/// One IPVS connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpvsConnection {
    /// Client.
    pub client: SocketAddr,
    /// Virtual service.
    pub service: SocketAddr,
    /// Chosen destination.
    pub backend: SocketAddr,
    /// State as the kernel names it, e.g. `ESTABLISHED`.
    pub state: String,
}

/// Listening TCP sockets of one namespace at one moment (`SOCK_DIAG_BY_FAMILY`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Listeners {
    /// The namespace.
    pub netns: Netns,
    /// Listening addresses, sorted, one for each socket: listeners with SO_REUSEPORT repeat.
    pub addresses: Vec<SocketAddr>,
}

/// How far the counters of full accept queues rose between two readings of one namespace (`TcpExt` of
/// `/proc/net/netstat`). Written where nothing can tell each drop, and only if they rose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListenCounters {
    /// The namespace.
    pub netns: Netns,
    /// `ListenOverflows`: SYNs and handshakes' last ACKs that met a full accept queue.
    pub overflows: u64,
    /// `ListenDrops`: those, and all else that a listener dropped.
    pub drops: u64,
    /// It happened between this time and the record's time, ns of `CLOCK_MONOTONIC`.
    pub since_ns: u64,
}

/// The connection table of the node's namespace, written when a number differs from the reading before. The counters
/// are the kernel's own, from the namespace's start on, summed over all CPUs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConntrackStats {
    /// The namespace that was read.
    pub netns: Netns,
    /// `nf_conntrack_count`: entries now.
    pub count: u64,
    /// `nf_conntrack_max`: above this number new connections are dropped; 0: there is no limit.
    pub max: u64,
    /// `insert_failed`: packets that were dropped because their entry clashed with another.
    pub insert_failed: u64,
    /// `drop`: packets that were dropped because the table was full, or an entry could not be made.
    pub drop: u64,
    /// `early_drop`: entries that were removed to make room for new ones.
    pub early_drop: u64,
}

/// A cgroup directory that belongs to a pod (or to kubelet), found by walking the hierarchy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cgroup {
    /// cgroup id: inode number of its directory.
    pub id: u64,
    /// Path below the hierarchy's mount point.
    pub path: String,
    /// What runs in it.
    pub owner: CgroupOwner,
}

/// What a cgroup path says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupOwner {
    /// A pod; with a container id where the directory is a container's. A static pod's UID is its config hash.
    Pod {
        /// Pod UID with dashes.
        uid: String,
        /// Container id, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
    },
    /// A container outside any pod's directory: one of a pod where kubelet runs with `cgroupsPerQOS: false` (then only
    /// `status.containerStatuses[].containerID` tells which), or one that is not Kubernetes' at all.
    Container {
        /// Container id, without the runtime's scheme.
        id: String,
    },
    /// kubelet itself, and nothing else: its connects are probes.
    Kubelet,
    /// Anything else on the node.
    #[default]
    Host,
}

/// Which pod lives in a network namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PodNetns {
    /// The namespace.
    pub netns: Netns,
    /// Pod UID; empty for the node's own namespace, which is also that of every pod with `hostNetwork`.
    pub uid: String,
}

/// kubelet's process. Its connects are probes also where it shares its cgroup with others (`CgroupOwner::Kubelet` is
/// then never given).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KubeletProcess {
    /// Process id in the initial pid namespace, as events carry it.
    pub pid: u32,
    /// `comm` of the process, e.g. `kubelet` or `k3s-server`.
    #[serde(default)]
    pub comm: String,
}
