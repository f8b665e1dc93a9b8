//! Listeners: what opens and closes one, and what only looks so (F9).
//! Comes in: sockets in a namespace of its own. Goes out: the openings and closings that were told.

use super::space::Space;
use super::trace::Trace;
use rollout::record::{Body, Record};
use rustix::net::sockopt::set_socket_reuseport;
use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, bind, ipproto, listen, socket_with,
};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

/// Openings and closings at an address, in order: `+` and `-` with the socket.
fn told(records: &[Record], space: &Space, address: SocketAddr) -> Vec<(char, u64)> {
    let mut found = Vec::new();
    for record in records {
        let (sign, listener) = match &record.body {
            Body::ListenerOpened(it) => ('+', it),
            Body::ListenerClosed(it) => ('-', it),
            _ => continue,
        };
        if listener.netns.inum == space.inum && listener.address == address {
            found.push((sign, listener.socket));
        }
    }
    found
}

fn signs(told: &[(char, u64)]) -> String {
    told.iter().map(|(sign, _)| *sign).collect()
}

fn tcp_socket(protocol: Protocol) -> Option<OwnedFd> {
    let made =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, Some(protocol));
    made.ok()
}

fn opens_and_closes(address: &str) {
    let space = Space::enter();
    let trace = Trace::start();
    let server = TcpListener::bind(address).unwrap();
    let own = server.local_addr().unwrap();
    drop(server);
    let records = trace.finish();
    let told = told(&records, &space, own);
    assert_eq!(signs(&told), "+-", "{told:?}");
    assert_eq!(told.first().map(|(_, socket)| socket), told.last().map(|(_, socket)| socket));
}

pub fn f09_a_listener_opens_and_closes_once() {
    opens_and_closes("127.0.0.1:0");
}

pub fn f09_a_listener_on_ipv6_opens_and_closes_once() {
    opens_and_closes("[::]:0");
}

pub fn f09_every_child_of_a_listener_is_not_an_opening() {
    let space = Space::enter();
    let trace = Trace::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = server.local_addr().unwrap();
    for _ in 0..3 {
        let client = TcpStream::connect(own).unwrap();
        drop(server.accept().unwrap());
        drop(client);
    }
    drop(server);
    assert_eq!(signs(&told(&trace.finish(), &space, own)), "+-");
}

/// Another socket took the address between bind and listen: CLOSE → LISTEN → CLOSE.
pub fn f09_a_failed_listen_opens_and_closes_its_own_socket_only() {
    let space = Space::enter();
    let trace = Trace::start();
    let address: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    let sockets: Vec<_> = (0..2).filter_map(|_| tcp_socket(ipproto::TCP)).collect();
    for socket in &sockets {
        rustix::net::sockopt::set_socket_reuseaddr(socket, true).unwrap();
        bind(socket, &address).unwrap();
    }
    listen(&sockets[0], 1).unwrap();
    assert_eq!(listen(&sockets[1], 1), Err(rustix::io::Errno::ADDRINUSE));
    let records = trace.finish();
    let told = told(&records, &space, address);
    assert_eq!(signs(&told), "++-", "{told:?}");
    assert_ne!(told[0].1, told[2].1, "the one that listens is still there");
    assert_eq!(told[1].1, told[2].1);
}

pub fn f09_two_listeners_of_one_address_are_told_apart() {
    let space = Space::enter();
    let trace = Trace::start();
    let address: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    let mut sockets: Vec<_> = (0..2).filter_map(|_| tcp_socket(ipproto::TCP)).collect();
    for socket in &sockets {
        set_socket_reuseport(socket, true).unwrap();
        bind(socket, &address).unwrap();
        listen(socket, 1).unwrap();
    }
    sockets.remove(0);
    let records = trace.finish();
    let told = told(&records, &space, address);
    assert_eq!(signs(&told), "++-", "{told:?}");
    assert_eq!(told[0].1, told[2].1);
    assert_ne!(told[1].1, told[2].1);
}

/// MPTCP's own socket goes through the same states with protocol 262; only the TCP one below it counts.
pub fn f09_an_mptcp_listener_is_told_once() {
    let space = Space::enter();
    let mptcp = Protocol::from_raw(NonZeroU32::new(262).unwrap());
    let trace = Trace::start();
    let Some(socket) = tcp_socket(mptcp) else {
        println!("this kernel has no MPTCP: nothing to tell apart");
        return;
    };
    let address: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 1).unwrap();
    drop(socket);
    assert_eq!(signs(&told(&trace.finish(), &space, address)), "+-");
}
