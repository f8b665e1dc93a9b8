//! Bad input and faults: what the report says when the recording does not tell everything.

use crate::scenarios::{blog, clean};
use crate::world::*;
use rollout::analyse::report::attempt::{Outcome, SynClass};
use rollout::analyse::report::pod::{Cell, Step};
use rollout::analyse::report::verdict::{Doubt, Finding};
use rollout::analyse::{Explainer, explain};
use rollout::present::{json, text};
use rollout::record::Body;
use rollout::record::cluster::WatchChange;
use rollout::record::kernel::*;
use rollout::record::meta::{Clock, DataPath, Phase, Stage};

fn doubts(world: &World) -> Vec<Doubt> {
    let verdict = explain(&world.records).verdict;
    assert_eq!(verdict.exit_code, 3, "{:?}", verdict.doubts);
    assert_eq!(verdict.result, Finding::Inconclusive);
    verdict.doubts
}

pub fn without(mut world: World, unwanted: impl Fn(&Body) -> bool) -> World {
    world.records.retain(|record| !unwanted(&record.body));
    world
}

#[test]
fn an_empty_recording_is_inconclusive() {
    let report = explain(&[]);
    assert_eq!(report.verdict.exit_code, 3);
    assert!(text::render(&report, text::Options::default()).starts_with("Inconclusive: "));
}

#[test]
fn no_traffic_is_inconclusive() {
    let quiet = without(clean(), |body| matches!(body, Body::Connect(_) | Body::Established(_)));
    let quiet = without(quiet, |body| matches!(body, Body::BackendChosen(_) | Body::Closed(_)));
    assert_eq!(doubts(&quiet), [Doubt::NoTraffic]);
}

#[test]
fn no_update_is_inconclusive() {
    let mut world = World::watching(1);
    world.steady(3 * S, 5 * S, 50 * MS, &[10]);
    world.phase(6 * S, Phase::Ended);
    assert_eq!(doubts(&world), [Doubt::NoUpdate]);
}

#[test]
fn an_update_under_way_is_said() {
    let mut world = World::watching(1);
    world.records.retain(|record| !matches!(record.body, Body::Phase(_)));
    world.update_begins(S);
    world.phase(2 * S, Phase::Watching);
    world.pod_comes(3 * S, 20);
    world.pod_goes(4 * S, 10, S, 60 * MS);
    world.steady(5 * S, 6 * S, 50 * MS, &[20]);
    world.pod_gone(6 * S, 10);
    world.update_complete(7 * S);
    world.phase(8 * S, Phase::Ended);
    assert_eq!(doubts(&world), [Doubt::CameInTheMiddle]);
}

#[test]
fn a_recording_without_end_is_said() {
    let killed = without(clean(), |body| matches!(body, Body::Phase(Phase::Ended)));
    assert_eq!(doubts(&killed), [Doubt::NoEnd]);
}

#[test]
fn never_in_sync_is_said() {
    let early = without(clean(), |body| matches!(body, Body::Phase(Phase::Watching)));
    assert!(doubts(&early).contains(&Doubt::NeverInSync));
}

#[test]
fn a_paused_workload_is_said() {
    let mut world = World::watching(1);
    world.steady(3 * S, 5 * S, 50 * MS, &[10]);
    world.change_deployment(4 * S, |d| {
        d.paused = true;
        d.generation += 1;
        d.template_digest = "two".into();
    });
    world.phase(6 * S, Phase::CutShort { reason: "timeout".into() });
    let doubts = doubts(&world);
    assert!(doubts.contains(&Doubt::Paused) && doubts.contains(&Doubt::NoUpdate));
}

#[test]
fn an_old_pod_that_stays_leaves_the_update_incomplete() {
    let stays = without(clean(), |body| matches!(body, Body::Pod(seen) if !seen.present));
    assert_eq!(doubts(&stays), [Doubt::Incomplete]);
}

#[test]
fn a_watch_cut_during_the_update_is_said() {
    let mut world = clean();
    world.watch(8 * S, "pods", "node=node1", WatchChange::Cut, Some("410 Gone"));
    world.watch(8500 * MS, "pods", "node=node1", WatchChange::Synced, None);
    assert_eq!(doubts(&world), [Doubt::WatchCut { gaps: 1 }]);
    let report = explain(&world.records);
    assert_eq!(report.watch_gaps.len(), 1);
    assert!(report.watch_gaps[0].overlaps_update);
}

