//! Changes an IPVS table as `ipvsadm` does, for tests. Comes in: services and servers. Goes out: generic netlink commands
//! (`linux/ip_vs.h`), each answered by the kernel.

use rollout::tables::netlink::generic;
use rollout::tables::netlink::socket::Netlink;
use rollout::tables::netlink::wire::Request;
use rollout::tables::netns::Namespace;
use std::net::{IpAddr, SocketAddr};

const NEW_SERVICE: u8 = 1;
const DEL_SERVICE: u8 = 3;
const NEW_DEST: u8 = 5;
const SET_DEST: u8 = 6;
const DEL_DEST: u8 = 7;
/// `NLM_F_ACK`.
const ACK: u16 = 4;

/// An open table.
pub struct Ipvs {
    netlink: Netlink,
    family: u16,
}

type Field = (u16, Vec<u8>);

impl Ipvs {
    /// The table of `namespace`.
    pub fn open(namespace: &Namespace) -> Self {
        let mut netlink =
            Netlink::open(rustix::net::netlink::GENERIC, Some(namespace)).expect("a socket");
        let family = generic::family(&mut netlink, "IPVS").expect("families").expect("IPVS");
        Self { netlink, family }
    }

    /// Adds a TCP service with round robin.
    pub fn add_service(&mut self, service: SocketAddr) {
        let mut fields = service_fields(service);
        let netmask = if service.is_ipv4() { u32::MAX } else { 128 };
        fields.extend([
            (6, b"rr\0".to_vec()),
            (7, [0u32.to_ne_bytes(), u32::MAX.to_ne_bytes()].concat()),
            (8, 0u32.to_ne_bytes().to_vec()),
            (9, netmask.to_ne_bytes().to_vec()),
        ]);
        self.send(NEW_SERVICE, &fields, None);
    }

    /// Deletes a service with its destinations.
    pub fn delete_service(&mut self, service: SocketAddr) {
        self.send(DEL_SERVICE, &service_fields(service), None);
    }

    /// Adds a destination, forwarded to by masquerading.
    pub fn add_destination(&mut self, service: SocketAddr, server: SocketAddr, weight: u32) {
        let fields = destination_fields(server, Some(weight));
        self.send(NEW_DEST, &service_fields(service), Some(&fields));
    }

    /// Edits a destination's weight.
    pub fn set_weight(&mut self, service: SocketAddr, server: SocketAddr, weight: u32) {
        let fields = destination_fields(server, Some(weight));
        self.send(SET_DEST, &service_fields(service), Some(&fields));
    }

    /// Deletes a destination.
    pub fn delete_destination(&mut self, service: SocketAddr, server: SocketAddr) {
        let fields = destination_fields(server, None);
        self.send(DEL_DEST, &service_fields(service), Some(&fields));
    }

    fn send(&mut self, command: u8, service: &[Field], destination: Option<&[Field]>) {
        let mut request = Request::new(self.family, ACK, &generic::header(command, 1))
            .nested(1, &borrowed(service));
        if let Some(destination) = destination {
            request = request.nested(2, &borrowed(destination));
        }
        self.netlink.ask(&request).unwrap_or_else(|error| panic!("command {command}: {error:#}"));
    }
}

fn borrowed(fields: &[Field]) -> Vec<(u16, &[u8])> {
    fields.iter().map(|(kind, value)| (*kind, value.as_slice())).collect()
}

fn service_fields(service: SocketAddr) -> Vec<Field> {
    vec![
        (1, family(service).to_ne_bytes().to_vec()),
        (2, (libc::IPPROTO_TCP as u16).to_ne_bytes().to_vec()),
        (3, address(service)),
        (4, service.port().to_be_bytes().to_vec()),
    ]
}

fn destination_fields(server: SocketAddr, weight: Option<u32>) -> Vec<Field> {
    let mut fields = vec![
        (1, address(server)),
        (2, server.port().to_be_bytes().to_vec()),
        (11, family(server).to_ne_bytes().to_vec()),
    ];
    if let Some(weight) = weight {
        let zero = 0u32.to_ne_bytes().to_vec();
        fields.extend([
            (3, zero.clone()),
            (4, weight.to_ne_bytes().to_vec()),
            (5, zero.clone()),
            (6, zero),
        ]);
    }
    fields
}

fn family(address: SocketAddr) -> u16 {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    family as u16
}

/// `union nf_inet_addr`.
fn address(address: SocketAddr) -> Vec<u8> {
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.resize(16, 0);
    bytes
}
