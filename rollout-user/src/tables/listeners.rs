//! Listening TCP sockets of a namespace, by socket diagnostics (`linux/inet_diag.h`).
//!
//! In: a network namespace. Out: [`Listeners`], one address for each socket. Only protocol TCP is asked for: an MPTCP
//! listener shows up here once, by its TCP subflow, and its duplicate of protocol 262 does not (F9). The kernel may load
//! its own `inet_diag` and `tcp_diag` modules to answer.

use super::netlink::socket::Netlink;
use super::netlink::wire::{self, Request};
use super::netns::Namespace;
use crate::record::table::Listeners;
use anyhow::{Context, Result};
use std::net::SocketAddr;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `1 << TCP_LISTEN`.
const STATE_LISTEN: u32 = 1 << 10;
/// Size of `struct inet_diag_req_v2`: 8 bytes before `struct inet_diag_sockid` (48).
const REQUEST_SIZE: usize = 56;

/// Reads the listeners of `namespace`, sorted.
pub fn read(namespace: &Namespace) -> Result<Listeners> {
    let mut netlink = Netlink::open(rustix::net::netlink::SOCK_DIAG, Some(namespace))?;
    let mut addresses = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let answers = netlink
            .dump(&Request::new(SOCK_DIAG_BY_FAMILY, wire::DUMP, &request(family as u8)))
            .with_context(|| {
                format!("cannot read the listeners of namespace {}", namespace.inum())
            })?;
        addresses.extend(answers.iter().filter_map(|answer| listener(&answer.payload)));
    }
    addresses.sort();
    Ok(Listeners { netns: namespace.identify(), addresses })
}

/// `struct inet_diag_req_v2` for all listeners of `family`.
fn request(family: u8) -> Vec<u8> {
    let mut bytes = vec![family, libc::IPPROTO_TCP as u8, 0, 0];
    bytes.extend_from_slice(&STATE_LISTEN.to_ne_bytes());
    bytes.resize(REQUEST_SIZE, 0);
    bytes
}

/// The local address in a `struct inet_diag_msg`: family at 0, port at 4, address at 8, in network byte order.
fn listener(message: &[u8]) -> Option<SocketAddr> {
    let address = wire::address(*message.first()?, message.get(8..24)?);
    wire::socket_address(address, wire::network_u16(message.get(4..6)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::TcpListener;

    fn own() -> Vec<SocketAddr> {
        read(&Namespace::current().unwrap()).unwrap().addresses
    }

    #[test]
    fn listeners_of_both_families_are_found_and_gone_after_close() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let (v4_address, v6_address) = (v4.local_addr().unwrap(), v6.local_addr().unwrap());
        let found = own();
        assert!(found.contains(&v4_address) && found.contains(&v6_address), "{found:?}");
        drop((v4, v6));
        let found = own();
        assert!(!found.contains(&v4_address) && !found.contains(&v6_address), "{found:?}");
    }

    #[test]
    fn a_connected_child_is_not_a_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let _child = listener.accept().unwrap();
        assert_eq!(own().iter().filter(|found| **found == address).count(), 1);
    }

    /// A listening socket of `protocol` on a free port of the loopback.
    fn listen_by(protocol: libc::c_int) -> TcpListener {
        use rustix::net::{AddressFamily, Protocol, SocketType};
        let protocol = std::num::NonZeroU32::new(protocol as u32).map(Protocol::from_raw);
        let socket =
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, protocol).unwrap();
        rustix::net::bind(&socket, &"127.0.0.1:0".parse::<std::net::SocketAddrV4>().unwrap())
            .unwrap();
        rustix::net::listen(&socket, 1).unwrap();
        TcpListener::from(socket)
    }

    #[test]
    fn f09_an_mptcp_listener_is_listed_once() {
        if std::fs::read_to_string("/proc/sys/net/mptcp/enabled").unwrap_or_default() != "1\n" {
            // Without MPTCP in the kernel there is no duplicate that could be listed.
            return;
        }
        let listener = listen_by(libc::IPPROTO_MPTCP);
        let address = listener.local_addr().unwrap();
        assert_eq!(own().iter().filter(|found| **found == address).count(), 1);
    }

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = listener(&bytes);
        }
    }
}
