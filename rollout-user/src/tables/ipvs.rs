//! The IPVS table over generic netlink (`linux/ip_vs.h`), without `ipvsadm`.
//!
//! In: a network namespace. Out: [`IpvsTable`] with TCP services and destinations, IPv4 and IPv6; services that are
//! found by firewall mark have no address and are left out. [`connections`] reads what IPVS already forwards,
//! [`poll`] replaces missing kernel hooks.

pub mod connections;
pub mod poll;

use super::netlink::generic;
use super::netlink::socket::{Answer, Netlink};
use super::netlink::wire::{self, Request};
use super::netns::Namespace;
use crate::record::table::{IpvsRealServer, IpvsService, IpvsTable};
use anyhow::{Context, Result};
use std::net::{IpAddr, SocketAddr};

const FAMILY: &str = "IPVS";
const VERSION: u8 = 1;
const CMD_GET_SERVICE: u8 = 4;
const CMD_GET_DEST: u8 = 8;
const ATTR_SERVICE: u16 = 1;
const ATTR_DEST: u16 = 2;

const SERVICE_FAMILY: u16 = 1;
const SERVICE_PROTOCOL: u16 = 2;
const SERVICE_ADDRESS: u16 = 3;
const SERVICE_PORT: u16 = 4;
const SERVICE_SCHEDULER: u16 = 6;

const DEST_ADDRESS: u16 = 1;
const DEST_PORT: u16 = 2;
const DEST_WEIGHT: u16 = 4;
const DEST_ACTIVE: u16 = 7;
const DEST_INACTIVE: u16 = 8;
const DEST_FAMILY: u16 = 11;

/// Reads the table of `namespace`. `None`: the kernel has no IPVS (not built, or its module is not loaded; it is not
/// loaded by asking). Needs CAP_NET_ADMIN in that namespace.
pub fn read(namespace: &Namespace) -> Result<Option<IpvsTable>> {
    let mut netlink = Netlink::open(rustix::net::netlink::GENERIC, Some(namespace))?;
    let Some(family) = generic::family(&mut netlink, FAMILY)? else {
        return Ok(None);
    };
    let request = Request::new(family, wire::DUMP, &generic::header(CMD_GET_SERVICE, VERSION));
    let answers = netlink.dump(&request).context("cannot read the IPVS services")?;
    let mut services: Vec<IpvsService> = answers.iter().filter_map(service).collect();
    for service in &mut services {
        let answers = netlink
            .dump(&destinations_of(family, service.address))
            .with_context(|| format!("cannot read the destinations of `{}`", service.address))?;
        let family = address_family(service.address.ip());
        service.destinations =
            answers.iter().filter_map(|answer| destination(answer, family)).collect();
        service.destinations.sort_by_key(|destination| destination.address);
    }
    services.sort_by_key(|service| service.address);
    Ok(Some(IpvsTable { netns: namespace.identify(), services }))
}

fn address_family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    family as u8
}

fn destinations_of(family: u16, service: SocketAddr) -> Request {
    let mut address = [0; 16];
    match service.ip() {
        IpAddr::V4(ip) => address.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(ip) => address = ip.octets(),
    }
    let header = generic::header(CMD_GET_DEST, VERSION);
    Request::new(family, wire::DUMP, &header).nested(
        ATTR_SERVICE,
        &[
            (SERVICE_FAMILY, &u16::from(address_family(service.ip())).to_ne_bytes()),
            (SERVICE_PROTOCOL, &(libc::IPPROTO_TCP as u16).to_ne_bytes()),
            (SERVICE_ADDRESS, &address),
            (SERVICE_PORT, &service.port().to_be_bytes()),
        ],
    )
}

/// The attribute `kind` of a generic netlink answer.
fn body(answer: &Answer, kind: u16) -> Option<&[u8]> {
    wire::attributes(answer.payload.get(generic::HEADER..)?)
        .flatten()
        .find_map(|attribute| (attribute.kind == kind).then_some(attribute.value))
}

/// `None`: not TCP, a firewall mark, or malformed.
fn service(answer: &Answer) -> Option<IpvsService> {
    let (mut family, mut protocol, mut raw, mut port) = (None, None, None, None);
    let mut scheduler = String::new();
    for attribute in wire::attributes(body(answer, ATTR_SERVICE)?).flatten() {
        match attribute.kind {
            SERVICE_FAMILY => family = wire::host_u16(attribute.value),
            SERVICE_PROTOCOL => protocol = wire::host_u16(attribute.value),
            SERVICE_ADDRESS => raw = Some(attribute.value),
            SERVICE_PORT => port = wire::network_u16(attribute.value),
            SERVICE_SCHEDULER => scheduler = wire::text(attribute.value),
            _ => {}
        }
    }
    if i32::from(protocol?) != libc::IPPROTO_TCP {
        return None;
    }
    let address = wire::address(u8::try_from(family?).ok()?, raw?);
    let address = wire::socket_address(address, port)?;
    Some(IpvsService { address, scheduler, destinations: Vec::new() })
}