#[test]
fn a_watch_cut_before_the_update_does_no_harm() {
    let mut world = clean();
    world.watch(2500 * MS, "pods", "node=node1", WatchChange::Cut, None);
    world.watch(2600 * MS, "pods", "node=node1", WatchChange::Synced, None);
    let report = explain(&world.records);
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    assert!(!report.watch_gaps[0].overlaps_update);
}

#[test]
fn an_essential_hook_that_is_missing_is_said() {
    let mut world = without(clean(), |body| matches!(body, Body::Hooks(_)));
    world.hooks(&["syn_retransmit", "signal"]);
    assert_eq!(doubts(&world), [Doubt::Blind { fact: "syn_retransmit".into() }]);
    let report = explain(&world.records);
    let blind: Vec<_> = report.blind_spots.iter().map(|spot| spot.fact.as_str()).collect();
    assert_eq!(blind, ["signal", "syn_retransmit"]);
}

#[test]
fn without_drop_hooks_silence_places_no_syn() {
    let mut world = without(blog(), |body| matches!(body, Body::Hooks(_) | Body::SynDropped(_)));
    world.hooks(&["syn_dropped"]);
    let report = explain(&world.records);
    let counts = report.verdict.syns;
    assert_eq!((counts.dropped_in_ipvs, counts.unknown), (0, 10));
}

#[test]
fn a_data_path_that_is_not_covered_is_said() {
    let mut world = clean();
    world.data_path(DataPath::SocketLb, "cilium");
    world.records.last_mut().expect("a record").time_ns += 10_000_000;
    assert_eq!(doubts(&world), [Doubt::DataPathNotCovered]);
}

#[test]
fn f29_a_choice_for_a_client_whose_syns_are_hidden_is_said() {
    let mut world = clean();
    let flow = Flow { source: Some(ip(77)), source_port: Some(1234), destination: vip() };
    let (backend, by) = (backend(20), Chooser::Ipvs);
    let chosen = BackendChosen { flow, backend, weight: Some(1), by, netns: NODE };
    world.push(8 * S, Body::BackendChosen(chosen));
    assert_eq!(doubts(&world), [Doubt::ClientsElsewhere { choices: 1 }]);
    assert_eq!(explain(&world.records).unmatched.choices_of_workload, 1);
}

#[test]
fn a_service_without_a_choice_has_no_known_backend() {
    let mut world = clean();
    let mut dial = world.dial(8 * S + 1);
    dial.established(300);
    assert_eq!(doubts(&world), [Doubt::BackendUnknown { syns: 1 }]);
}

#[test]
fn an_attempt_that_falls_silent_is_said() {
    let mut world = clean();
    world.dial(8 * S + 1).chosen(20, 20);
    assert_eq!(doubts(&world), [Doubt::OutcomeUnknown { attempts: 1 }]);
}

#[test]
fn an_attempt_in_flight_at_the_end_is_no_doubt() {
    let mut world = clean();
    world.dial(12 * S - 1).chosen(1, 20);
    let report = explain(&world.records);
    assert_eq!((report.verdict.exit_code, report.verdict.in_progress), (0, 1));
}

#[test]
fn a_loss_before_the_update_does_no_harm_but_is_shown() {
    let mut world = clean();
    world.loss(3 * S, 3100 * MS, Stage::Ring, 4);
    let report = explain(&world.records);
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    assert_eq!(report.losses.len(), 1);
    assert!(!report.losses[0].overlaps_update);
}

#[test]
fn failures_win_over_doubts() {
    let mut world = blog();
    world.loss(6 * S, 7 * S, Stage::Ring, 1);
    let report = explain(&world.records);
    assert_eq!(report.verdict.exit_code, 1);
    assert_eq!(report.verdict.doubts, [Doubt::Lost { events: 1, uncounted: 0 }]);
}

