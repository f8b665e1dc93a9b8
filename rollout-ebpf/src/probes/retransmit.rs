//! `tcp:tcp_retransmit_skb(sk, skb[, err])` in SYN_SENT.

use super::attempt::{self, Known};
use super::emit::{emit, now};
use super::memory::{Address, kernel_feature};
use super::{filter, socket, task};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::socket::Socket;

/// 6.18 tells retransmits that were not sent too, with the reason in `err` (F6).
#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
pub fn syn_retransmit(context: RawTracePointContext) -> i32 {
    let sk = Address(context.arg(0));
    if socket::state_of(sk) != socket::state::SYN_SENT {
        return 0;
    }
    // Reading an argument that the kernel does not pass would make the attach fail (F21).
    let errno = if kernel_feature!(retransmit_err) != 0 { context.arg::<i32>(2) } else { 0 };
    tell(sk, errno);
    0
}

#[inline(always)]
fn tell(sk: Address, errno: i32) {
    let Some(control) = filter::control() else { return };
    let (attempt, tuple) = match attempt::known(sk) {
        Known::Attempt(id, tuple) => (id, tuple),
        Known::No => (0, socket::tuple(sk)),
        Known::Denied => return,
    };
    let netns = socket::netns(sk);
    let cgroup = socket::cgroup_anywhere(sk);
    if attempt == 0
        && !(filter::wants_flow(control, &netns, &tuple) && filter::wants_cgroup(control, cgroup))
    {
        return;
    }
    emit(
        Program::SynRetransmit,
        Socket {
            attempt,
            cgroup: task::cgroup_id(cgroup),
            errno,
            state: socket::state::SYN_SENT,
            ..Socket::of(now(Kind::SynRetransmit), sk.0, netns, tuple)
        },
    );
}
