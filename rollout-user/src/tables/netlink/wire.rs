//! Netlink messages and attributes as bytes (`linux/netlink.h`).
//!
//! In: what the kernel sent. Out: slices of it. Lengths are checked against the buffer before anything is sliced, so any
//! bytes are answered with a value or [`Malformed`], never a panic. Headers are in host byte order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const MESSAGE_HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// `NLA_TYPE_MASK`: without the flags "nested" and "network byte order".
const ATTRIBUTE_TYPE: u16 = 0x3fff;
const NESTED: u16 = 0x8000;

/// `NLMSG_NOOP`.
pub const NOOP: u16 = 1;
/// `NLMSG_ERROR`, also an acknowledgement.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
pub const DONE: u16 = 3;
/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 1;
/// `NLM_F_DUMP`: root and match.
pub const DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: the table changed while it was dumped.
pub const DUMP_INTERRUPTED: u16 = 0x10;

/// A length that does not fit what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed netlink message")]
pub struct Malformed;

/// One message: header fields and what follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The error code at the start of an `NLMSG_ERROR` or `NLMSG_DONE`, as a positive errno; 0 = success.
    pub fn errno(&self) -> i32 {
        self.payload.first_chunk::<4>().map_or(0, |code| i32::from_ne_bytes(*code).saturating_neg())
    }
}

/// One attribute: type without flags, and value without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// `nla_type & NLA_TYPE_MASK`.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// The messages of one datagram, in order. Ends after the first malformed one.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = take_message(&mut rest);
        if message.is_none() {
            rest = &[];
        }
        Some(message.ok_or(Malformed))
    })
}

fn take_message<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*rest.get(6..)?.first_chunk()?);
    let sequence = u32::from_ne_bytes(*rest.get(8..)?.first_chunk()?);
    let payload = rest.get(MESSAGE_HEADER..length)?;
    *rest = rest.get(aligned(length)?..).unwrap_or_default();
    Some(Message { kind, flags, sequence, payload })
}

/// The attributes in `bytes`, in order. Ends after the first malformed one.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let attribute = take_attribute(&mut rest);
        if attribute.is_none() {
            rest = &[];
        }
        Some(attribute.ok_or(Malformed))
    })
}

fn take_attribute<'a>(rest: &mut &'a [u8]) -> Option<Attribute<'a>> {
    let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
    let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
    let value = rest.get(ATTRIBUTE_HEADER..length)?;
    *rest = rest.get(aligned(length)?..).unwrap_or_default();
    Some(Attribute { kind: kind & ATTRIBUTE_TYPE, value })
}

fn aligned(length: usize) -> Option<usize> {
    length.checked_next_multiple_of(4)
}

/// Reads a number in host byte order from a value of exactly its size.
pub fn host_u32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// Reads a number in host byte order from a value of exactly its size.
pub fn host_u16(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_ne_bytes)
}

/// Reads a number in network byte order from a value of exactly its size.
pub fn network_u16(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}

/// Reads a number in network byte order from a value of exactly its size.
pub fn network_u64(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Reads a string that may end with a NUL; invalid UTF-8 is replaced.
pub fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// Reads an address of `family` (`AF_INET`, `AF_INET6`) from the first bytes of a value that may be longer (kernels pass
/// 16 bytes for either). IPv4-mapped IPv6 addresses become IPv4.
pub fn address(family: u8, value: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => value.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
        libc::AF_INET6 => value
            .first_chunk::<16>()
            .map(|bytes| IpAddr::from(Ipv6Addr::from(*bytes)).to_canonical()),
        _ => None,
    }
}

/// Puts address and port together.
pub fn socket_address(address: Option<IpAddr>, port: Option<u16>) -> Option<SocketAddr> {
    Some(SocketAddr::new(address?, port?))
}

/// A message under construction. Lengths are written by [`Request::finish`].
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// Begins a message with `flags` beside `NLM_F_REQUEST`, and the fixed header of its family.
    pub fn new(kind: u16, flags: u16, family_header: &[u8]) -> Self {
        let mut bytes = vec![0; MESSAGE_HEADER];
        bytes.splice(4..6, kind.to_ne_bytes());
        bytes.splice(6..8, (flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(family_header);
        let mut request = Self { bytes };
        request.pad();
        request
    }

    /// Adds an attribute. Values are short here; one that does not fit 16 bits is left out.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        if let Ok(length) = u16::try_from(ATTRIBUTE_HEADER + value.len()) {
            self.bytes.extend_from_slice(&length.to_ne_bytes());
            self.bytes.extend_from_slice(&kind.to_ne_bytes());
            self.bytes.extend_from_slice(value);
            self.pad();
        }
        self
    }

    /// Adds an attribute that holds others.
    pub fn nested(self, kind: u16, inner: &[(u16, &[u8])]) -> Self {
        let mut scratch = Self { bytes: Vec::new() };
        for (kind, value) in inner {
            scratch = scratch.attribute(*kind, value);
        }
        self.attribute(kind | NESTED, &scratch.bytes)
    }

    /// Writes length and sequence number, and gives the bytes to send.
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.splice(0..4, length.to_ne_bytes());
        self.bytes.splice(8..12, sequence.to_ne_bytes());
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_built_parses_back() {
        let bytes = Request::new(20, DUMP, &[2, 0, 0])
            .attribute(1, b"abc")
            .nested(2, &[(3, &[7]), (4, &9u32.to_ne_bytes())])
            .finish(5);
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (20, DUMP | REQUEST, 5));
        let outer: Vec<_> = attributes(&message.payload[4..]).collect::<Result<_, _>>().unwrap();
        assert_eq!(outer[0], Attribute { kind: 1, value: b"abc" });
        let inner: Vec<_> = attributes(outer[1].value).map(Result::unwrap).collect();
        assert_eq!(inner[0], Attribute { kind: 3, value: &[7] });
        assert_eq!(host_u32(inner[1].value), Some(9));
    }

    #[test]
    fn a_length_beyond_the_buffer_is_malformed_and_ends_the_walk() {
        let mut bytes = Request::new(1, 0, &[]).attribute(1, &[1]).finish(1);
        bytes[0] = 200;
        assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Err(Malformed)]);
        assert_eq!(attributes(&[3, 0, 1, 0]).collect::<Vec<_>>(), [Err(Malformed)]);
    }

    #[test]
    fn the_last_attribute_needs_no_padding() {
        let all: Vec<_> = attributes(&[5, 0, 1, 0, 42]).collect();
        assert_eq!(all, [Ok(Attribute { kind: 1, value: &[42] })]);
    }

    #[test]
    fn the_smallest_errno_does_not_overflow() {
        let payload = i32::MIN.to_ne_bytes();
        let message = Message { kind: ERROR, flags: 0, sequence: 0, payload: &payload };
        assert_eq!(message.errno(), i32::MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_walk_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(messages(&bytes).count() <= bytes.len());
            prop_assert!(attributes(&bytes).count() <= bytes.len());
            let _ = text(&bytes);
            let _ = address(10, &bytes);
        }
    }
}
