//! ICMP errors about TCP packets: `icmp:icmp_send(skb, type, code)`, `__icmp_send`, `icmp6_send` (F2).

use super::emit::{emit, now};
use super::memory::Address;
use super::stand_in::Event;
use super::{filter, packet, stand_in};
use aya_ebpf::{
    macros::{kprobe, raw_tracepoint},
    programs::{ProbeContext, RawTracePointContext},
};
use rollout_ebpf::program::{Guarded, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;

/// First choice for IPv4; absent on older kernels.
#[raw_tracepoint(tracepoint = "icmp_send")]
pub fn icmp_sent(context: RawTracePointContext) -> i32 {
    stand_in::first(Event::of(Guarded::IcmpSent, context.arg(0), 0), || traced(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "icmp_send")]
pub fn icmp_sent_again(context: RawTracePointContext) -> i32 {
    let event = Event::of(Guarded::IcmpSent, context.arg(0), 0);
    stand_in::second(Guarded::IcmpSent, event, || traced(&context));
    0
}

#[inline(always)]
fn traced(context: &RawTracePointContext) {
    tell(Address(context.arg(0)), context.arg(1), context.arg(2));
}

/// `__icmp_send(skb, type, code, …)`: also told where the rate limit then keeps it back.
#[kprobe]
pub fn icmp_sent_v4(context: ProbeContext) -> u32 {
    with_registers(&context);
    0
}

/// `icmp6_send(skb, type, code, …)`: IPv6 has no tracepoint.
#[kprobe]
pub fn icmp_sent_v6(context: ProbeContext) -> u32 {
    with_registers(&context);
    0
}

#[inline(always)]
fn with_registers(context: &ProbeContext) {
    if let (Some(skb), Some(icmp_type), Some(code)) =
        (context.arg(0), context.arg(1), context.arg(2))
    {
        tell(Address(skb), icmp_type, code);
    }
}

#[inline(always)]
fn tell(skb: Address, icmp_type: i32, icmp_code: i32) {
    let Some(segment) = packet::segment(skb) else { return };
    let Some(control) = filter::control() else { return };
    let netns = packet::netns(skb);
    if !filter::wants_flow(control, &netns, &segment.tuple) {
        return;
    }
    emit(
        Program::IcmpSent,
        Packet {
            icmp_type: icmp_type as u8,
            icmp_code: icmp_code as u8,
            ..Packet::of(now(Kind::IcmpSent), netns, segment.tuple)
        },
    );
}
