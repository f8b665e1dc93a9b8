//! What the kernel told: decoded events, free of wire layouts and byte orders.
//!
//! Addresses: IPv4-mapped IPv6 addresses are written as IPv4. A missing port is `None`, never 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// A network namespace. Inodes are reused (F20): `cookie` (`net->net_cookie`) is the key where it is not 0.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Netns {
    /// `net->ns.inum`, as `stat /proc/PID/ns/net` shows it.
    pub inum: u32,
    /// `net->net_cookie`; 0 where the kernel has not assigned one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cookie: u64,
}

/// A TCP flow as its client dialled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// The client's address; `None` where the socket was not bound yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The client's port; `None` before the kernel has chosen one (F5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// What was dialled: a ClusterIP, a pod, or anything else.
    pub destination: SocketAddr,
}

/// A connect begins: its first SYN is about to leave (`tcp_connect`), or its socket entered SYN_SENT
/// (`inet_sock_set_state` where no function hook is available; the flow then lacks its port).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// Unique within a recording; never 0. Every later event of this connect carries it.
    pub attempt: u64,
    /// What was dialled.
    pub flow: Flow,
    /// The client's network namespace.
    pub netns: Netns,
    /// cgroup id of the socket or of the caller, as in `Cgroup::id`; 0 if unknown.
    pub cgroup: u64,
    /// Process id (`tgid`) of the caller in the initial pid namespace.
    pub pid: u32,
    /// `task->comm` of the caller, at most 15 bytes, invalid UTF-8 replaced.
    pub comm: String,
}

/// A connect call returned an error. Without an attempt the connect never reached SYN_SENT (F3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectReturned {
    /// The attempt, where a socket had entered SYN_SENT in this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// What was dialled.
    pub flow: Flow,
    /// The caller's network namespace.
    pub netns: Netns,
    /// cgroup id of the caller.
    pub cgroup: u64,
    /// Process id of the caller.
    pub pid: u32,
    /// `task->comm` of the caller.
    pub comm: String,
    /// Positive errno. EINPROGRESS, EALREADY, EINTR and EISCONN are not reported: the attempt goes on.
    pub errno: i32,
    /// Nanoseconds inside the call.
    pub duration_ns: u64,
}

/// SYN_SENT → ESTABLISHED.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Established {
    /// The attempt.
    pub attempt: u64,
    /// What was dialled, now with its port.
    pub flow: Flow,
    /// Nanoseconds since the attempt began.
    pub latency_ns: u64,
}

/// SYN_SENT → CLOSE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectFailed {
    /// The attempt.
    pub attempt: u64,
    /// What was dialled.
    pub flow: Flow,
    /// `sk->sk_err` (F4); `None`: no error, the application closed the socket itself, or the connect never left
    /// (then a `ConnectReturned` of the same attempt says why).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Nanoseconds since the attempt began.
    pub latency_ns: u64,
}

/// A traced connection left ESTABLISHED for good (`→ CLOSE` or the socket was destroyed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// The attempt that had made it.
    pub attempt: u64,
    /// What was dialled.
    pub flow: Flow,
    /// `sk->sk_err` at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

/// `tcp_retransmit_skb` in SYN_SENT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynRetransmit {
    /// The attempt; `None` where it began before the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// What was dialled.
    pub flow: Flow,
    /// The client's network namespace.
    pub netns: Netns,
    /// The tracepoint's `err` as a positive errno where the kernel passes it; `None`: the SYN was sent (F6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

/// `skb:kfree_skb` of a packet with SYN and without ACK.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynDropped {
    /// The flow as the packet said it when it was dropped (after DNAT the destination is the backend).
    pub flow: Flow,
    /// Network namespace of the packet's device; inum 0 if it had none.
    pub netns: Netns,
    /// Name of `enum skb_drop_reason` from this kernel's BTF (`NETFILTER_DROP`); `None` where the kernel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Kernel symbol that freed the packet, where it could be resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// `tcp_retransmit_synack`: a server sent a SYN-ACK again, by its timer or because the client's SYN came again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynAckRetransmit {
    /// Source = the client, destination = the server's own side.
    pub flow: Flow,
    /// The server's network namespace.
    pub netns: Netns,
}

/// A segment met a listener whose accept queue was full, and the kernel drops such a segment in silence (F8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacklogFull {
    /// Source = the client, destination = the server's own side.
    pub flow: Flow,
    /// The server's network namespace.
    pub netns: Netns,
    /// `sk->sk_ack_backlog`: connections that wait to be accepted.
    pub backlog: u32,
    /// `sk->sk_max_ack_backlog`: the queue is full above this, so that it holds one more.
    pub limit: u32,
    /// It was the ACK that ends the handshake, so that the client is established and the server is not; else a SYN.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handshake_ack: bool,
}

