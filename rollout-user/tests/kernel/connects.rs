//! Connects and their outcomes: accepted, refused, timed out, unreachable, abandoned, retransmitted.
//! Comes in: sockets on loopback in a namespace of its own. Goes out: what was traced, equal to what they said.

use super::space::{Space, drop_syns, kernel_counter, pass_syns, run, set};
use super::trace::Trace;
use rollout::record::Body;
use rollout::record::kernel::{Connect, ConnectFailed, ConnectReturned};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

/// Waits for the connect to `destination` in a namespace.
pub fn connect_to(trace: &mut Trace, space: &Space, destination: SocketAddr) -> Connect {
    trace.body("connect", |body| match body {
        Body::Connect(it) if it.netns.inum == space.inum && it.flow.destination == destination => {
            Some(it.clone())
        }
        _ => None,
    })
}

/// Waits for the failure of an attempt.
pub fn failure_of(trace: &mut Trace, attempt: u64) -> ConnectFailed {
    trace.body("failure", |body| match body {
        Body::ConnectFailed(it) if it.attempt == attempt => Some(it.clone()),
        _ => None,
    })
}

fn returned_from(trace: &mut Trace, space: &Space) -> ConnectReturned {
    trace.body("return", |body| match body {
        Body::ConnectReturned(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    })
}

/// A socket whose connect does not wait.
pub fn start_connect(destination: SocketAddr) -> OwnedFd {
    let family = if destination.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).unwrap();
    let result = connect(&socket, &destination);
    assert_eq!(result, Err(rustix::io::Errno::INPROGRESS), "{destination}");
    socket
}

fn is_accepted(address: &str) {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = TcpListener::bind(address).unwrap();
    let destination = server.local_addr().unwrap();
    let client = TcpStream::connect(destination).unwrap();
    let own = client.local_addr().unwrap();
    let begun = connect_to(&mut trace, &space, destination);
    assert_eq!(begun.pid, std::process::id());
    assert_ne!(begun.attempt, 0);
    assert_eq!(begun.flow.source, Some(own.ip()));
    if trace.is_served("connect", "raw tracepoint") {
        assert_eq!(begun.flow.source_port, None);
    } else {
        assert_eq!(begun.flow.source_port, Some(own.port()));
    }
    let made = trace.body("established", |body| match body {
        Body::Established(it) if it.attempt == begun.attempt => Some(it.clone()),
        _ => None,
    });
    assert_eq!((made.flow.source, made.flow.source_port), (Some(own.ip()), Some(own.port())));
    drop(client);
    drop(server);
    trace.body("closed", |body| match body {
        Body::Closed(it) if it.attempt == begun.attempt => Some(()),
        _ => None,
    });
}

pub fn an_accepted_connect_is_established_and_closed() {
    is_accepted("127.0.0.1:0");
}

pub fn an_accepted_connect_over_ipv6_is_established_and_closed() {
    is_accepted("[::1]:0");
}

/// A dual-stack client that dials an IPv4-mapped address is told as IPv4.
pub fn an_ipv4_mapped_connect_is_told_as_ipv4() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
    let _client = TcpStream::connect(mapped).unwrap();
    let begun = connect_to(&mut trace, &space, server.local_addr().unwrap());
    assert_eq!(begun.flow.source, Some("127.0.0.1".parse().unwrap()));
}

