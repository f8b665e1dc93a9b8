//! `sock:inet_sock_set_state(sk, oldstate, newstate)`: outcomes of connects, and listeners.

use super::emit::{emit, now};
use super::memory::Address;
use super::socket::state::{CLOSE, ESTABLISHED, LISTEN, SYN_SENT};
use super::stand_in::Event;
use super::{attempt, filter, socket, stand_in, task};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use aya_log_ebpf::debug;
use rollout_ebpf::program::{Guarded, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::address::{Endpoint, Tuple};
use rollout_ebpf::record::socket::Socket;

/// Clients.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn outcome(context: RawTracePointContext) -> i32 {
    stand_in::first(event(Guarded::Outcome, &context), || follow(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn outcome_again(context: RawTracePointContext) -> i32 {
    let event = event(Guarded::Outcome, &context);
    stand_in::second(Guarded::Outcome, event, || follow(&context));
    0
}

/// One transition of one socket. The kernel's states are below 16.
#[inline(always)]
fn event(which: Guarded, context: &RawTracePointContext) -> Event {
    let new: i32 = context.arg(2);
    Event::of(which, context.arg(0), new as u32 & 15)
}

#[inline(always)]
fn follow(context: &RawTracePointContext) {
    let sk = Address(context.arg(0));
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    if socket::protocol(sk) != socket::TCP {
        return;
    }
    debug!(context, "socket {:x}: state {} to {}", sk.0, old, new);
    if old == i32::from(CLOSE) && new == i32::from(SYN_SENT) {
        attempt::begin(sk);
    } else if new == i32::from(ESTABLISHED) {
        attempt::established(sk);
    } else if new == i32::from(CLOSE) {
        attempt::closed(sk);
    }
}

/// A socket that is destroyed without a transition to CLOSE must not leave its attempt behind.
#[raw_tracepoint(tracepoint = "tcp_destroy_sock")]
pub fn outcome_destroyed(context: RawTracePointContext) -> i32 {
    attempt::closed(Address(context.arg(0)));
    0
}

/// Servers.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn listener(context: RawTracePointContext) -> i32 {
    stand_in::first(event(Guarded::Listener, &context), || serve(&context));
    0
}

/// When the kernel skips the first.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn listener_again(context: RawTracePointContext) -> i32 {
    let event = event(Guarded::Listener, &context);
    stand_in::second(Guarded::Listener, event, || serve(&context));
    0
}

/// Accepted children (LISTEN → SYN_RECV) and MPTCP's duplicates are not listeners (F9).
#[inline(always)]
fn serve(context: &RawTracePointContext) {
    let sk = Address(context.arg(0));
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    let kind = if old == i32::from(CLOSE) && new == i32::from(LISTEN) {
        Kind::ListenerOpened
    } else if old == i32::from(LISTEN) && new == i32::from(CLOSE) {
        Kind::ListenerClosed
    } else {
        return;
    };
    if socket::protocol(sk) == socket::TCP {
        tell_listener(kind, sk);
    }
}

#[inline(always)]
fn tell_listener(kind: Kind, sk: Address) {
    let Some(control) = filter::control() else { return };
    let mut own = socket::tuple(sk).source;
    // A port that the kernel chose is given back before the close is told.
    if own.port_bytes() == [0; 2] && matches!(kind, Kind::ListenerClosed) {
        own = own.with_port(socket::last_port(sk));
    }
    let tuple = Tuple { source: own, destination: Endpoint::NONE };
    let netns = socket::netns(sk);
    // A listener closes in whatever context drops its last reference.
    let cgroup = match kind {
        Kind::ListenerOpened => socket::cgroup_in_call(sk),
        _ => socket::cgroup_anywhere(sk),
    };
    if !filter::wants_flow(control, &netns, &tuple) || !filter::wants_cgroup(control, cgroup) {
        return;
    }
    emit(
        Program::Listener,
        Socket { cgroup: task::cgroup_id(cgroup), ..Socket::of(now(kind), sk.0, netns, tuple) },
    );
}
