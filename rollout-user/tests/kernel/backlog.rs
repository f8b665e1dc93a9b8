//! Full accept queues and SYN-ACKs that are sent again.
//! Comes in: listeners that nobody accepts from, on loopback in a namespace of its own. Goes out: what was told, equal to
//! the kernel's own counters.

use super::connects::start_connect;
use super::space::{Space, kernel_counter, run};
use super::trace::Trace;
use rollout::record::kernel::{BacklogFull, Flow, SynAckRetransmit};
use rollout::record::table::ListenCounters;
use rollout::record::{Body, Record};
use rollout::tables::listen_counters::{self, Polled};
use rollout::tables::netns::Namespace;
use rollout::timeline::{Next, Timeline, queue};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connections that fit a queue of limit `backlog`: it is full above its limit.
fn room(backlog: i32) -> i32 {
    backlog + 1
}

/// A listener from which nobody accepts.
pub fn server(address: &str, backlog: i32) -> TcpListener {
    let address: SocketAddr = address.parse().unwrap();
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, backlog).unwrap();
    TcpListener::from(socket)
}

/// Connections that wait to be accepted.
pub fn fill(destination: SocketAddr, count: i32) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(destination).unwrap()).collect()
}

fn own(socket: &OwnedFd) -> SocketAddr {
    rustix::net::getsockname(socket).unwrap().try_into().unwrap()
}

fn full_in(records: &[Record], inum: u32) -> Vec<&BacklogFull> {
    let full = records.iter().filter_map(|record| match &record.body {
        Body::BacklogFull(full) if full.netns.inum == inum => Some(full),
        _ => None,
    });
    full.collect()
}

fn again_in(records: &[Record], inum: u32) -> Vec<&SynAckRetransmit> {
    let again = records.iter().filter_map(|record| match &record.body {
        Body::SynAckRetransmitted(again) if again.netns.inum == inum => Some(again),
        _ => None,
    });
    again.collect()
}

fn is_from(flow: &Flow, client: SocketAddr, server: SocketAddr) -> bool {
    flow.source == Some(client.ip())
        && flow.source_port == Some(client.port())
        && flow.destination == server
}

/// The queue is full: each SYN of a further client is told, as often as the kernel counts.
fn each_syn_is_told(bound: &str, dialled: &str) {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = server(bound, 1);
    let port = server.local_addr().unwrap().port();
    let destination: SocketAddr = format!("{dialled}:{port}").parse().unwrap();
    let _waiting = fill(destination, room(1));
    let client = start_connect(destination);
    let source = own(&client);
    // The second one is a retransmit.
    trace.wait("two drops", |records| (full_in(records, space.inum).len() >= 2).then_some(()));
    drop(client);
    drop(server);
    let records = trace.finish();
    let told = full_in(&records, space.inum);
    assert_eq!(told.len() as u64, kernel_counter("ListenOverflows"), "{told:?}");
    for full in told {
        assert!(is_from(&full.flow, source, destination), "{full:?}");
        assert_eq!((full.backlog, full.limit, full.handshake_ack), (2, 1, false));
    }
}

pub fn f08_each_syn_at_a_full_accept_queue_is_told() {
    each_syn_is_told("127.0.0.1:0", "127.0.0.1");
}

pub fn f08_each_syn_at_a_full_accept_queue_is_told_over_ipv6() {
    each_syn_is_told("[::1]:0", "[::1]");
}

pub fn f08_each_ipv4_syn_at_a_full_queue_of_ipv6_is_told() {
    each_syn_is_told("[::]:0", "127.0.0.1");
}

/// Two handshakes wait for their last ACK while one place is left: the second ACK meets a full queue.
fn the_last_ack_is_told(bound: &str, dialled: &str) {
    const BACKLOG: i32 = 3;
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = server(bound, BACKLOG);
    let port = server.local_addr().unwrap().port();
    let destination: SocketAddr = format!("{dialled}:{port}").parse().unwrap();
    let _waiting = fill(destination, room(BACKLOG) - 1);
    run("nft add table inet rollout");
    run("nft add chain inet rollout in { type filter hook input priority 0 ; }");
    run(&format!(
        "nft add rule inet rollout in tcp dport {port} tcp flags & (syn|ack) == ack drop"
    ));
    let clients = [(); 2].map(|()| TcpStream::connect(destination).unwrap());
    // Each SYN-ACK that is sent again is answered by an ACK, which is now let through.
    run("nft delete table inet rollout");
    trace.wait("a drop", |records| (!full_in(records, space.inum).is_empty()).then_some(()));
    drop(server);
    let records = trace.finish();
    let told = full_in(&records, space.inum);
    assert_eq!(told.len() as u64, kernel_counter("ListenOverflows"), "{told:?}");
    for full in told {
        assert_eq!((full.backlog, full.limit, full.handshake_ack), (4, 3, true));
        let source = clients.iter().map(|client| client.local_addr().unwrap());
        assert!(source.into_iter().any(|one| is_from(&full.flow, one, destination)), "{full:?}");
    }
}

pub fn f08_the_last_ack_at_a_full_accept_queue_is_told() {
    the_last_ack_is_told("127.0.0.1:0", "127.0.0.1");
}

pub fn f08_the_last_ack_at_a_full_accept_queue_is_told_over_ipv6() {
    the_last_ack_is_told("[::1]:0", "[::1]");
}

pub fn f08_the_last_ipv4_ack_at_a_full_queue_of_ipv6_is_told_once() {
    the_last_ack_is_told("[::]:0", "127.0.0.1");
}

