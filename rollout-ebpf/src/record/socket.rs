//! A record about a TCP socket: connects and all that follows, RSTs received, listeners.

use super::Header;
use super::address::{Space, Tuple};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Fields that a kind does not use are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Socket {
    /// Time and kind.
    pub header: Header,
    /// The attempt; 0 if none is known.
    pub attempt: u64,
    /// cgroup id of the socket or of the caller; 0 if unknown.
    pub cgroup: u64,
    /// The kernel's address of the socket (`struct sock *`).
    pub socket: u64,
    /// Nanoseconds since the attempt, or the call, began.
    pub duration_ns: u64,
    /// The socket's network namespace.
    pub netns: Space,
    /// Source = the socket's own end, destination = its peer's; a listener has only a source.
    pub tuple: Tuple,
    /// Process id of the caller.
    pub pid: u32,
    /// An errno, positive or negative as the kernel has it; 0: none.
    pub errno: i32,
    /// `task->comm` of the caller, NUL-terminated.
    pub comm: [u8; 16],
    /// `sk->sk_state`.
    pub state: u8,
    /// Always 0.
    pub padding: [u8; 7],
}

impl Socket {
    /// About a socket and nothing else: no attempt, no caller, no error.
    #[inline(always)]
    pub const fn of(header: Header, socket: u64, netns: Space, tuple: Tuple) -> Self {
        Self {
            header,
            attempt: 0,
            cgroup: 0,
            socket,
            duration_ns: 0,
            netns,
            tuple,
            pid: 0,
            errno: 0,
            comm: [0; 16],
            state: 0,
            padding: [0; 7],
        }
    }
}

const _: () = assert!(size_of::<Socket>() == 136);
