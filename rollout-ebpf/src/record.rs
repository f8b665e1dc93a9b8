//! What the programs write into the ring: a [`Header`], then one of five layouts, told apart by [`Kind`].
//!
//! In: nothing. Out: the types that the programs fill and that `decode` reads.

pub mod address;
pub mod backlog;
pub mod balance;
pub mod packet;
pub mod socket;
pub mod task;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First bytes of each record.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// `bpf_ktime_get_ns`: nanoseconds of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// A [`Kind`] as a number; user space goes through `TryFrom`.
    pub kind: u32,
    /// Always 0.
    pub padding: [u8; 4],
}

const _: () = assert!(size_of::<Header>() == 16);

impl Header {
    /// A header without padding bytes left to chance.
    #[inline(always)]
    pub const fn new(time_ns: u64, kind: Kind) -> Self {
        Self { time_ns, kind: kind as u32, padding: [0; 4] }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What a record says, and with that its layout.
        #[repr(u32)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }

        impl TryFrom<u32> for Kind {
            type Error = u32;

            /// Gives the number back if no kind has it.
            fn try_from(number: u32) -> Result<Self, u32> {
                match number {
                    $($number => Ok(Self::$name),)*
                    other => Err(other),
                }
            }
        }
    };
}

kinds! {
    /// [`socket::Socket`]: a connect begins.
    Connect = 1,
    /// [`socket::Socket`]: the connect call returned an error.
    ConnectReturned = 2,
    /// [`socket::Socket`]: SYN_SENT → ESTABLISHED.
    Established = 3,
    /// [`socket::Socket`]: SYN_SENT → CLOSE.
    ConnectFailed = 4,
    /// [`socket::Socket`]: a traced, established connection was closed.
    Closed = 5,
    /// [`socket::Socket`]: a SYN again.
    SynRetransmit = 6,
    /// [`socket::Socket`]: a RST arrived.
    ResetReceived = 7,
    /// [`socket::Socket`]: CLOSE → LISTEN.
    ListenerOpened = 8,
    /// [`socket::Socket`]: LISTEN → CLOSE.
    ListenerClosed = 9,
    /// [`packet::Packet`]: a SYN was dropped.
    SynDropped = 10,
    /// [`packet::Packet`]: a RST was sent.
    ResetSent = 11,
    /// [`packet::Packet`]: IPVS had no destination.
    NoDestination = 12,
    /// [`packet::Packet`]: an ICMP error was sent.
    IcmpSent = 13,
    /// [`balance::Balance`]: IPVS chose a backend.
    BackendChosen = 14,
    /// [`balance::Balance`]: an IPVS destination was added, edited or deleted.
    IpvsDestination = 15,
    /// [`balance::Balance`]: an IPVS service was deleted.
    IpvsServiceGone = 16,
    /// [`task::Task`]: a signal for a container's init.
    Signal = 17,
    /// [`task::Task`]: a container's init begins to exit.
    Exit = 18,
    /// [`packet::Packet`]: a SYN-ACK again.
    SynAckRetransmit = 19,
    /// [`backlog::Backlog`]: a segment met a full accept queue.
    BacklogFull = 20,
}
