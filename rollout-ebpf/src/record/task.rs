//! A record about a container's init process: signals for it, and its exit.

use super::Header;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Fields that a kind does not use are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Task {
    /// Time and kind.
    pub header: Header,
    /// cgroup id of the process (of the target, for a signal).
    pub cgroup: u64,
    /// Its process id in the initial pid namespace.
    pub pid: u32,
    /// Process id of the sender.
    pub sender_pid: u32,
    /// `task->comm` of the process.
    pub comm: [u8; 16],
    /// `task->comm` of the sender.
    pub sender_comm: [u8; 16],
    /// Signal number.
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// `enum` of `trace/events/signal.h`.
    pub result: u32,
    /// `task->exit_code`: status in bits 8–15, signal in bits 0–6.
    pub exit_code: u32,
}

const _: () = assert!(size_of::<Task>() == 80);
