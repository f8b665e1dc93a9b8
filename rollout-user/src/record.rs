//! The timeline: everything that `rollout` ever learns, as one kind of value with a time.
//!
//! In: decoded kernel events, cluster observations, table snapshots, the tool's own statements (loss, clock, phase).
//! Out: [`Record`]s, which are what a recording stores and all that `attribute` and `analyse` ever see.

pub mod cluster;
pub mod kernel;
pub mod meta;
pub mod signal;
pub mod table;

use serde::{Deserialize, Serialize};

/// One thing that was learnt at one time.
///
/// On disk: `{"id":7,"time_ns":123,"body":{"connect":{…}}}`, one object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Order of arrival in user space, from 1, without gaps within one recording. Evidence refers to it.
    pub id: u64,
    /// When it happened (kernel events) or was seen (all else): nanoseconds of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// What was learnt.
    pub body: Body,
}

/// What a [`Record`] says. Externally tagged on disk; a reader skips and counts kinds that it does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// First record of each recording.
    Header(meta::Header),
    /// A pair of clock readings.
    Clock(meta::Clock),
    /// The API server's clock against this node's; at the start, then every few minutes.
    ServerClock(meta::ServerClock),
    /// Something was lost, and how much.
    Loss(meta::Loss),
    /// Which hook serves which fact.
    Hooks(meta::Hooks),
    /// How the node balances Service traffic.
    DataPath(meta::DataPathFound),
    /// The tool's own progress.
    Phase(meta::Phase),

    /// A TCP connect has begun.
    Connect(kernel::Connect),
    /// The connect call returned an error other than "in progress".
    ConnectReturned(kernel::ConnectReturned),
    /// The handshake is complete on the client's side.
    Established(kernel::Established),
    /// A socket in SYN_SENT was closed.
    ConnectFailed(kernel::ConnectFailed),
    /// A traced, established connection of a client was closed.
    Closed(kernel::Closed),
    /// The kernel tried to send a SYN again.
    SynRetransmit(kernel::SynRetransmit),
    /// A server sent a SYN-ACK again.
    SynAckRetransmitted(kernel::SynAckRetransmit),
    /// A SYN, or the last ACK of a handshake, met a full accept queue.
    BacklogFull(kernel::BacklogFull),
    /// The kernel dropped a SYN on its way.
    SynDropped(kernel::SynDropped),
    /// This node sent a RST.
    ResetSent(kernel::ResetSent),
    /// A socket of this node received a RST.
    ResetReceived(kernel::ResetReceived),
    /// A listener was opened.
    ListenerOpened(kernel::Listener),
    /// A listener was closed.
    ListenerClosed(kernel::Listener),
    /// A Service's backend was chosen for a flow.
    BackendChosen(kernel::BackendChosen),
    /// IPVS had no destination for a packet.
    NoDestination(kernel::NoDestination),
    /// This node sent an ICMP error about a TCP flow.
    IcmpSent(kernel::IcmpSent),
    /// An IPVS destination was added, edited or deleted.
    IpvsDestination(kernel::IpvsDestination),
    /// An IPVS virtual service was deleted, or the whole table flushed.
    IpvsServiceGone(kernel::IpvsServiceGone),
    /// A signal from outside was generated for a container's init process.
    Signal(kernel::Signal),
    /// A container's init process begins to exit.
    Exit(kernel::Exit),

    /// A Pod as the watch saw it.
    Pod(cluster::Observed<cluster::Pod>),
    /// An EndpointSlice as the watch saw it.
    EndpointSlice(cluster::Observed<cluster::EndpointSlice>),
    /// A Service as the watch saw it.
    Service(cluster::Observed<cluster::Service>),
    /// A ReplicaSet as the watch saw it.
    ReplicaSet(cluster::Observed<cluster::ReplicaSet>),
    /// A Deployment as the watch saw it.
    Deployment(cluster::Observed<cluster::Deployment>),
    /// A StatefulSet as the watch saw it.
    StatefulSet(cluster::Observed<cluster::StatefulSet>),
    /// A DaemonSet as the watch saw it.
    DaemonSet(cluster::Observed<cluster::DaemonSet>),
    /// A ControllerRevision as the watch saw it.
    ControllerRevision(cluster::Observed<cluster::ControllerRevision>),
    /// A watch is in sync, cut, or behind.
    Watch(cluster::WatchState),

    /// IPVS table at one moment.
    IpvsTable(table::IpvsTable),
    /// IPVS connections that are older than the start.
    IpvsConnections(table::IpvsConnections),
    /// Listeners of one network namespace at one moment.
    Listeners(table::Listeners),
    /// Drops at full accept queues of one network namespace, by its counters.
    ListenCounters(table::ListenCounters),
    /// The node's connection table at one moment.
    ConntrackStats(table::ConntrackStats),
    /// A cgroup that belongs to a pod.
    Cgroup(table::Cgroup),
    /// A network namespace that belongs to a pod.
    PodNetns(table::PodNetns),
    /// kubelet's process.
    KubeletProcess(table::KubeletProcess),
}
