//! One conntrack event as bytes (`linux/netfilter/nfnetlink_conntrack.h`).
//!
//! In: a netlink message. Out: both tuples of a new TCP flow, and its time if the kernel gives one. Pure.

use crate::tables::netlink::wire::{self, Malformed, Message};
use std::net::SocketAddr;

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`.
const KIND_NEW: u16 = 1 << 8;
/// Size of `struct nfgenmsg`; its first byte is the address family.
const HEADER: usize = 4;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
/// Holds [`TIMESTAMP_START`].
const TIMESTAMP: u16 = 20;
/// `CTA_TIMESTAMP_EVENT` (Linux 6.14).
const TIMESTAMP_EVENT: u16 = 27;
const TIMESTAMP_START: u16 = 1;

const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const V4_SOURCE: u16 = 1;
const V4_DESTINATION: u16 = 2;
const V6_SOURCE: u16 = 3;
const V6_DESTINATION: u16 = 4;
const PROTOCOL_NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;

/// One direction of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Where its packets come from.
    pub source: SocketAddr,
    /// Where they go.
    pub destination: SocketAddr,
}

/// A new TCP flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct New {
    /// As the client dialled it.
    pub original: Tuple,
    /// As its answers will arrive, before they are translated back.
    pub reply: Tuple,
    /// When it began, ns of `CLOCK_REALTIME`, where the kernel keeps that.
    pub unix_ns: Option<i64>,
}

/// `None`: something else than a new TCP flow.
pub fn parse(message: &Message<'_>) -> Result<Option<New>, Malformed> {
    if message.kind != KIND_NEW {
        return Ok(None);
    }
    let family = *message.payload.first().ok_or(Malformed)?;
    let (mut original, mut reply, mut unix_ns) = (None, None, None);
    for attribute in wire::attributes(message.payload.get(HEADER..).ok_or(Malformed)?) {
        let attribute = attribute?;
        match attribute.kind {
            TUPLE_ORIGINAL => original = Some(tuple(family, attribute.value)?),
            TUPLE_REPLY => reply = Some(tuple(family, attribute.value)?),
            TIMESTAMP_EVENT => unix_ns = unix_ns.or(nanoseconds(attribute.value)),
            TIMESTAMP => unix_ns = start(attribute.value)?.or(unix_ns),
            _ => {}
        }
    }
    match (original, reply) {
        (Some(Some(original)), Some(Some(reply))) => Ok(Some(New { original, reply, unix_ns })),
        (Some(None), _) | (_, Some(None)) => Ok(None),
        _ => Err(Malformed),
    }
}

/// `None`: not TCP.
fn tuple(family: u8, bytes: &[u8]) -> Result<Option<Tuple>, Malformed> {
    let (mut source, mut destination, mut protocol) = (None, None, None);
    let (mut source_port, mut destination_port) = (None, None);
    for outer in wire::attributes(bytes) {
        let outer = outer?;
        if outer.kind != TUPLE_IP && outer.kind != TUPLE_PROTOCOL {
            continue;
        }
        for inner in wire::attributes(outer.value) {
            let inner = inner?;
            match (outer.kind, inner.kind) {
                (TUPLE_IP, V4_SOURCE | V6_SOURCE) => source = wire::address(family, inner.value),
                (TUPLE_IP, V4_DESTINATION | V6_DESTINATION) => {
                    destination = wire::address(family, inner.value);
                }
                (TUPLE_PROTOCOL, PROTOCOL_NUMBER) => protocol = inner.value.first().copied(),
                (TUPLE_PROTOCOL, SOURCE_PORT) => source_port = wire::network_u16(inner.value),
                (TUPLE_PROTOCOL, DESTINATION_PORT) => {
                    destination_port = wire::network_u16(inner.value);
                }
                _ => {}
            }
        }
    }
    if i32::from(protocol.ok_or(Malformed)?) != libc::IPPROTO_TCP {
        return Ok(None);
    }
    let source = wire::socket_address(source, source_port).ok_or(Malformed)?;
    let destination = wire::socket_address(destination, destination_port).ok_or(Malformed)?;
    Ok(Some(Tuple { source, destination }))
}

fn start(bytes: &[u8]) -> Result<Option<i64>, Malformed> {
    for attribute in wire::attributes(bytes) {
        let attribute = attribute?;
        if attribute.kind == TIMESTAMP_START {
            return Ok(nanoseconds(attribute.value));
        }
    }
    Ok(None)
}

/// 0 means that the flow began before time-stamps were switched on.
fn nanoseconds(value: &[u8]) -> Option<i64> {
    wire::network_u64(value).and_then(|ns| i64::try_from(ns).ok()).filter(|ns| *ns != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::netlink::wire::Request;
    use proptest::prelude::*;

    fn tuple_bytes(v6: bool, protocol: u8, source: (u8, u16), destination: (u8, u16)) -> Vec<u8> {
        let address = |last: u8| {
            if v6 { [vec![0xfd; 15], vec![last]].concat() } else { vec![10, 0, 0, last] }
        };
        let (first, second) =
            if v6 { (V6_SOURCE, V6_DESTINATION) } else { (V4_SOURCE, V4_DESTINATION) };
        Request::new(0, 0, &[])
            .nested(TUPLE_IP, &[(first, &address(source.0)), (second, &address(destination.0))])
            .nested(
                TUPLE_PROTOCOL,
                &[
                    (PROTOCOL_NUMBER, &[protocol]),
                    (SOURCE_PORT, &source.1.to_be_bytes()),
                    (DESTINATION_PORT, &destination.1.to_be_bytes()),
                ],
            )
            .finish(0)[16..]
            .to_vec()
    }

    fn event(v6: bool, protocol: u8, extra: Option<(u16, &[u8])>) -> Vec<u8> {
        let family = if v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        let mut request = Request::new(KIND_NEW, 0, &[family, 0, 0, 0])
            .attribute(TUPLE_ORIGINAL, &tuple_bytes(v6, protocol, (1, 50000), (9, 80)))
            .attribute(TUPLE_REPLY, &tuple_bytes(v6, protocol, (5, 8080), (1, 50000)));
        if let Some((kind, value)) = extra {
            request = request.attribute(kind, value);
        }
        request.finish(0)
    }

    fn parsed(bytes: &[u8]) -> Result<Option<New>, Malformed> {
        parse(&wire::messages(bytes).next().unwrap().unwrap())
    }

    #[test]
    fn both_families_give_both_tuples() {
        let v4 = parsed(&event(false, 6, None)).unwrap().unwrap();
        assert_eq!(v4.original.destination.to_string(), "10.0.0.9:80");
        assert_eq!(v4.reply.source.to_string(), "10.0.0.5:8080");
        let v6 = parsed(&event(true, 6, None)).unwrap().unwrap();
        assert!(v6.original.source.is_ipv6());
        assert_eq!((v6.reply.source.port(), v6.unix_ns), (8080, None));
    }

    #[test]
    fn other_protocols_and_other_messages_are_no_flows() {
        assert_eq!(parsed(&event(false, 17, None)), Ok(None));
        let mut deleted = event(false, 6, None);
        deleted[4] = 2;
        assert_eq!(parsed(&deleted), Ok(None));
    }

    #[test]
    fn f14_either_timestamp_is_read_and_zero_is_none() {
        let ns = 1_700_000_000_000_000_000u64.to_be_bytes();
        let event_time = event(false, 6, Some((TIMESTAMP_EVENT, &ns)));
        assert_eq!(parsed(&event_time).unwrap().unwrap().unix_ns, Some(1_700_000_000_000_000_000));
        let start = Request::new(0, 0, &[]).attribute(TIMESTAMP_START, &ns).finish(0);
        let start_time = event(false, 6, Some((TIMESTAMP, &start[16..])));
        assert_eq!(parsed(&start_time).unwrap().unwrap().unix_ns, Some(1_700_000_000_000_000_000));
        let zero = event(false, 6, Some((TIMESTAMP_EVENT, &[0; 8])));
        assert_eq!(parsed(&zero).unwrap().unwrap().unix_ns, None);
    }

    #[test]
    fn an_event_without_tuples_is_malformed() {
        let bytes = Request::new(KIND_NEW, 0, &[2, 0, 0, 0]).finish(0);
        assert_eq!(parsed(&bytes), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_parser_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&Message { kind: KIND_NEW, flags: 0, sequence: 0, payload: &payload });
        }

        #[test]
        fn no_damage_to_a_real_event_makes_it_panic(at in 16usize..140, value: u8) {
            let mut bytes = event(true, 6, None);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            for message in wire::messages(&bytes).flatten() {
                let _ = parse(&message);
            }
        }
    }
}
