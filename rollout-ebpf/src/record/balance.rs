//! A record about IPVS: backends chosen, destinations changed, services deleted.

use super::Header;
use super::address::{Endpoint, Space};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Fields that a kind does not use are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Balance {
    /// Time and kind.
    pub header: Header,
    /// The balancing namespace.
    pub netns: Space,
    /// The client, for a backend that was chosen.
    pub client: Endpoint,
    /// The virtual service; family 0: one by firewall mark, or the whole table.
    pub service: Endpoint,
    /// The real server.
    pub destination: Endpoint,
    /// Its weight.
    pub weight: i32,
    /// What the call returned.
    pub result: i32,
    /// A [`Change`] as a number.
    pub change: u8,
    /// 1: `weight` is there.
    pub has_weight: u8,
    /// Always 0.
    pub padding: [u8; 2],
}

const _: () = assert!(size_of::<Balance>() == 104);

/// What was asked of a destination.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `ip_vs_add_dest`.
    Add = 1,
    /// `ip_vs_edit_dest`.
    Edit = 2,
    /// `ip_vs_del_dest`.
    Delete = 3,
}

impl TryFrom<u8> for Change {
    type Error = u8;

    fn try_from(number: u8) -> Result<Self, u8> {
        match number {
            1 => Ok(Self::Add),
            2 => Ok(Self::Edit),
            3 => Ok(Self::Delete),
            other => Err(other),
        }
    }
}