#[test]
fn a_connect_that_began_before_the_trace_is_not_given_a_beginning() {
    let mut world = clean();
    let flow = Flow { source: Some(ip(2)), source_port: Some(39_999), destination: vip() };
    for at in [7 * S, 8 * S] {
        let event = SynRetransmit { attempt: None, flow, netns: GATEWAY, errno: None };
        world.push(at + 11, Body::SynRetransmit(event));
    }
    let report = explain(&world.records);
    let attempt = report.attempts.iter().find(|a| a.attempt.is_none()).expect("it is reported");
    assert!(attempt.begun_unseen && attempt.slowed);
    assert_eq!((attempt.outcome, attempt.retransmits), (Outcome::Unknown, 2));
    assert_eq!(attempt.syns[0].class, SynClass::Unknown);
    assert_eq!(report.verdict.exit_code, 1);
}

#[test]
fn a_stepped_clock_moves_wall_times_only() {
    let straight = explain(&clean().records);
    let mut world = clean();
    let unix_ns = (UNIX + 3_600) * 1_000_000_000;
    world.push(8 * S, Body::Clock(Clock { unix_ns, error_ns: 500 }));
    let stepped = explain(&world.records);
    assert_eq!(straight.verdict.attempts, stepped.verdict.attempts);
    let last = |report: &rollout::analyse::report::Report| report.attempts.last().map(|a| a.begun);
    let (a, b) = (last(&straight).expect("one"), last(&stepped).expect("one"));
    assert_eq!((a.time_ns, a.offset_ns), (b.time_ns, b.offset_ns));
    assert!(b.unix_ns > a.unix_ns);

    assert!(straight.clock.is_some_and(|clock| clock.steps.is_empty() && clock.error_ns == 500));
    let clock = stepped.clock.as_ref().expect("clock readings");
    let [step] = clock.steps.as_slice() else { panic!("{:?}", clock.steps) };
    assert_eq!((step.by_ns, clock.error_ns), (3_592_000_000_000, 500));
    assert_eq!(
        (step.from.time_ns, step.to.time_ns),
        ((BASE_US + 1) * 1000, (BASE_US + 8 * S) * 1000)
    );
    let page = text::render(&stepped, text::Options::default());
    assert!(page.contains("the node's clock was set forward by 59 min 52 s"), "{page}");
}

#[test]
fn a_trace_without_target_can_be_explained_for_a_workload() {
    let mut world = clean();
    for record in &mut world.records {
        if let Body::Header(header) = &mut record.body {
            header.target = None;
        }
    }
    let plain = explain(&world.records);
    assert!(plain.verdict.doubts.contains(&Doubt::NoTarget));
    assert!(plain.verdict.attempts > 0);
    let mut explainer = Explainer::new(Some(target()));
    world.records.iter().for_each(|record| explainer.observe(record));
    let mut reading = explainer.observed();
    world.records.iter().for_each(|record| reading.event(record));
    assert_eq!(reading.report().verdict.exit_code, 0);
}

#[test]
fn json_is_the_same_value() {
    for world in [clean(), blog()] {
        let report = explain(&world.records);
        let text = json::render(&report).expect("JSON");
        assert_eq!(json::parse(&text).expect("a report"), report);
    }
}

#[test]
fn what_another_nodes_kernel_knows_is_said_to_be_there() {
    let on_node1 = |body: &Body| match body {
        Body::Signal(e) => e.cgroup == cgroup(10),
        Body::Exit(e) => e.cgroup == cgroup(10),
        Body::ListenerClosed(e) => e.cgroup == cgroup(10),
        Body::PodNetns(e) => e.uid == uid(10),
        Body::Listeners(e) => e.netns == netns(10),
        _ => false,
    };
    let mut world = without(clean(), on_node1);
    for record in &mut world.records {
        if let Body::Pod(seen) = &mut record.body
            && seen.object.meta.uid == uid(10)
        {
            seen.object.node = Some("node2".into());
        }
    }
    let report = explain(&world.records);
    let row = report.pods.iter().find(|row| row.pod.uid == uid(10)).expect("a row");
    let elsewhere = Cell::NotSeen { why: "on node node2".into() };
    for at in &row.steps {
        let kernels = matches!(
            at.step,
            Step::ListenerOpen | Step::ListenerClosed | Step::StopSignal | Step::Exit
        );
        assert_eq!(at.cell == elsewhere, kernels, "{at:?}");
    }
    let page = text::render(&report, text::Options::default());
    assert!(page.contains("not seen: on node node2"));
}
