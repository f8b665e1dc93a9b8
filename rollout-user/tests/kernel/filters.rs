//! The filter in the kernel: open for the unknown, changed while the programs run (F17).
//! Comes in: connects that are wanted and not. Goes out: only the wanted ones.

use super::connects::connect_to;
use super::space::Space;
use super::trace::Trace;
use rollout::record::{Body, Record};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};

fn refused(port: u16) -> SocketAddr {
    let destination = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(TcpStream::connect(destination).is_err());
    destination
}

/// Destination ports of everything that was told about a namespace's connects and resets.
fn ports(records: &[Record], space: &Space) -> BTreeSet<u16> {
    let port = |record: &Record| {
        let (netns, flow) = match &record.body {
            Body::Connect(it) => (it.netns, &it.flow),
            Body::ConnectReturned(it) => (it.netns, &it.flow),
            Body::ResetReceived(it) => (it.netns, &it.flow),
            Body::ResetSent(it) => (it.netns, &it.flow),
            _ => return None,
        };
        (netns.inum == space.inum).then_some(flow.destination.port())
    };
    records.iter().filter_map(port).collect()
}

pub fn f17_only_wanted_ports_are_told_until_the_filter_is_open_again() {
    let space = Space::enter();
    let mut trace = Trace::start();
    trace.filter().set_ports(&BTreeSet::from([11, 12])).unwrap();
    refused(10);
    refused(11);
    trace.filter().set_ports(&BTreeSet::from([12, 13])).unwrap();
    refused(11 + 3);
    refused(13);
    trace.filter().clear_ports().unwrap();
    let last = refused(15);
    connect_to(&mut trace, &space, last);
    assert_eq!(ports(&trace.finish(), &space), BTreeSet::from([11, 13, 15]));
}

pub fn f17_a_namespace_that_was_denied_is_silent_and_an_unknown_one_is_not() {
    let denied = Space::enter();
    let unknown = Space::new();
    let mut trace = Trace::start();
    trace.filter().deny_netns(denied.inum).unwrap();
    refused(10);
    unknown.join();
    let other = refused(11);
    connect_to(&mut trace, &unknown, other);
    denied.join();
    trace.filter().allow_netns(denied.inum).unwrap();
    let last = refused(12);
    connect_to(&mut trace, &denied, last);
    assert_eq!(ports(&trace.finish(), &denied), BTreeSet::from([12]));
}