/// A RST that this node sent in answer to a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResetSent {
    /// The flow of the segment that is answered: source = the peer that gets the RST, destination = the local side.
    pub flow: Flow,
    /// Network namespace of the segment's device or socket.
    pub netns: Netns,
    /// Whether a socket was found for the segment (`false`: closed port).
    pub has_socket: bool,
    /// State of that socket as the kernel names it (`SYN_RECV`), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Name of `enum sk_rst_reason`, where the kernel passes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A RST that a socket of this node received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResetReceived {
    /// The attempt, where the socket is a traced client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Seen from the socket: source = its own address, destination = its peer.
    pub flow: Flow,
    /// The socket's network namespace.
    pub netns: Netns,
    /// State of the socket as the kernel names it (`SYN_SENT`, `ESTABLISHED`).
    pub state: String,
}

/// A listening TCP socket appeared or went (protocol TCP only; MPTCP's duplicates are left out, F9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Its address; unspecified for a wildcard.
    pub address: SocketAddr,
    /// Its network namespace.
    pub netns: Netns,
    /// cgroup id of the socket; 0 if unknown.
    pub cgroup: u64,
    /// The kernel's address of the socket: tells listeners that share an address (SO_REUSEPORT) apart.
    pub socket: u64,
}

/// Who chose a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chooser {
    /// `ip_vs_conn_new`.
    Ipvs,
    /// A conntrack `NEW` event: netfilter NAT (kube-proxy iptables or nftables), or IPVS's own entry (F14).
    Conntrack,
}

/// A backend was chosen for a flow. An attempt may see several (F1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendChosen {
    /// Client address and port, and what was dialled.
    pub flow: Flow,
    /// Where the packet goes now.
    pub backend: SocketAddr,
    /// The destination's weight at that moment (IPVS only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Who chose.
    pub by: Chooser,
    /// The namespace that did the balancing (usually the node's own).
    pub netns: Netns,
}

/// `ip_vs_leave`: no destination for this packet (F2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoDestination {
    /// The packet's flow.
    pub flow: Flow,
    /// The balancing namespace.
    pub netns: Netns,
}

/// `icmp:icmp_send` (or its IPv6 sibling) in answer to a TCP packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IcmpSent {
    /// The flow of the packet that is answered.
    pub flow: Flow,
    /// The sending namespace; inum 0 if unknown.
    pub netns: Netns,
    /// ICMP type (3 = destination unreachable; ICMPv6 1).
    pub icmp_type: u8,
    /// ICMP code (3 = port unreachable; ICMPv6 4).
    pub code: u8,
}

/// What was asked of an IPVS destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationChange {
    /// `ip_vs_add_dest`.
    Add,
    /// `ip_vs_edit_dest` (weight).
    Edit,
    /// `ip_vs_del_dest`.
    Delete,
}

/// An IPVS destination was changed, by kernel hook or found by polling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpvsDestination {
    /// What was asked.
    pub change: DestinationChange,
    /// The virtual service; `None` for a firewall-mark service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<SocketAddr>,
    /// The real server.
    pub destination: SocketAddr,
    /// The weight asked for; `None` for a delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// What the call returned: 0, or a negative errno (then nothing changed).
    pub result: i32,
    /// `true`: found by comparing two polls; its time is the later poll's, and the change lies before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub polled: bool,
    /// The balancing namespace.
    pub netns: Netns,
}

/// A virtual service went, and all its destinations with it without events of their own (F11).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpvsServiceGone {
    /// The virtual service; `None`: the whole table was flushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<SocketAddr>,
    /// The balancing namespace.
    pub netns: Netns,
}

/// A signal generated from outside its pid namespace for a container's init (F22).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// cgroup id of the **target**.
    pub cgroup: u64,
    /// Process id of the target in the initial pid namespace.
    pub pid: u32,
    /// `task->comm` of the target.
    pub comm: String,
    /// Signal number (15 = SIGTERM).
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// `enum` of `trace/events/signal.h`: 0 delivered, 1 ignored, 2 already pending, 3 overflow, 4 lost.
    pub result: u32,
    /// Process id of the sender.
    pub sender_pid: u32,
    /// `task->comm` of the sender.
    pub sender_comm: String,
}

/// `sched_process_exit` of the leader of a container's init: exit begins, its sockets are still open (F23).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// cgroup id of the process.
    pub cgroup: u64,
    /// Process id.
    pub pid: u32,
    /// `task->comm`.
    pub comm: String,
    /// Exit status 0…255, if it exited by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u8>,
    /// The signal that killed it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
