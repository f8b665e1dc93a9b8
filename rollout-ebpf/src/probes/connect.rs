//! `tcp_connect(struct sock *sk)`: a SYN is about to leave, with its port.

use super::attempt;
use super::memory::Address;
use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};

/// First choice.
#[fentry]
pub fn connect_fentry(context: FEntryContext) -> i32 {
    attempt::leaves(Address(context.arg(0)));
    0
}

/// Where tracing programs are refused.
#[kprobe]
pub fn connect_kprobe(context: ProbeContext) -> u32 {
    if let Some(sk) = context.arg(0) {
        attempt::leaves(Address(sk));
    }
    0
}
