//! Why: what each cause needs, what rules it out, and what loss and blindness make of it.

use crate::scenarios::{blog, clean, gap, listener_first};
use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::cause::{Cause, CauseName, Surety};
use rollout::present::text;
use rollout::record::Body;
use rollout::record::kernel::{BacklogFull, DestinationChange, Flow};
use rollout::record::meta::{Phase, Stage};

fn cause(report: &Report, name: CauseName) -> Option<&Cause> {
    report.causes.iter().find(|cause| cause.name == name)
}

fn names(report: &Report) -> Vec<CauseName> {
    report.causes.iter().map(|cause| cause.name).collect()
}

fn flow(port: u16) -> Flow {
    Flow { source: Some(ip(2)), source_port: Some(port), destination: vip() }
}

/// Pod 20 comes, pod 10 goes at 7 s: its listener and the balancer after so long.
fn update(closes_after: u64, balancer_after: u64) -> World {
    let mut world = World::watching(1);
    world.steady(3 * S, 6600 * MS, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.pod_goes(7 * S, 10, closes_after, balancer_after);
    world
}

fn ended(mut world: World) -> World {
    world.program(9500 * MS, 10, DestinationChange::Delete, None);
    world.pod_gone(9600 * MS, 10);
    world.update_complete(10 * S);
    world.phase(12 * S, Phase::Ended);
    world
}

#[test]
fn an_update_without_trouble_has_no_findings() {
    let report = explain(&clean().records);
    assert_eq!(names(&report), []);
    assert!(report.pre_stop.is_some(), "the number is there for those who ask");
}

#[test]
fn f01_a_retransmit_that_ipvs_drops_comes_second() {
    let report = explain(&blog().records);
    let late = cause(&report, CauseName::LateSyn).expect("late SYNs");
    let dropped = cause(&report, CauseName::DroppedInIpvs).expect("drops");
    assert_eq!((late.attempts.len(), late.surety), (10, Surety::Proven));
    assert_eq!(dropped.attempts, late.attempts, "the same attempts, made worse");
    let gave_up = cause(&report, CauseName::ClientGaveUp).expect("abandoned ones");
    assert_eq!(gave_up.cost.failed, 3);
}

#[test]
fn f02_a_gap_has_no_destination() {
    let report = explain(&gap().records);
    let cause = cause(&report, CauseName::NoDestination).expect("no destination");
    assert_eq!((cause.cost.failed, cause.cost.slowed), (4, 5));
}

#[test]
fn f07_unaccepted_connections_are_told_from_refused_ones() {
    let report = explain(&listener_first().records);
    let of = |name| cause(&report, name).map_or(0, |cause| cause.attempts.len());
    assert_eq!((of(CauseName::ListenerClosedFirst), of(CauseName::UnacceptedReset)), (8, 3));
}

#[test]
fn f08_a_full_accept_queue_is_told_from_a_black_hole() {
    let mut world = update(2 * S, 60 * MS);
    let mut dial = world.dial(8 * S);
    let port = dial.flow.source_port.expect("a port");
    dial.chosen(20, 20);
    dial.resent(1020 * MS, None);
    dial.established(1021 * MS);
    let silent = explain(&ended_copy(&world).records);
    assert_eq!(names(&silent), [CauseName::Unexplained]);
    let flow = Flow { destination: backend(20), ..flow(port) };
    let (netns, backlog, limit) = (netns(20), 2, 1);
    let full = BacklogFull { flow, netns, backlog, limit, handshake_ack: false };
    world.push(8 * S + 60, Body::BacklogFull(full));
    let report = explain(&ended(world).records);
    assert_eq!(names(&report), [CauseName::SurgeOverload]);
}

fn ended_copy(world: &World) -> World {
    let mut copy = World::default();
    copy.records.clone_from(&world.records);
    copy.phase(12 * S, Phase::Ended);
    copy
}

#[test]
fn f16_an_entry_of_weight_0_is_told_from_a_late_choice() {
    let mut world = update(15 * MS, 20 * MS);
    world.request(4 * S + 7, 10);
    let port = world.port;
    world.dial_as(7100 * MS, flow(port), GATEWAY, GATEWAY_CGROUP, "nginx").refused(220, 10);
    let report = explain(&ended(world).records);
    assert_eq!(names(&report), [CauseName::WeightZeroReuse]);

    let mut world = update(15 * MS, 200 * MS);
    let mut dial = world.dial(7100 * MS);
    dial.chosen(20, 10);
    dial.refused(220, 10);
    let report = explain(&ended(world).records);
    assert!(cause(&report, CauseName::WeightZeroReuse).is_none(), "it made a choice of its own");
    assert!(cause(&report, CauseName::ListenerClosedFirst).is_some());
}

#[test]
fn f16_an_entry_in_time_wait_costs_the_first_syn() {
    let mut world = update(2 * S, 60 * MS);
    world.request(4 * S + 7, 10);
    let port = world.port;
    let mut dial = world.dial_as(8 * S, flow(port), GATEWAY, GATEWAY_CGROUP, "nginx");
    dial.dropped(40, "NETFILTER_DROP", NODE);
    dial.resent(1020 * MS, None);
    dial.chosen(1020 * MS + 30, 20);
    dial.established(1021 * MS);
    let report = explain(&ended(world).records);
    assert_eq!(names(&report), [CauseName::ReuseDrop]);
}

#[test]
fn f22_a_sandbox_that_is_killed_is_no_grace_overrun() {
    let mut world = update(2 * S, 60 * MS);
    let mut dial = world.dial(6900 * MS);
    dial.chosen(20, 10);
    dial.established(300);
    // Reset when the sandbox was killed, after the server had exited by itself.
    dial.reset(2761 * MS, "ESTABLISHED");
    dial.closed(2761 * MS + 5, Some(104));
    let report = explain(&ended(world).records);
    assert!(cause(&report, CauseName::GraceOverrun).is_none(), "{:?}", names(&report));
}

#[test]
fn a_fact_that_is_not_seen_leaves_its_rival_open() {
    let mut world = blog();
    world.hooks(&["syn_ack_retransmit"]);
    let report = explain(&world.records);
    let late = cause(&report, CauseName::LateSyn).expect("late SYNs");
    assert_eq!(late.surety, Surety::Likely);
    assert_eq!(late.competing, [CauseName::CniCutEarly]);
}

#[test]
fn a_loss_makes_every_cause_merely_possible() {
    let mut world = blog();
    world.loss(6 * S, 7 * S, Stage::Ring, 3);
    let report = explain(&world.records);
    assert!(cause(&report, CauseName::OwnBlindness).is_some());
    let others = report.causes.iter().filter(|cause| cause.name != CauseName::OwnBlindness);
    assert!(others.clone().count() >= 3);
    assert!(others.clone().all(|cause| cause.surety == Surety::Possible));
}

#[test]
fn the_pre_stop_number_counts_from_kubelets_beginning() {
    let with = |sleep: i64| {
        let mut world = World::watching(1);
        world.steady(3 * S, 6600 * MS, 200 * MS, &[10]);
        world.change_pod(3 * S, 10, |pod| {
            pod.pre_stop_sleep_seconds = Some(sleep).filter(|seconds| *seconds > 0);
        });
        world.update_begins(5 * S);
        world.pod_comes(6 * S, 20);
        // The stop signal comes 12 ms after the deletion in this world: as if the sleep had begun before.
        world.pod_goes(7 * S, 10, 4 * S, 3 * S);
        let mut last = world.dial(9900 * MS);
        last.chosen(20, 10);
        last.established(300);
        explain(&ended(world).records).pre_stop.expect("a number")
    };
    let bare = with(0);
    assert_eq!((bare.most_ns / 1_000_000, bare.has_seconds, bare.seconds), (2888, None, 5));
    let slept = with(2);
    assert_eq!((slept.most_ns / 1_000_000, slept.has_seconds, slept.seconds), (4888, Some(2), 8));
    assert_eq!(slept.fits, Some(true));
    assert!(slept.patch.contains(r#""sleep":{"seconds":8}"#), "{}", slept.patch);
}

#[test]
fn no_number_is_given_where_the_pod_was_still_chosen_when_the_recording_ended() {
    let mut world = World::watching(1);
    world.steady(3 * S, 8 * S, 200 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world.pod_goes(7 * S, 10, 4 * S, 3 * S);
    let end = world.records[0].time_ns + 8 * S * 1_000;
    world.records.retain(|record| record.time_ns <= end);
    assert_eq!(explain(&world.records).pre_stop, None);
    let page = text::render(&explain(&world.records), text::Options::default());
    assert!(page.contains("so far: the end of the update was not seen"), "{page}");
}

#[test]
fn every_cause_cites_records_that_are_there() {
    for world in [blog(), gap(), listener_first()] {
        let report = explain(&world.records);
        let known = world.records.len() as u64;
        for sign in report.causes.iter().flat_map(|cause| &cause.signs) {
            assert!(sign.evidence.iter().all(|id| (1..=known).contains(id)), "{}", sign.text);
        }
        for cause in &report.causes {
            let cites = cause.signs.iter().any(|sign| !sign.evidence.is_empty());
            assert!(cites, "{:?} cites nothing", cause.name);
            assert!(cause.attempts.iter().all(|position| *position < report.attempts.len()));
        }
    }
}
