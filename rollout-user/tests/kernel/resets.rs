//! RSTs: sent and received, with and without a socket.
//! Comes in: sockets on loopback in a namespace of its own. Goes out: who reset whom, in which state.

use super::connects::connect_to;
use super::space::Space;
use super::trace::Trace;
use rollout::record::Body;
use rollout::record::kernel::ResetSent;
use rustix::net::sockopt::set_socket_linger;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn reset_sent(trace: &mut Trace, space: &Space) -> ResetSent {
    trace.body("reset sent", |body| match body {
        Body::ResetSent(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    })
}

fn closed_port_answers(address: &str) {
    let space = Space::enter();
    let mut trace = Trace::start();
    let destination: SocketAddr = address.parse().unwrap();
    assert!(TcpStream::connect(destination).is_err());
    let sent = reset_sent(&mut trace, &space);
    assert!(!sent.has_socket);
    assert_eq!(sent.state, None);
    assert_eq!(sent.flow.destination, destination, "the segment that is answered");
    assert_eq!(sent.flow.source, Some(destination.ip()));
    let received = trace.body("reset received", |body| match body {
        Body::ResetReceived(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    });
    assert_eq!(received.flow.source_port, sent.flow.source_port);
}

pub fn f10_a_closed_port_answers_with_a_reset_without_a_socket() {
    closed_port_answers("127.0.0.1:9");
}

pub fn f10_a_closed_port_answers_with_a_reset_over_ipv6() {
    closed_port_answers("[::1]:9");
}

pub fn an_established_connection_that_is_reset_carries_its_attempt() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let destination = server.local_addr().unwrap();
    let mut client = TcpStream::connect(destination).unwrap();
    let (child, _) = server.accept().unwrap();
    let begun = connect_to(&mut trace, &space, destination);
    set_socket_linger(&child, Some(Duration::ZERO)).unwrap();
    drop(child);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    let received = trace.body("reset received", |body| match body {
        Body::ResetReceived(it) if it.attempt == Some(begun.attempt) => Some(it.clone()),
        _ => None,
    });
    assert_eq!(received.state, "ESTABLISHED");
    assert_eq!(received.flow.destination, destination);
    let closed = trace.body("closed", |body| match body {
        Body::Closed(it) if it.attempt == begun.attempt => Some(it.clone()),
        _ => None,
    });
    assert_eq!(closed.errno, Some(libc::ECONNRESET));
    let sent = reset_sent(&mut trace, &space);
    assert!(sent.has_socket);
    assert_eq!(sent.flow.destination, destination, "the local side");
    assert_eq!(sent.flow.source_port, Some(client.local_addr().unwrap().port()));
}

pub fn f07_unaccepted_connections_are_reset_when_their_listener_closes() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let destination = server.local_addr().unwrap();
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(destination).unwrap()).collect();
    drop(server);
    for mut client in clients {
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        let own = client.local_addr().unwrap().port();
        let attempt = trace.body("reset received", |body| match body {
            Body::ResetReceived(it)
                if it.netns.inum == space.inum
                    && it.flow.source_port == Some(own)
                    && it.state == "ESTABLISHED" =>
            {
                it.attempt
            }
            _ => None,
        });
        let closed = trace.body("closed", |body| match body {
            Body::Closed(it) if it.attempt == attempt => Some(it.clone()),
            _ => None,
        });
        assert_eq!(closed.errno, Some(libc::ECONNRESET));
        // The kernel resets them of its own accord: no segment is answered.
        let sent = trace.body("reset sent", |body| match body {
            Body::ResetSent(it) if it.flow.source_port == Some(own) => Some(it.clone()),
            _ => None,
        });
        assert_eq!(sent.flow.destination, destination);
    }
}
