//! A record about a segment that met a full accept queue.

use super::Header;
use super::address::{Space, Tuple};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The queue at the moment when the kernel is about to look at it.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Backlog {
    /// Time and kind.
    pub header: Header,
    /// The listener's namespace.
    pub netns: Space,
    /// As the segment says it: source = the client, destination = the listener's side.
    pub tuple: Tuple,
    /// `sk->sk_ack_backlog`: connections that wait to be accepted.
    pub backlog: u32,
    /// `sk->sk_max_ack_backlog`.
    pub limit: u32,
    /// 1: the ACK that ends a handshake; 0: a SYN.
    pub is_handshake_ack: u8,
    /// Always 0.
    pub padding: [u8; 7],
}

const _: () = assert!(size_of::<Backlog>() == 88);
