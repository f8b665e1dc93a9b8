//! RSTs: received by a socket, and sent (F10).

use super::attempt::{self, Known};
use super::emit::{emit, now};
use super::memory::{Address, kernel_feature};
use super::packet::{self, RST};
use super::stand_in::Event;
use super::{filter, socket, stand_in, task};
use aya_ebpf::{
    macros::{kprobe, raw_tracepoint},
    programs::{ProbeContext, RawTracePointContext},
};
use rollout_ebpf::program::{Guarded, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;
use rollout_ebpf::record::socket::Socket;

/// `tcp:tcp_receive_reset(sk)`.
#[raw_tracepoint(tracepoint = "tcp_receive_reset")]
pub fn reset_received(context: RawTracePointContext) -> i32 {
    let event = Event::of(Guarded::ResetReceived, context.arg(0), 0);
    stand_in::first(event, || tell_received(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "tcp_receive_reset")]
pub fn reset_received_again(context: RawTracePointContext) -> i32 {
    let event = Event::of(Guarded::ResetReceived, context.arg(0), 0);
    stand_in::second(Guarded::ResetReceived, event, || tell_received(&context));
    0
}

#[inline(always)]
fn tell_received(context: &RawTracePointContext) {
    let sk = Address(context.arg(0));
    let Some(control) = filter::control() else { return };
    let attempt = match attempt::known(sk) {
        Known::Attempt(id, _) => id,
        Known::No => 0,
        Known::Denied => return,
    };
    let (tuple, netns) = (socket::tuple(sk), socket::netns(sk));
    let cgroup = socket::cgroup_anywhere(sk);
    if attempt == 0
        && !(filter::wants_flow(control, &netns, &tuple) && filter::wants_cgroup(control, cgroup))
    {
        return;
    }
    emit(
        Program::ResetReceived,
        Socket {
            attempt,
            cgroup: task::cgroup_id(cgroup),
            state: socket::state_of(sk),
            ..Socket::of(now(Kind::ResetReceived), sk.0, netns, tuple)
        },
    );
}

/// `tcp:tcp_send_reset(sk, skb[, reason])`; either may be null. Without a segment it is the kernel's own decision
/// (unaccepted connections of a closed listener, a close with unread data).
#[raw_tracepoint(tracepoint = "tcp_send_reset")]
pub fn reset_sent(context: RawTracePointContext) -> i32 {
    stand_in::first(sent(&context), || traced(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "tcp_send_reset")]
pub fn reset_sent_again(context: RawTracePointContext) -> i32 {
    stand_in::second(Guarded::ResetSent, sent(&context), || traced(&context));
    0
}

#[inline(always)]
fn sent(context: &RawTracePointContext) -> Event {
    let (sk, skb): (u64, u64) = (context.arg(0), context.arg(1));
    Event::of(Guarded::ResetSent, if skb == 0 { sk } else { skb }, 0)
}

#[inline(always)]
fn traced(context: &RawTracePointContext) {
    let (sk, skb) = (Address(context.arg(0)), Address(context.arg(1)));
    let Some(control) = filter::control() else { return };
    if !skb.is_null() && control.reset_functions_hooked != 0 {
        return;
    }
    // Reading an argument that the kernel does not pass would make the attach fail (F21).
    let reason =
        if kernel_feature!(reset_reason) != 0 { Some(context.arg::<u32>(2)) } else { None };
    tell_sent(sk, skb, reason);
}

/// `tcp_v4_send_reset(sk, skb)`, for kernels whose tracepoint is silent for closed ports.
#[kprobe]
pub fn reset_sent_v4(context: ProbeContext) -> u32 {
    answered(&context);
    0
}

/// `tcp_v6_send_reset(sk, skb)`.
#[kprobe]
pub fn reset_sent_v6(context: ProbeContext) -> u32 {
    answered(&context);
    0
}

#[inline(always)]
fn answered(context: &ProbeContext) {
    let (Some(sk), Some(skb)) = (context.arg(0), context.arg(1)) else { return };
    let (sk, skb) = (Address(sk), Address(skb));
    // The function itself returns early for a RST: it is never answered.
    if packet::segment(skb).is_some_and(|segment| segment.flags & RST == 0) {
        tell_sent(sk, skb, None);
    }
}

#[inline(always)]
fn tell_sent(sk: Address, skb: Address, reason: Option<u32>) {
    let Some(control) = filter::control() else { return };
    let answered = if skb.is_null() { None } else { packet::segment(skb) };
    let tuple = match answered {
        Some(segment) => segment.tuple,
        None if !sk.is_null() => socket::tuple_of_connected(sk).reversed(),
        None => return,
    };
    let netns = if sk.is_null() { packet::netns(skb) } else { socket::netns(sk) };
    if !filter::wants_flow(control, &netns, &tuple) {
        return;
    }
    emit(
        Program::ResetSent,
        Packet {
            reason: reason.unwrap_or(0),
            has_reason: u8::from(reason.is_some()),
            has_socket: u8::from(!sk.is_null()),
            state: if sk.is_null() { 0 } else { socket::state_of(sk) },
            ..Packet::of(now(Kind::ResetSent), netns, tuple)
        },
    );
}
