//! A record about a TCP packet: SYNs dropped, RSTs sent, no destination, ICMP errors.

use super::Header;
use super::address::{Space, Tuple};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Fields that a kind does not use are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Packet {
    /// Time and kind.
    pub header: Header,
    /// Namespace of the packet's socket or device.
    pub netns: Space,
    /// As the packet says it at that moment.
    pub tuple: Tuple,
    /// Kernel address that dropped it.
    pub location: u64,
    /// Drop or reset reason as this kernel numbers it.
    pub reason: u32,
    /// 1: `reason` is there.
    pub has_reason: u8,
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// 1: a socket was found for the packet.
    pub has_socket: u8,
    /// That socket's state.
    pub state: u8,
    /// Always 0.
    pub padding: [u8; 7],
}

impl Packet {
    /// About a packet and nothing else: no reason, no socket, no ICMP.
    #[inline(always)]
    pub const fn of(header: Header, netns: Space, tuple: Tuple) -> Self {
        Self {
            header,
            netns,
            tuple,
            location: 0,
            reason: 0,
            has_reason: 0,
            icmp_type: 0,
            icmp_code: 0,
            has_socket: 0,
            state: 0,
            padding: [0; 7],
        }
    }
}

const _: () = assert!(size_of::<Packet>() == 96);
