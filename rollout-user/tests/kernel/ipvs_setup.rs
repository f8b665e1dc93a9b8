//! Changes the IPVS table of this thread's namespace over generic netlink, as kube-proxy does (`linux/ip_vs.h`).
//! Comes in: services and destinations. Goes out: the kernel's answer, an errno if it refuses.

use anyhow::{Context, Result};
use rollout::tables::netlink::generic;
use rollout::tables::netlink::socket::Netlink;
use rollout::tables::netlink::wire::Request;
use std::net::{IpAddr, SocketAddr};

const NEW_SERVICE: u8 = 1;
const DEL_SERVICE: u8 = 3;
const NEW_DEST: u8 = 5;
const SET_DEST: u8 = 6;
const DEL_DEST: u8 = 7;
const FLUSH: u8 = 17;
/// `NLM_F_ACK`.
const ACK: u16 = 4;

fn family(address: IpAddr) -> [u8; 2] {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    (family as u16).to_ne_bytes()
}

fn bytes(address: IpAddr) -> Vec<u8> {
    let mut bytes = match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.resize(16, 0);
    bytes
}

fn send(
    command: u8,
    service: Option<SocketAddr>,
    destination: Option<(SocketAddr, u32)>,
) -> Result<()> {
    let mut netlink = Netlink::open(rustix::net::netlink::GENERIC, None)?;
    let number = generic::family(&mut netlink, "IPVS")?.context("IPVS is not loaded")?;
    let mut request = Request::new(number, ACK, &generic::header(command, 1));
    if let Some(service) = service {
        let mask: u32 = if service.is_ipv4() { u32::MAX } else { 128 };
        request = request.nested(
            1,
            &[
                (1, &family(service.ip())),
                (2, &6u16.to_ne_bytes()),
                (3, &bytes(service.ip())),
                (4, &service.port().to_be_bytes()),
                (6, b"rr\0"),
                (7, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
                (8, &0u32.to_ne_bytes()),
                (9, &mask.to_ne_bytes()),
            ],
        );
    }
    if let Some((destination, weight)) = destination {
        request = request.nested(
            2,
            &[
                (1, &bytes(destination.ip())),
                (2, &destination.port().to_be_bytes()),
                (3, &0u32.to_ne_bytes()),
                (4, &weight.to_ne_bytes()),
                (5, &0u32.to_ne_bytes()),
                (6, &0u32.to_ne_bytes()),
                (11, &family(destination.ip())),
            ],
        );
    }
    netlink.ask(&request).map(drop)
}

/// Adds a service, round robin.
pub fn add_service(service: SocketAddr) {
    send(NEW_SERVICE, Some(service), None).expect("add the service");
}

/// Deletes a service with its destinations.
pub fn delete_service(service: SocketAddr) {
    send(DEL_SERVICE, Some(service), None).expect("delete the service");
}

/// Adds a destination (masquerading).
pub fn add(service: SocketAddr, destination: SocketAddr, weight: u32) -> Result<()> {
    send(NEW_DEST, Some(service), Some((destination, weight)))
}

/// Changes its weight.
pub fn edit(service: SocketAddr, destination: SocketAddr, weight: u32) -> Result<()> {
    send(SET_DEST, Some(service), Some((destination, weight)))
}

/// Deletes it.
pub fn delete(service: SocketAddr, destination: SocketAddr) -> Result<()> {
    send(DEL_DEST, Some(service), Some((destination, 0)))
}

/// Deletes everything.
pub fn flush() {
    send(FLUSH, None, None).expect("flush");
}