/// `service_family` is the destination's family where the kernel does not say (before Linux 3.18).
fn destination(answer: &Answer, service_family: u8) -> Option<IpvsRealServer> {
    let (mut family, mut raw, mut port, mut weight) = (service_family, None, None, None);
    let (mut active, mut inactive) = (0, 0);
    for attribute in wire::attributes(body(answer, ATTR_DEST)?).flatten() {
        match attribute.kind {
            DEST_FAMILY => family = u8::try_from(wire::host_u16(attribute.value)?).ok()?,
            DEST_ADDRESS => raw = Some(attribute.value),
            DEST_PORT => port = wire::network_u16(attribute.value),
            DEST_WEIGHT => weight = wire::host_u32(attribute.value),
            DEST_ACTIVE => active = wire::host_u32(attribute.value)?,
            DEST_INACTIVE => inactive = wire::host_u32(attribute.value)?,
            _ => {}
        }
    }
    let address = wire::socket_address(wire::address(family, raw?), port)?;
    Some(IpvsRealServer { address, weight: weight?.cast_signed(), active, inactive })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(attribute: u16, fields: &[(u16, &[u8])]) -> Answer {
        let bytes =
            Request::new(0, 0, &generic::header(1, VERSION)).nested(attribute, fields).finish(1);
        Answer { kind: 32, payload: bytes[16..].to_vec() }
    }

    fn padded(first: &[u8]) -> Vec<u8> {
        let mut bytes = first.to_vec();
        bytes.resize(16, 0);
        bytes
    }

    #[test]
    fn services_of_both_families_are_read_and_udp_is_not() {
        let v4 = padded(&[10, 96, 0, 10]);
        let mut fields: Vec<(u16, &[u8])> = vec![
            (SERVICE_FAMILY, &[2, 0]),
            (SERVICE_PROTOCOL, &[6, 0]),
            (SERVICE_ADDRESS, &v4),
            (SERVICE_PORT, &[0, 80]),
            (SERVICE_SCHEDULER, b"rr\0"),
        ];
        let read = service(&answer(ATTR_SERVICE, &fields)).unwrap();
        assert_eq!(
            (read.address.to_string().as_str(), read.scheduler.as_str()),
            ("10.96.0.10:80", "rr")
        );
        fields[1] = (SERVICE_PROTOCOL, &[17, 0]);
        assert_eq!(service(&answer(ATTR_SERVICE, &fields)), None);

        let v6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        fields[0] = (SERVICE_FAMILY, &[10, 0]);
        fields[1] = (SERVICE_PROTOCOL, &[6, 0]);
        fields[2] = (SERVICE_ADDRESS, &v6);
        assert_eq!(
            service(&answer(ATTR_SERVICE, &fields)).unwrap().address.to_string(),
            "[fd00::1]:80"
        );
    }

    #[test]
    fn a_service_by_firewall_mark_has_no_address_and_is_left_out() {
        let fields: &[(u16, &[u8])] = &[(SERVICE_FAMILY, &[2, 0]), (5, &[1, 0, 0, 0])];
        assert_eq!(service(&answer(ATTR_SERVICE, fields)), None);
    }

    #[test]
    fn a_destination_keeps_weight_and_counts() {
        let address = padded(&[10, 244, 0, 5]);
        let fields: &[(u16, &[u8])] = &[
            (DEST_ADDRESS, &address),
            (DEST_PORT, &[0x1f, 0x90]),
            (DEST_WEIGHT, &[0, 0, 0, 0]),
            (DEST_ACTIVE, &[3, 0, 0, 0]),
            (DEST_INACTIVE, &[4, 0, 0, 0]),
        ];
        let read = destination(&answer(ATTR_DEST, fields), 2).unwrap();
        assert_eq!(read.address.to_string(), "10.244.0.5:8080");
        assert_eq!((read.weight, read.active, read.inactive), (0, 3, 4));
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parsers_panic(payload in proptest::collection::vec(any::<u8>(), 0..128)) {
            let answer = Answer { kind: 32, payload };
            let _ = (service(&answer), destination(&answer, 10));
        }
    }
}
