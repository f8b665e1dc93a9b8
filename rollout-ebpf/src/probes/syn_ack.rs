//! `tcp:tcp_retransmit_synack(sk, req)`: after a SYN-ACK was sent again, by its timer or in answer to a repeated SYN.

use super::emit::{emit, now};
use super::memory::Address;
use super::{filter, socket};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;

/// The request begins with the same `sock_common` as a socket, as the server sees it.
#[raw_tracepoint(tracepoint = "tcp_retransmit_synack")]
pub fn syn_ack_retransmit(context: RawTracePointContext) -> i32 {
    tell(Address(context.arg(0)), Address(context.arg(1)));
    0
}

#[inline(always)]
fn tell(sk: Address, request: Address) {
    let Some(control) = filter::control() else { return };
    let (netns, tuple) = (socket::netns(sk), socket::tuple(request).reversed());
    if !filter::wants_flow(control, &netns, &tuple)
        || !filter::wants_cgroup(control, socket::cgroup_anywhere(sk))
    {
        return;
    }
    emit(Program::SynAckRetransmit, Packet::of(now(Kind::SynAckRetransmit), netns, tuple));
}
