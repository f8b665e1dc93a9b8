//! What does not fit is counted, exactly: full ring, full map. And nothing stays behind a killed tracer.
//! Comes in: more than fits. Goes out: delivered and lost add up to what was done.

use super::space::Space;
use super::trace::{Trace, lost};
use rollout::probe::{Options, Probes};
use rollout::record::meta::Stage;
use rollout::record::{Body, Record};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Nothing else on the machine uses it, so every event with it is ours.
const PORT: u16 = 47_123;
const BURST: u64 = 500;

fn delivered(records: &[Record], is_wanted: impl Fn(&Body) -> Option<SocketAddr>) -> u64 {
    let ours = |record: &&Record| is_wanted(&record.body).is_some_and(|to| to.port() == PORT);
    records.iter().filter(ours).count() as u64
}

fn burst() {
    for _ in 0..BURST {
        assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
    }
}

pub fn a_burst_into_a_small_ring_is_delivered_or_counted_exactly() {
    let _space = Space::enter();
    let probes =
        Probes::load(&Options { ring_bytes: 4096, ipvs: false, ..Options::default() }).unwrap();
    probes.filter().set_ports(&BTreeSet::from([PORT])).unwrap();
    // Nobody reads yet: nearly all of this is lost. Then the reader races with the second burst.
    burst();
    let trace = Trace::of(probes);
    burst();
    let records = trace.finish();
    let done = 2 * BURST;
    assert_eq!(lost(&records, Stage::Decode, "ring"), 0);
    assert_eq!(lost(&records, Stage::Queue, "timeline"), 0);
    let ring = |program| lost(&records, Stage::Ring, program);
    // The kernel counts skipped runs of anybody's sockets, so they only widen the equation.
    let skipped = |program| lost(&records, Stage::Skipped, program);

    let begun = delivered(&records, |body| match body {
        Body::Connect(it) => Some(it.flow.destination),
        _ => None,
    });
    let failed = delivered(&records, |body| match body {
        Body::ConnectFailed(it) => Some(it.flow.destination),
        _ => None,
    });
    let returned = delivered(&records, |body| match body {
        Body::ConnectReturned(it) => Some(it.flow.destination),
        _ => None,
    });
    let answered = delivered(&records, |body| match body {
        Body::ResetSent(it) => Some(it.flow.destination),
        _ => None,
    });
    let reset = delivered(&records, |body| match body {
        Body::ResetReceived(it) => Some(it.flow.destination),
        _ => None,
    });
    assert!(begun > 0 && ring("outcome") > 0, "{begun} delivered, {} lost", ring("outcome"));
    let sums = [
        ("outcome", 2 * done, begun + failed + ring("outcome") + ring("connect")),
        ("connect_call", done, returned + ring("connect_call")),
        ("reset_sent", done, answered + ring("reset_sent")),
        ("reset_received", done, reset + ring("reset_received")),
    ];
    for (program, expected, sum) in sums {
        println!("{program}: {sum} of {expected}, skipped {}", skipped(program));
        assert!(sum <= expected, "{program}: {sum} of {expected}");
        assert!(sum + 2 * skipped(program) >= expected, "{program}: {sum} of {expected}");
    }
}

pub fn a_full_map_of_attempts_is_counted() {
    let _space = Space::enter();
    let probes = Probes::load(&Options { attempts: 4, ipvs: false, ..Options::default() }).unwrap();
    probes.filter().set_ports(&BTreeSet::from([PORT])).unwrap();
    let trace = Trace::of(probes);
    let server = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    let clients: Vec<_> =
        (0..20).map(|_| TcpStream::connect(server.local_addr().unwrap()).unwrap()).collect();
    let records = trace.finish();
    drop(clients);
    let begun = delivered(&records, |body| match body {
        Body::Connect(it) => Some(it.flow.destination),
        _ => None,
    });
    let missing = lost(&records, Stage::Map, "outcome");
    assert!(missing > 0, "{begun} fitted");
    assert_eq!(begun + missing, 20);
}
