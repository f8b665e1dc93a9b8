//! Every kind in both families, and everything that must be rejected.

use super::*;
use proptest::prelude::*;
use rollout_ebpf::record::address::Endpoint;
use rollout_ebpf::record::backlog::Backlog;
use rollout_ebpf::record::balance::{Balance, Change};
use rollout_ebpf::record::packet::Packet;
use rollout_ebpf::record::socket::Socket;
use rollout_ebpf::record::task::Task;
use zerocopy::IntoBytes;

fn tuple4() -> Tuple {
    Tuple {
        source: Endpoint::v4([10, 0, 0, 1], 40000u16.to_be_bytes()),
        destination: Endpoint::v4([10, 0, 0, 2], 80u16.to_be_bytes()),
    }
}

fn socket(kind: Kind, tuple: Tuple) -> Socket {
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"cu\xffl");
    Socket {
        header: Header::new(7, kind),
        attempt: 3,
        cgroup: 4,
        socket: 5,
        duration_ns: 6,
        netns: Space { cookie: 8, inum: 9, padding: [0; 4] },
        tuple,
        pid: 10,
        errno: -111,
        comm,
        state: 2,
        padding: [0; 7],
    }
}

fn packet(kind: Kind) -> Packet {
    Packet {
        header: Header::new(7, kind),
        netns: Space::NONE,
        tuple: tuple4(),
        location: 0,
        reason: 2,
        has_reason: 1,
        icmp_type: 3,
        icmp_code: 3,
        has_socket: 0,
        state: 0,
        padding: [0; 7],
    }
}

fn backlog(is_handshake_ack: u8) -> Backlog {
    Backlog {
        header: Header::new(7, Kind::BacklogFull),
        netns: Space { cookie: 8, inum: 9, padding: [0; 4] },
        tuple: tuple4(),
        backlog: 2,
        limit: 1,
        is_handshake_ack,
        padding: [0; 7],
    }
}

fn balance(kind: Kind, change: u8) -> Balance {
    Balance {
        header: Header::new(7, kind),
        netns: Space::NONE,
        client: tuple4().source,
        service: tuple4().destination,
        destination: Endpoint::v6([1; 16], 8080u16.to_be_bytes()),
        weight: 0,
        result: -2,
        change,
        has_weight: 1,
        padding: [0; 2],
    }
}

fn decoded(bytes: &[u8]) -> Body {
    decode(bytes, &Names::default()).unwrap().1
}

#[test]
fn a_connect_is_decoded_in_host_order() {
    let Body::Connect(connect) = decoded(socket(Kind::Connect, tuple4()).as_bytes()) else {
        panic!("another body");
    };
    assert_eq!(connect.attempt, 3);
    assert_eq!(connect.flow.source, Some([10, 0, 0, 1].into()));
    assert_eq!(connect.flow.source_port, Some(40000));
    assert_eq!(connect.flow.destination.to_string(), "10.0.0.2:80");
    assert_eq!((connect.netns.inum, connect.netns.cookie), (9, 8));
    assert_eq!(connect.comm, "cu\u{fffd}l");
}

#[test]
fn f05_a_port_that_was_not_chosen_yet_is_absent() {
    let source = Endpoint::v6([0; 16], [0, 0]);
    let destination = Endpoint::v6([2; 16], 80u16.to_be_bytes());
    let wire = socket(Kind::Connect, Tuple { source, destination });
    let Body::Connect(connect) = decoded(wire.as_bytes()) else { panic!("another body") };
    assert_eq!((connect.flow.source, connect.flow.source_port), (None, None));
}

#[test]
fn f06_an_error_of_the_tracepoint_becomes_a_positive_errno_and_none_means_sent() {
    let mut wire = socket(Kind::SynRetransmit, tuple4());
    wire.errno = -16;
    let Body::SynRetransmit(retransmit) = decoded(wire.as_bytes()) else { panic!("another body") };
    assert_eq!(retransmit.errno, Some(16));
    wire.errno = 0;
    wire.attempt = 0;
    let Body::SynRetransmit(retransmit) = decoded(wire.as_bytes()) else { panic!("another body") };
    assert_eq!((retransmit.errno, retransmit.attempt), (None, None));
}

#[test]
fn names_of_this_kernel_are_used_and_an_unknown_number_stays_a_number() {
    let mut names = Names::default();
    let wire = packet(Kind::SynDropped);
    let reason = |names: &Names| match decode(wire.as_bytes(), names).unwrap().1 {
        Body::SynDropped(dropped) => dropped.reason,
        _ => None,
    };
    assert_eq!(reason(&names).as_deref(), Some("0x2"));
    names.drop_reasons.insert(2, "NETFILTER_DROP".into());
    assert_eq!(reason(&names).as_deref(), Some("NETFILTER_DROP"));
}