/// A queue with a place left is never told, also where SYNs and handshakes wait.
pub fn f08_a_queue_with_room_is_silent() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = server("127.0.0.1:0", 1);
    let destination = server.local_addr().unwrap();
    let clients = fill(destination, room(1));
    let last = clients.last().unwrap().local_addr().unwrap().port();
    trace.body("the last one", |body| match body {
        Body::Established(it) if it.flow.source_port == Some(last) => Some(()),
        _ => None,
    });
    assert_eq!(kernel_counter("ListenOverflows"), 0);
    assert!(full_in(&trace.finish(), space.inum).is_empty());
}

fn counted(timeline: &mut Timeline, seen: &mut Vec<ListenCounters>, wait: Duration) -> bool {
    match timeline.next(wait) {
        Next::Record(record) => {
            if let Body::ListenCounters(counters) = record.body {
                seen.push(counters);
            }
            true
        }
        _ => false,
    }
}

/// What no hook tells is in the namespace's counters: what was before is left out, and the end is read too.
pub fn f08_counters_tell_what_a_full_accept_queue_dropped() {
    let space = Space::enter();
    let server = server("127.0.0.1:0", 1);
    let destination = server.local_addr().unwrap();
    let _waiting = fill(destination, room(1));
    let before = start_connect(destination);
    drop(before);
    let base = kernel_counter("ListenOverflows");
    assert_ne!(base, 0);

    let polled = || {
        let namespace = Namespace::current().unwrap();
        Polled { netns: namespace.identify(), namespace, cgroup: None }
    };
    let (inlet, mut timeline) = queue(1000);
    // So long that only the end tells.
    let hour = Duration::from_secs(3600);
    let (_poll, worker) = listen_counters::follow([polled()], hour, inlet).unwrap();
    let (often_inlet, mut often) = queue(1000);
    let often_interval = Duration::from_millis(20);
    let (_poll, _worker) =
        listen_counters::follow([polled()], often_interval, often_inlet).unwrap();
    let mut clients = Vec::new();
    let mut seen = Vec::new();
    while seen.is_empty() {
        clients.push(start_connect(destination));
        counted(&mut often, &mut seen, Duration::from_millis(100));
    }
    assert_eq!(seen[0].netns.inum, space.inum);
    assert!(seen[0].overflows > 0 && seen[0].drops >= seen[0].overflows, "{seen:?}");
    drop(clients);
    drop(server);
    let all = kernel_counter("ListenOverflows") - base;
    drop(worker);
    let mut at_the_end = Vec::new();
    while counted(&mut timeline, &mut at_the_end, Duration::ZERO) {}
    assert_eq!(at_the_end.len(), 1, "{at_the_end:?}");
    assert_eq!(at_the_end[0].overflows, all, "{at_the_end:?}");
}

fn drop_syn_acks(ports: &[u16]) {
    run("nft add table inet rollout");
    run("nft add chain inet rollout in { type filter hook input priority 0 ; }");
    for port in ports {
        run(&format!(
            "nft add rule inet rollout in tcp sport {port} tcp flags & (syn|ack) == (syn|ack) drop"
        ));
    }
}

/// The client never gets a SYN-ACK: each repetition is told, as often as the kernel counts.
fn each_repetition_is_told(bound: &str, dialled: &str) {
    let space = Space::enter();
    let mut trace = Trace::start();
    let server = server(bound, 16);
    let port = server.local_addr().unwrap().port();
    let destination: SocketAddr = format!("{dialled}:{port}").parse().unwrap();
    drop_syn_acks(&[port]);
    let client = start_connect(destination);
    let source = own(&client);
    trace.wait("two repetitions", |records| {
        (again_in(records, space.inum).len() >= 2).then_some(())
    });
    drop(client);
    drop(server);
    let records = trace.finish();
    let told = again_in(&records, space.inum);
    assert!(told.iter().all(|again| is_from(&again.flow, source, destination)), "{told:?}");
    let syns = records.iter().filter(|record| {
        matches!(&record.body, Body::SynRetransmit(it) if it.netns.inum == space.inum && it.errno.is_none())
    });
    // The kernel counts both together.
    assert_eq!((told.len() + syns.count()) as u64, kernel_counter("TCPSynRetrans"), "{told:?}");
}

pub fn each_syn_ack_that_is_sent_again_is_told() {
    each_repetition_is_told("127.0.0.1:0", "127.0.0.1");
}

pub fn each_syn_ack_that_is_sent_again_is_told_over_ipv6() {
    each_repetition_is_told("[::1]:0", "[::1]");
}

pub fn each_syn_ack_of_an_ipv6_listener_to_ipv4_is_told_as_ipv4() {
    each_repetition_is_told("[::]:0", "127.0.0.1");
}

/// Only the wanted port's are told.
pub fn f17_syn_acks_that_are_sent_again_are_filtered_by_port() {
    let space = Space::enter();
    let mut trace = Trace::start();
    let servers = [(); 2].map(|()| server("127.0.0.1:0", 16));
    let [unwanted, wanted] = servers.each_ref().map(|one| one.local_addr().unwrap());
    drop_syn_acks(&[unwanted.port(), wanted.port()]);
    trace.filter().set_ports(&BTreeSet::from([wanted.port()])).unwrap();
    let _clients = [unwanted, wanted].map(start_connect);
    // Each retransmitted SYN is answered at once: after two of the later client the earlier one had one.
    trace.wait("two repetitions", |records| {
        (again_in(records, space.inum).len() >= 2).then_some(())
    });
    let records = trace.finish();
    let told = again_in(&records, space.inum);
    assert!(told.iter().all(|again| again.flow.destination == wanted), "{told:?}");
}
