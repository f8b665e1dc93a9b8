//! Each rung of each ladder, forced: it attaches and tells the same as the others, or says why not.
//! Comes in: forced rungs. Goes out: events of one refused connect.

use super::connects::{connect_to, failure_of};
use super::space::Space;
use super::trace::Trace;
use rollout::probe::{Options, Probes, Rung, doctor_hooks};
use rollout::record::Body;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};

fn force(fact: &str, rung: Rung) -> Options {
    let force = BTreeMap::from([(fact.to_owned(), rung)]);
    Options { force, ipvs: false, ..Options::default() }
}

/// Forces a rung. Where it is refused the reason must be said, and nothing else must serve the fact.
fn attaches(fact: &str, rung: Rung, must: bool) -> Option<Trace> {
    let trace = Trace::with(&force(fact, rung));
    let hook = trace.hook(fact);
    if hook.attached.is_none() {
        assert!(!must, "{fact} {rung:?}: {hook:?}");
        assert!(!hook.refused.is_empty() && hook.blind.is_some(), "{hook:?}");
        println!("{fact} {rung:?}: {}", hook.refused.join("; "));
        return None;
    }
    Some(trace)
}

fn refuse(address: &str) -> SocketAddr {
    let destination: SocketAddr = address.parse().unwrap();
    assert!(TcpStream::connect(destination).is_err());
    destination
}

fn connect_by(rung: Rung, must: bool) {
    let space = Space::enter();
    let Some(mut trace) = attaches("connect", rung, must) else { return };
    let destination = refuse("127.0.0.1:9");
    let begun = connect_to(&mut trace, &space, destination);
    let knows_port = rung != Rung::RawTracepoint;
    assert_eq!(begun.flow.source_port.is_some(), knows_port, "{begun:?}");
    let failed = failure_of(&mut trace, begun.attempt);
    assert!(failed.flow.source_port.is_some());
    if knows_port {
        assert_eq!(failed.flow.source_port, begun.flow.source_port);
    }
}

/// Whether this kernel offers functions to hook: the machine's own may not.
fn has_functions() -> bool {
    std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

pub fn rung_connect_by_fentry() {
    connect_by(Rung::Fentry, has_functions());
}

pub fn rung_connect_by_kprobe() {
    connect_by(Rung::Kprobe, has_functions());
}

pub fn rung_connect_by_raw_tracepoint() {
    connect_by(Rung::RawTracepoint, true);
}

fn call_by(rung: Rung, must: bool) {
    let space = Space::enter();
    let Some(mut trace) = attaches("connect_call", rung, must) else { return };
    let destination = refuse("203.0.113.1:80");
    let returned = trace.body("return", |body| match body {
        Body::ConnectReturned(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    });
    assert_eq!((returned.flow.destination, returned.errno), (destination, libc::ENETUNREACH));
}

pub fn rung_connect_call_by_fentry() {
    call_by(Rung::Fentry, has_functions());
}

pub fn rung_connect_call_by_tracepoint() {
    call_by(Rung::Tracepoint, std::path::Path::new("/sys/kernel/tracing/events").exists());
}

pub fn rung_connect_call_by_raw_tracepoint() {
    call_by(Rung::RawTracepoint, true);
}

fn reset_by(rung: Rung, must: bool) {
    let space = Space::enter();
    let Some(mut trace) = attaches("reset_sent", rung, must) else { return };
    for address in ["127.0.0.1:9", "[::1]:9"] {
        let destination = refuse(address);
        if trace.hook("reset_sent").blind.is_some() {
            continue;
        }
        let sent = trace.body("reset sent", |body| match body {
            Body::ResetSent(it)
                if it.netns.inum == space.inum && it.flow.destination == destination =>
            {
                Some(it.clone())
            }
            _ => None,
        });
        assert!(!sent.has_socket);
    }
    let twice = trace
        .finish()
        .iter()
        .filter(|record| {
            matches!(&record.body, Body::ResetSent(it)
            if it.netns.inum == space.inum && it.flow.destination.is_ipv4())
        })
        .count();
    assert!(twice <= 1, "told {twice} times");
}

pub fn rung_reset_sent_by_kprobe() {
    reset_by(Rung::Kprobe, has_functions());
}

pub fn rung_reset_sent_by_raw_tracepoint() {
    reset_by(Rung::RawTracepoint, true);
}

fn icmp_by(rung: Rung, must: bool) {
    let space = Space::enter();
    super::space::run("nft add table inet rollout");
    super::space::run("nft add chain inet rollout in { type filter hook input priority 0 ; }");
    super::space::run("nft add rule inet rollout in tcp dport 9 reject with icmp port-unreachable");
    let Some(mut trace) = attaches("icmp_sent", rung, must) else { return };
    let destination = refuse("127.0.0.1:9");
    let sent = trace.body("icmp", |body| match body {
        Body::IcmpSent(it) if it.netns.inum == space.inum => Some(it.clone()),
        _ => None,
    });
    assert_eq!((sent.icmp_type, sent.code, sent.flow.destination), (3, 3, destination));
}

pub fn rung_icmp_sent_by_raw_tracepoint() {
    icmp_by(Rung::RawTracepoint, false);
}

pub fn rung_icmp_sent_by_kprobe() {
    icmp_by(Rung::Kprobe, has_functions());
}

/// `doctor` tells every fact, and leaves nothing attached.
pub fn doctor_tells_every_fact() {
    let hooks = doctor_hooks(&Options::default()).unwrap();
    for fact in ["connect", "outcome", "connect_call", "listener", "syn_dropped", "signal", "exit"]
    {
        let hook = hooks.facts.get(fact).expect(fact);
        assert!(hook.attached.is_some(), "{fact}: {hook:?}");
    }
    for (fact, hook) in &hooks.facts {
        println!("{fact}: {hook:?}");
        assert!(hook.attached.is_some() || (!hook.refused.is_empty() && hook.blind.is_some()));
    }
}

/// Debug messages are removed by the verifier when they are off.
pub fn messages_cost_nothing_when_they_are_off() {
    let count = |log: bool| {
        let probes = Probes::load(&Options { log, ipvs: false, ..Options::default() }).unwrap();
        probes.verified_instructions("outcome")
    };
    let (Some(off), Some(on)) = (count(false), count(true)) else {
        println!("this kernel does not count instructions");
        return;
    };
    println!("outcome: {off} instructions without messages, {on} with them");
    // One message is a loop over sizes of some two thousand instructions.
    assert!(on > off + 1000, "{off} without, {on} with");
}
