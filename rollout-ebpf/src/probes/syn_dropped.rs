//! `skb:kfree_skb(skb, location[, reason])` of packets with SYN and without ACK.

use super::emit::{emit, now};
use super::memory::{Address, kernel_feature};
use super::packet::{self, ACK, SYN};
use super::stand_in::Event;
use super::{filter, stand_in};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use rollout_ebpf::program::{Guarded, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;

/// Runs for every dropped packet on the node; all but SYNs leave after a few reads.
#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn syn_dropped(context: RawTracePointContext) -> i32 {
    let event = Event::of(Guarded::SynDropped, context.arg(0), 0);
    stand_in::first(event, || tell(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn syn_dropped_again(context: RawTracePointContext) -> i32 {
    let event = Event::of(Guarded::SynDropped, context.arg(0), 0);
    stand_in::second(Guarded::SynDropped, event, || tell(&context));
    0
}

#[inline(always)]
fn tell(context: &RawTracePointContext) {
    let skb = Address(context.arg(0));
    let Some(segment) = packet::segment(skb) else { return };
    if segment.flags & (SYN | ACK) != SYN {
        return;
    }
    let Some(control) = filter::control() else { return };
    let netns = packet::netns(skb);
    if !filter::wants_flow(control, &netns, &segment.tuple) {
        return;
    }
    // Reading an argument that the kernel does not pass would make the attach fail (F21).
    let reason = if kernel_feature!(drop_reason) != 0 { Some(context.arg::<u32>(2)) } else { None };
    emit(
        Program::SynDropped,
        Packet {
            location: context.arg(1),
            reason: reason.unwrap_or(0),
            has_reason: u8::from(reason.is_some()),
            ..Packet::of(now(Kind::SynDropped), netns, segment.tuple)
        },
    );
}
