//! Addresses, ports and network namespaces on the wire.
//!
//! In: bytes in network order, as the kernel keeps them. Out: `core::net` values.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One end of a flow. Family 0: nothing is known of it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Endpoint {
    address: [u8; 16],
    port: [u8; 2],
    family: u8,
    padding: u8,
}

const _: () = assert!(size_of::<Endpoint>() == 20);

impl Endpoint {
    /// Nothing is known.
    pub const NONE: Self = Self { address: [0; 16], port: [0; 2], family: 0, padding: 0 };

    /// IPv4; both arguments in network order.
    #[inline(always)]
    pub const fn v4(address: [u8; 4], port: [u8; 2]) -> Self {
        let [a, b, c, d] = address;
        let address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self { address, port, family: 4, padding: 0 }
    }

    /// IPv6; both arguments in network order.
    #[inline(always)]
    pub const fn v6(address: [u8; 16], port: [u8; 2]) -> Self {
        Self { address, port, family: 6, padding: 0 }
    }

    /// The same address with another port (network order).
    #[inline(always)]
    pub const fn with_port(self, port: [u8; 2]) -> Self {
        Self { port, ..self }
    }

    /// The port in network order; `[0, 0]` if it is not known.
    #[inline(always)]
    pub const fn port_bytes(&self) -> [u8; 2] {
        self.port
    }

    /// Whether the family is one that exists.
    pub const fn is_known(&self) -> bool {
        matches!(self.family, 4 | 6)
    }

    /// The address, IPv4-mapped ones as IPv4; `None` for an unknown family.
    pub fn address(&self) -> Option<IpAddr> {
        match self.family {
            4 => {
                let [a, b, c, d, ..] = self.address;
                Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            }
            6 => Some(IpAddr::V6(Ipv6Addr::from(self.address)).to_canonical()),
            _ => None,
        }
    }

    /// The port; `None` for 0, which no flow uses.
    pub fn port(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.port)).filter(|port| *port != 0)
    }

    /// Address and port, which may be 0 here; `None` for an unknown family.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address()?, u16::from_be_bytes(self.port)))
    }
}

/// Both ends of a flow. Which one is which is said where it is used.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tuple {
    /// The client's end; an all-zero address is one that was not chosen yet.
    pub source: Endpoint,
    /// What was dialled.
    pub destination: Endpoint,
}

const _: () = assert!(size_of::<Tuple>() == 40);

impl Tuple {
    /// Nothing is known.
    pub const NONE: Self = Self { source: Endpoint::NONE, destination: Endpoint::NONE };

    /// The same flow from the other side.
    #[inline(always)]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

/// A network namespace.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Space {
    /// `net->net_cookie`, 0 if unknown.
    pub cookie: u64,
    /// `net->ns.inum`, 0 if unknown.
    pub inum: u32,
    /// Always 0.
    pub padding: [u8; 4],
}

const _: () = assert!(size_of::<Space>() == 16);

impl Space {
    /// Unknown.
    pub const NONE: Self = Self { cookie: 0, inum: 0, padding: [0; 4] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_written_as_ipv4() {
        let mapped = Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped().octets();
        let end = Endpoint::v6(mapped, 80u16.to_be_bytes());
        assert_eq!(end.address(), Some(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))));
        assert_eq!(end.port(), Some(80));
    }

    #[test]
    fn a_missing_port_is_none_and_an_unknown_family_has_no_address() {
        assert_eq!(Endpoint::v4([127, 0, 0, 1], [0, 0]).port(), None);
        assert_eq!(Endpoint::NONE.socket_addr(), None);
    }
}
