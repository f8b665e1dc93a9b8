//! `skb:kfree_skb(skb, location[, reason])` of packets with SYN and without ACK.

use super::emit::{emit, now};
use super::filter;
use super::memory::{Address, kernel_feature};
use super::packet::{self, ACK, SYN};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;

/// Runs for every dropped packet on the node; all but SYNs leave after a few reads.
#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn syn_dropped(context: RawTracePointContext) -> i32 {
    let skb = Address(context.arg(0));
    let Some(segment) = packet::segment(skb) else { return 0 };
    if segment.flags & (SYN | ACK) != SYN {
        return 0;
    }
    let Some(control) = filter::control() else { return 0 };
    let netns = packet::netns(skb);
    if !filter::wants_flow(control, &netns, &segment.tuple) {
        return 0;
    }
    // Reading an argument that the kernel does not pass would make the attach fail (F21).
    let reason = if kernel_feature!(drop_reason) != 0 { Some(context.arg::<u32>(2)) } else { None };
    emit(
        Program::SynDropped,
        Packet {
            header: now(Kind::SynDropped),
            netns,
            tuple: segment.tuple,
            location: context.arg(1),
            reason: reason.unwrap_or(0),
            has_reason: u8::from(reason.is_some()),
            icmp_type: 0,
            icmp_code: 0,
            has_socket: 0,
            state: 0,
            padding: [0; 7],
        },
    );
    0
}
