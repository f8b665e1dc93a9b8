//! Segments that meet a full accept queue, which the kernel drops without an event (F8):
//! `tcp_conn_request(rsk_ops, af_ops, sk, skb)` for SYNs, `tcp_v4_syn_recv_sock(sk, skb, …)` and its IPv6 sibling for the
//! ACK that ends a handshake. All three begin with the comparison that is repeated here.

use super::emit::{emit, now};
use super::memory::{Address, offset};
use super::packet::{self, SYN};
use super::{filter, socket};
use aya_ebpf::{macros::kprobe, programs::ProbeContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::backlog::Backlog;

/// `tcp_conn_request(rsk_ops, af_ops, sk, skb)`.
#[kprobe]
pub fn backlog_syn(context: ProbeContext) -> u32 {
    look(context.arg(2), context.arg(3), None);
    0
}

/// `tcp_v4_syn_recv_sock(sk, skb, …)`.
#[kprobe]
pub fn backlog_ack_v4(context: ProbeContext) -> u32 {
    look(context.arg(0), context.arg(1), None);
    0
}

/// `tcp_v6_syn_recv_sock(sk, skb, …)`: hands IPv4 segments on to its sibling, which tells them.
#[kprobe]
pub fn backlog_ack_v6(context: ProbeContext) -> u32 {
    look(context.arg(0), context.arg(1), Some(6));
    0
}

#[inline(always)]
fn look(sk: Option<u64>, skb: Option<u64>, only_version: Option<u8>) {
    let (Some(sk), Some(skb)) = (sk, skb) else { return };
    let (sk, skb) = (Address(sk), Address(skb));
    let (Some(backlog), Some(limit)) =
        (sk.read::<u32>(offset!(sk_backlog)), sk.read::<u32>(offset!(sk_backlog_limit)))
    else {
        return;
    };
    if backlog <= limit {
        return;
    }
    let Some(segment) = packet::segment(skb) else { return };
    if only_version.is_some_and(|version| segment.version != version) {
        return;
    }
    let Some(control) = filter::control() else { return };
    let netns = socket::netns(sk);
    if !filter::wants_flow(control, &netns, &segment.tuple)
        || !filter::wants_cgroup(control, socket::cgroup_anywhere(sk))
    {
        return;
    }
    emit(
        Program::BacklogFull,
        Backlog {
            header: now(Kind::BacklogFull),
            netns,
            tuple: segment.tuple,
            backlog,
            limit,
            is_handshake_ack: u8::from(segment.flags & SYN == 0),
            padding: [0; 7],
        },
    );
}