#[test]
fn f08_a_full_accept_queue_keeps_its_numbers_and_which_segment_met_it() {
    for (number, is_ack) in [(0, false), (1, true)] {
        let Body::BacklogFull(full) = decoded(backlog(number).as_bytes()) else {
            panic!("another body");
        };
        assert_eq!((full.backlog, full.limit, full.handshake_ack), (2, 1, is_ack));
        assert_eq!((full.flow.source_port, full.netns.inum), (Some(40000), 9));
        assert_eq!(full.flow.destination.to_string(), "10.0.0.2:80");
    }
}

#[test]
fn a_repeated_syn_ack_is_told_from_the_clients_side() {
    let Body::SynAckRetransmitted(again) = decoded(packet(Kind::SynAckRetransmit).as_bytes())
    else {
        panic!("another body");
    };
    assert_eq!(again.flow.source, Some([10, 0, 0, 1].into()));
    assert_eq!(again.flow.destination.to_string(), "10.0.0.2:80");
}

#[test]
fn an_ipvs_change_keeps_weight_and_result() {
    let wire = balance(Kind::IpvsDestination, Change::Edit as u8);
    let Body::IpvsDestination(change) = decoded(wire.as_bytes()) else { panic!("another body") };
    assert_eq!((change.weight, change.result, change.polled), (Some(0), -2, false));
    assert_eq!(change.service.unwrap().to_string(), "10.0.0.2:80");
}

#[test]
fn an_exit_tells_status_or_signal() {
    let ended = |exit_code: u32| {
        let wire = Task {
            header: Header::new(1, Kind::Exit),
            cgroup: 1,
            pid: 2,
            sender_pid: 0,
            comm: [0; 16],
            sender_comm: [0; 16],
            signal: 0,
            code: 0,
            result: 0,
            exit_code,
        };
        match decoded(wire.as_bytes()) {
            Body::Exit(exit) => (exit.status, exit.signal),
            _ => (None, None),
        }
    };
    assert_eq!(ended(0), (Some(0), None));
    assert_eq!(ended(3 << 8), (Some(3), None));
    assert_eq!(ended(9), (None, Some(9)));
    assert_eq!(ended(0x80 | 11), (None, Some(11)));
}

#[test]
fn what_is_unknown_short_or_long_is_rejected() {
    let names = Names::default();
    let wire = socket(Kind::Connect, tuple4());
    let bytes = wire.as_bytes();
    let short = bytes.len() - 1;
    assert_eq!(decode(&bytes[..short], &names), Err(DecodeError::Length(short)));
    assert_eq!(decode(&[bytes, &[0]].concat(), &names), Err(DecodeError::Length(short + 2)));
    assert_eq!(decode(&[], &names), Err(DecodeError::Length(0)));
    let mut unknown = wire;
    unknown.header.kind = 0;
    assert_eq!(decode(unknown.as_bytes(), &names), Err(DecodeError::Kind(0)));
    let nowhere = socket(Kind::Connect, Tuple::NONE);
    assert_eq!(decode(nowhere.as_bytes(), &names), Err(DecodeError::Address));
    let odd = balance(Kind::IpvsDestination, 9);
    assert_eq!(decode(odd.as_bytes(), &names), Err(DecodeError::Change(9)));
}

#[test]
fn every_kind_decodes_from_its_own_layout() {
    for kind in Kind::ALL.iter().copied() {
        let result = match kind {
            Kind::SynDropped
            | Kind::ResetSent
            | Kind::NoDestination
            | Kind::IcmpSent
            | Kind::SynAckRetransmit => decode(packet(kind).as_bytes(), &Names::default()),
            Kind::BacklogFull => decode(backlog(0).as_bytes(), &Names::default()),
            Kind::BackendChosen | Kind::IpvsDestination | Kind::IpvsServiceGone => {
                decode(balance(kind, Change::Add as u8).as_bytes(), &Names::default())
            }
            Kind::Signal | Kind::Exit => continue,
            _ => decode(socket(kind, tuple4()).as_bytes(), &Names::default()),
        };
        assert_eq!(result.map(|(time, _)| time), Ok(7), "{kind:?}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u32..24) {
        let _ = decode(&bytes, &Names::default());
        for length in [80, 88, 96, 104, 136] {
            bytes.resize(length, 0xff);
            bytes[8..12].copy_from_slice(&kind.to_le_bytes());
            let _ = decode(&bytes, &Names::default());
        }
    }
}