fn is_refused(address: &str) {
    let space = Space::enter();
    let mut trace = Trace::start();
    let destination: SocketAddr = address.parse().unwrap();
    let error = TcpStream::connect(destination).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let begun = connect_to(&mut trace, &space, destination);
    // F4: the error is there when the socket closes.
    let failed = failure_of(&mut trace, begun.attempt);
    assert_eq!(failed.errno, Some(libc::ECONNREFUSED));
    assert!(failed.flow.source_port.is_some());
    let returned = returned_from(&mut trace, &space);
    assert_eq!((returned.errno, returned.attempt), (libc::ECONNREFUSED, Some(begun.attempt)));
    assert_eq!(returned.flow.destination, destination);
    let received = trace.body("reset", |body| match body {
        Body::ResetReceived(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    });
    assert_eq!((received.attempt, received.state.as_str()), (Some(begun.attempt), "SYN_SENT"));
    assert_eq!(received.flow.destination, destination);
}

pub fn f04_a_refused_connect_has_its_errno_and_its_reset() {
    is_refused("127.0.0.1:9");
}

pub fn f04_a_refused_connect_over_ipv6_has_its_errno_and_its_reset() {
    is_refused("[::1]:9");
}

pub fn f04_a_connect_that_times_out_tells_its_retransmits_and_where_its_syns_went() {
    let space = Space::enter();
    set("ipv4/tcp_syn_retries", "1");
    drop_syns(9);
    let mut trace = Trace::start();
    let destination: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let error = TcpStream::connect(destination).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
    let begun = connect_to(&mut trace, &space, destination);
    assert_eq!(failure_of(&mut trace, begun.attempt).errno, Some(libc::ETIMEDOUT));
    let records = trace.finish();
    let retransmits: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::SynRetransmit(it) if it.attempt == Some(begun.attempt) => Some(it),
            _ => None,
        })
        .collect();
    assert_eq!(retransmits.len() as u64, kernel_counter("TCPSynRetrans"), "{retransmits:?}");
    assert!(retransmits.iter().all(|it| it.errno.is_none() && it.flow.source_port.is_some()));
    let reasons: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::SynDropped(it)
                if it.flow.destination == destination && it.netns.inum == space.inum =>
            {
                Some(it.reason.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(reasons, vec![Some("NETFILTER_DROP".to_owned()); retransmits.len() + 1]);
}

pub fn f06_a_retransmit_that_was_not_sent_is_told_apart() {
    let space = Space::enter();
    set("ipv4/tcp_syn_retries", "1");
    run("nft add table inet rollout");
    run("nft add chain inet rollout out { type filter hook output priority 0 ; }");
    run("nft add rule inet rollout out tcp dport 9 drop");
    let mut trace = Trace::start();
    let destination: SocketAddr = "127.0.0.1:9".parse().unwrap();
    assert!(TcpStream::connect(destination).is_err());
    let begun = connect_to(&mut trace, &space, destination);
    failure_of(&mut trace, begun.attempt);
    let sent = trace.finish().iter().any(|record| match &record.body {
        Body::SynRetransmit(it) => it.attempt == Some(begun.attempt) && it.errno.is_none(),
        _ => false,
    });
    assert!(!sent, "nothing left this machine");
}

pub fn f03_no_route_is_told_without_an_attempt() {
    let space = Space::enter();
    let mut trace = Trace::start();
    for destination in ["203.0.113.1:80", "[2001:db8::1]:80"] {
        let destination: SocketAddr = destination.parse().unwrap();
        let error = TcpStream::connect(destination).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
        let returned = trace.body("return", |body| match body {
            Body::ConnectReturned(it)
                if it.netns.inum == space.inum && it.flow.destination == destination =>
            {
                Some(it.clone())
            }
            _ => None,
        });
        assert_eq!((returned.errno, returned.attempt), (libc::ENETUNREACH, None));
        assert_eq!(returned.pid, std::process::id());
    }
}

pub fn f03_a_prohibited_destination_is_told_without_an_attempt() {
    let space = Space::enter();
    run("ip route add prohibit 203.0.113.0/24");
    let mut trace = Trace::start();
    let error = TcpStream::connect("203.0.113.1:80").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    let returned = returned_from(&mut trace, &space);
    assert_eq!((returned.errno, returned.attempt), (libc::EACCES, None));
}

/// A UDP socket's connect is not ours, whatever it returns.
pub fn f03_only_tcp_calls_are_told() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(socket.connect("203.0.113.1:80").is_err());
    assert!(TcpStream::connect("203.0.113.2:80").is_err());
    let returned = returned_from(&mut trace, &space);
    assert_eq!(returned.flow.destination.to_string(), "203.0.113.2:80");
}

pub fn a_neighbour_that_does_not_answer_makes_the_host_unreachable() {
    let space = Space::enter();
    run("ip link add near type veth peer name far");
    run("ip link set near up");
    run("ip link set far up");
    run("ip address add 10.97.0.1/24 dev near");
    let mut trace = Trace::start();
    let destination: SocketAddr = "10.97.0.2:80".parse().unwrap();
    let error = TcpStream::connect(destination).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EHOSTUNREACH));
    let begun = connect_to(&mut trace, &space, destination);
    assert_eq!(failure_of(&mut trace, begun.attempt).errno, Some(libc::EHOSTUNREACH));
    let dropped = trace.body("drop", |body| match body {
        Body::SynDropped(it) if it.flow.destination == destination => Some(it.clone()),
        _ => None,
    });
    assert_eq!(dropped.netns.inum, space.inum);
    assert_eq!(dropped.reason.as_deref(), Some("NEIGH_FAILED"));
}

pub fn f03_an_abandoned_connect_has_no_error() {
    let space = Space::enter();
    drop_syns(9);
    let mut trace = Trace::start();
    let destination: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let socket = start_connect(destination);
    let begun = connect_to(&mut trace, &space, destination);
    trace.body("retransmit", |body| match body {
        Body::SynRetransmit(it) if it.attempt == Some(begun.attempt) => Some(()),
        _ => None,
    });
    drop(socket);
    assert_eq!(failure_of(&mut trace, begun.attempt).errno, None);
}

pub fn a_retransmitted_connect_succeeds_later() {
    let space = Space::enter();
    drop_syns(9);
    let mut trace = Trace::start();
    let server = TcpListener::bind("127.0.0.1:9").unwrap();
    let destination = server.local_addr().unwrap();
    let client = thread::spawn(move || TcpStream::connect(destination).unwrap());
    let begun = connect_to(&mut trace, &space, destination);
    pass_syns();
    client.join().unwrap();
    let made = trace.body("established", |body| match body {
        Body::Established(it) if it.attempt == begun.attempt => Some(it.clone()),
        _ => None,
    });
    let retransmitted = trace.finish().iter().any(|record| {
        matches!(&record.body, Body::SynRetransmit(it) if it.attempt == Some(begun.attempt) && it.errno.is_none())
    });
    assert!(retransmitted);
    assert!(made.latency_ns > Duration::from_millis(500).as_nanos() as u64, "{made:?}");
}

/// A socket that was refused may connect again: another attempt, and never the port of the one before.
pub fn f05_a_socket_that_connects_again_is_another_attempt_with_its_own_port() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let flags = SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP)).unwrap();
    let refused: SocketAddr = "127.0.0.1:9".parse().unwrap();
    assert!(connect(&socket, &refused).is_err());
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let destination = server.local_addr().unwrap();
    connect(&socket, &destination).unwrap();
    let own: SocketAddr = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
    let first = connect_to(&mut trace, &space, refused);
    let first_port = failure_of(&mut trace, first.attempt).flow.source_port;
    let second = connect_to(&mut trace, &space, destination);
    assert_ne!(first.attempt, second.attempt);
    assert_ne!(first_port, Some(own.port()), "the kernel chose another port");
    if trace.is_served("connect", "raw tracepoint") {
        assert_eq!(second.flow.source_port, None, "not known yet");
    } else {
        assert_eq!(second.flow.source_port, Some(own.port()));
    }
    let made = trace.body("established", |body| match body {
        Body::Established(it) if it.attempt == second.attempt => Some(it.clone()),
        _ => None,
    });
    assert_eq!(made.flow.source_port, Some(own.port()));
}
