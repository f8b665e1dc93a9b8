//! Kernel facts, by number: what each means for the report.

use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::attempt::*;
use rollout::analyse::report::pod::{Cell, Step};
use rollout::attribute::tag::HostClient;
use rollout::record::Body;
use rollout::record::kernel::*;
use rollout::record::meta::Stage;
use rollout::record::table::{IpvsConnection, IpvsConnections};

/// One old pod (10), one new pod (20), an update that began at 5 s; both programmed at 8 s.
fn mixed() -> World {
    let mut world = World::watching(1);
    world.update_begins(5 * S);
    world.pod_comes(6 * S, 20);
    world
}

fn attempt(report: &Report, number: u64) -> &Attempt {
    report.attempts.iter().find(|a| a.attempt == Some(number)).expect("the attempt is reported")
}

fn classes(attempt: &Attempt) -> Vec<SynClass> {
    attempt.syns.iter().map(|syn| syn.class).collect()
}

fn answers(attempt: &Attempt) -> Vec<Answer> {
    attempt.syns.iter().map(|syn| syn.answer).collect()
}

fn pods(attempt: &Attempt) -> Vec<Option<String>> {
    let name = |syn: &Syn| syn.pod.as_ref()?.pod.as_ref().map(|pod| pod.uid.clone());
    attempt.syns.iter().map(name).collect()
}

#[test]
fn f01_one_connect_with_two_pods_and_a_syn_dropped_between_them() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    let number = dial.attempt;
    let first = dial.chosen(20, 10);
    dial.resent(1020 * MS, None);
    let drop = dial.dropped(1021 * MS, "NETFILTER_DROP", NODE);
    dial.resent(2060 * MS, None);
    dial.chosen(2061 * MS, 20);
    dial.established(2062 * MS);
    let report = explain(&world.records);
    let attempt = attempt(&report, number);
    assert_eq!(classes(attempt), [SynClass::Pod, SynClass::DroppedInIpvs, SynClass::Pod]);
    assert_eq!(answers(attempt), [Answer::Nothing, Answer::Nothing, Answer::SynAck]);
    assert_eq!(pods(attempt), [Some(uid(10)), Some(uid(10)), Some(uid(20))]);
    let roles: Vec<_> = attempt.syns.iter().map(|syn| syn.role).collect();
    assert_eq!(roles, [Some(Role::Old), Some(Role::Old), Some(Role::New)]);
    assert!(attempt.slowed && !attempt.failed);
    assert!(attempt.syns[1].evidence.contains(&first) && attempt.syns[1].evidence.contains(&drop));
    let addresses: Vec<_> = attempt.backends.iter().map(|b| b.address).collect();
    assert_eq!(addresses, [backend(10), backend(20)]);
    let counts = report.verdict.syns;
    assert_eq!((counts.tried, counts.pod, counts.dropped_in_ipvs), (3, 2, 1));
}

#[test]
fn f01_a_reuse_hit_keeps_the_last_choice_of_the_tuple() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    let flow = dial.flow;
    let choice = dial.chosen(20, 10);
    dial.established(400);
    dial.closed(5 * MS, None);
    // The same tuple again: IPVS still has its entry and calls no `ip_vs_conn_new`.
    let mut again = world.dial_as(9 * S, flow, GATEWAY, 5_000, "nginx");
    let number = again.attempt;
    again.resent(1000 * MS, None);
    again.failed(1500 * MS, None);
    let report = explain(&world.records);
    let attempt = attempt(&report, number);
    assert_eq!(pods(attempt), [Some(uid(10)), Some(uid(10))]);
    assert!(attempt.backends.iter().all(|b| b.kept && b.evidence == choice));
    let first = report.attempts.iter().find(|a| a.begun.time_ns < attempt.begun.time_ns);
    assert_eq!(first.map(|a| a.backends.len()), Some(1));
}

#[test]
fn f01_an_entry_older_than_the_trace_counts() {
    let mut world = mixed();
    let client = std::net::SocketAddr::new(ip(2), 55_555);
    let (service, backend, state) = (vip(), backend(10), "ESTABLISHED".to_owned());
    let entries = vec![IpvsConnection { client, service, backend, state }];
    let table = IpvsConnections { netns: NODE, entries, left_out: 0 };
    world.push(50 * MS, Body::IpvsConnections(table));
    let flow = Flow { source: Some(ip(2)), source_port: Some(55_555), destination: vip() };
    let mut dial = world.dial_as(8 * S, flow, GATEWAY, 5_000, "nginx");
    dial.established(300);
    let report = explain(&world.records);
    assert_eq!(pods(&report.attempts[0]), [Some(uid(10))]);
}

#[test]
fn f02_no_destination_is_refused_by_icmp_not_by_rst() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    let number = dial.attempt;
    dial.no_destination(20);
    dial.resent(1020 * MS, None);
    dial.no_destination(1021 * MS);
    dial.failed(1022 * MS, Some(111));
    let report = explain(&world.records);
    let attempt = attempt(&report, number);
    assert_eq!(attempt.outcome, Outcome::RefusedByIcmp);
    assert_eq!(classes(attempt), [SynClass::NoDestination, SynClass::NoDestination]);
    assert_eq!(answers(attempt), [Answer::Icmp, Answer::Icmp]);
    assert!(attempt.failed);
}

#[test]
fn f02_a_refusal_without_either_sign_is_not_guessed() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.failed(500, Some(111));
    let report = explain(&world.records);
    assert_eq!(report.attempts[0].outcome, Outcome::Refused);
    assert_eq!(answers(&report.attempts[0]), [Answer::Unknown]);
}

#[test]
fn f03_a_connect_that_never_left_has_no_syn() {
    let mut world = mixed();
    let flow = Flow { source: None, source_port: None, destination: vip() };
    let returned = |errno, attempt| ConnectReturned {
        attempt,
        flow,
        netns: GATEWAY,
        cgroup: 5_000,
        pid: 4_711,
        comm: "nginx".into(),
        errno,
        duration_ns: 9_000,
    };
    world.push(8 * S, Body::ConnectReturned(returned(13, None)));
    // Where the state change is the hook, an attempt exists although nothing was sent.
    let mut dial = world.dial_as(9 * S, flow, GATEWAY, 5_000, "nginx");
    dial.failed(8, None);
    dial.returned(9, 101);
    let report = explain(&world.records);
    let outcomes: Vec<_> = report.attempts.iter().map(|a| a.outcome).collect();
    assert_eq!(outcomes, [Outcome::NeverSent { errno: 13 }, Outcome::NeverSent { errno: 101 }]);
    assert!(report.attempts.iter().all(|a| a.syns.is_empty() && a.failed && a.in_scope));
    assert_eq!(report.verdict.failed, 2);
    assert_eq!(report.verdict.syns.tried, 0);
}

#[test]
fn f03_an_application_that_gives_up_has_abandoned() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.resent(1020 * MS, None);
    dial.resent(2050 * MS, None);
    dial.failed(3 * S, None);
    let report = explain(&world.records);
    assert_eq!(report.attempts[0].outcome, Outcome::Abandoned { retransmits: 2 });
    assert_eq!(answers(&report.attempts[0]), [Answer::Nothing; 3]);
}

#[test]
fn f04_the_socket_error_at_close_decides() {
    for (errno, reset, wanted) in [
        (110, false, Outcome::TimedOut),
        (111, true, Outcome::RefusedByRst),
        (113, false, Outcome::Unreachable { errno: 113 }),
        (104, false, Outcome::ResetBeforeEstablished),
        (92, false, Outcome::Failed { errno: 92 }),
    ] {
        let mut world = mixed();
        let mut dial = world.dial(8 * S);
        dial.chosen(20, 10);
        if reset {
            dial.reset(90, "SYN_SENT");
        }
        dial.failed(100, Some(errno));
        let report = explain(&world.records);
        assert_eq!(report.attempts[0].outcome, wanted);
        assert!(report.attempts[0].failed);
    }
}

#[test]
fn f05_the_port_missing_at_connect_comes_from_later_events() {
    let mut world = mixed();
    let known = Flow { source: Some(ip(2)), source_port: Some(41_000), destination: vip() };
    let early = Flow { source: None, source_port: None, destination: vip() };
    let mut dial = world.dial_as(8 * S, early, GATEWAY, 5_000, "nginx");
    dial.flow = known;
    dial.chosen(20, 10);
    dial.resent(1020 * MS, None);
    dial.failed(1500 * MS, None);
    let report = explain(&world.records);
    let attempt = &report.attempts[0];
    assert_eq!((attempt.client.address, attempt.client.port), (Some(ip(2)), Some(41_000)));
    assert_eq!(pods(attempt), [Some(uid(10)), Some(uid(10))]);
}

#[test]
fn f06_a_retransmit_with_an_error_was_not_sent() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.resent(1020 * MS, Some(16));
    dial.resent(1200 * MS, None);
    dial.established(1201 * MS);
    let report = explain(&world.records);
    let attempt = &report.attempts[0];
    assert_eq!(classes(attempt), [SynClass::Pod, SynClass::NotSent, SynClass::Pod]);
    assert_eq!((attempt.retransmits, attempt.not_sent), (1, 1));
    assert!(attempt.slowed);
    let counts = report.verdict.syns;
    assert_eq!((counts.tried, counts.pod, counts.not_sent), (3, 2, 1));
    let windows = report.windows.expect("an update was seen");
    assert_eq!(windows.syns_to_old, 2);
}

#[test]
fn f06_only_not_sent_still_means_slowed() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.resent(1020 * MS, Some(16));
    dial.established(1021 * MS);
    let report = explain(&world.records);
    assert_eq!(answers(&report.attempts[0]), [Answer::SynAck, Answer::Nothing]);
    assert!(report.attempts[0].slowed);
    assert_eq!(report.verdict.exit_code, 1);
}

#[test]
fn f07_a_reset_after_it_was_established_is_a_failure_of_its_own() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.established(400);
    dial.reset(30 * MS, "ESTABLISHED");
    dial.closed(30 * MS + 5, Some(104));
    let report = explain(&world.records);
    assert_eq!(report.attempts[0].outcome, Outcome::ResetAfterwards { errno: 104 });
    assert_eq!(report.attempts[0].latency_ns, Some(400_000));
    assert_eq!((report.verdict.failed, report.verdict.reset_afterwards), (1, 1));
    assert_eq!(report.verdict.exit_code, 1);
}

#[test]
fn f07_a_reset_after_the_clients_own_close_is_none() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    dial.established(400);
    dial.reset(30 * MS, "FIN_WAIT2");
    dial.closed(30 * MS + 5, Some(104));
    let report = explain(&world.records);
    assert_eq!(report.attempts[0].outcome, Outcome::Established);
    assert_eq!(report.verdict.failed, 0);
}

fn cell(report: &Report, n: u8, step: Step) -> Cell {
    let row = report.pods.iter().find(|row| row.pod.uid == uid(n)).expect("the pod has a row");
    row.steps.iter().find(|at| at.step == step).expect("the step is there").cell.clone()
}

fn time_of(cell: &Cell) -> u64 {
    match cell {
        Cell::At { at, .. } => at.time_ns / 1_000 - BASE_US,
        other => panic!("not seen: {other:?}"),
    }
}

fn detail_of(cell: &Cell) -> String {
    match cell {
        Cell::At { detail, .. } => detail.clone(),
        other => panic!("not seen: {other:?}"),
    }
}

#[test]
fn f12_weight_0_and_a_direct_delete_both_unprogram() {
    for weight in [true, false] {
        let mut world = mixed();
        if weight {
            world.program(8 * S, 10, DestinationChange::Edit, Some(0));
            world.program(68 * S, 10, DestinationChange::Delete, None);
        } else {
            world.program(8 * S, 10, DestinationChange::Delete, None);
        }
        let report = explain(&world.records);
        let cell = cell(&report, 10, Step::Unprogrammed);
        assert_eq!(time_of(&cell), 8 * S);
        assert_eq!(detail_of(&cell), if weight { "weight 0" } else { "deleted" });
    }
}

#[test]
fn f12_a_delete_that_failed_changes_nothing() {
    let mut world = mixed();
    world.push(
        8 * S,
        Body::IpvsDestination(IpvsDestination {
            change: DestinationChange::Delete,
            service: Some(vip()),
            destination: backend(10),
            weight: None,
            result: -16,
            polled: false,
            netns: NODE,
        }),
    );
    let report = explain(&world.records);
    assert_eq!(cell(&report, 10, Step::Unprogrammed), Cell::NotYet);
}

#[test]
fn f22_the_stop_signal_is_the_containers_not_the_sandboxs_nor_the_teardowns() {
    let mut world = mixed();
    world.sandbox_ends(8 * S, 10);
    world.signal(8 * S + MS, 10, 9, "worker", 128, 0);
    world.signal(8 * S + 2 * MS, 10, 3, "nginx", 0, 1);
    let report = explain(&world.records);
    let cell = cell(&report, 10, Step::StopSignal);
    assert_eq!(time_of(&cell), 8 * S + 2 * MS);
    assert_eq!(detail_of(&cell), "SIGQUIT ignored");
}

#[test]
fn f23_exit_begins_with_the_container_not_with_its_sandbox() {
    let mut world = mixed();
    world.exit(9 * S, 10, "serv", Some(137), None);
    world.sandbox_ends(9 * S + 300 * MS, 10);
    let report = explain(&world.records);
    let cell = cell(&report, 10, Step::Exit);
    assert_eq!(time_of(&cell), 9 * S);
    assert_eq!(detail_of(&cell), "status 137");
}

#[test]
fn f11_a_flush_in_a_pods_namespace_is_not_the_nodes() {
    let mut world = mixed();
    world.push(8 * S, Body::IpvsServiceGone(IpvsServiceGone { service: None, netns: netns(10) }));
    assert_eq!(cell(&explain(&world.records), 10, Step::Unprogrammed), Cell::NotYet);
    world.push(9 * S, Body::IpvsServiceGone(IpvsServiceGone { service: None, netns: NODE }));
    assert_eq!(time_of(&cell(&explain(&world.records), 10, Step::Unprogrammed)), 9 * S);
}

#[test]
fn f24_a_syn_that_an_empty_pod_does_not_answer_has_not_reached_it() {
    let mut world = mixed();
    world.exit(7 * S, 10, "serv", Some(0), None);
    let mut dial = world.dial(7500 * MS);
    // The sandbox still holds the namespace: what it does not answer it has got.
    let numbers = [0, 1, 2, 3].map(|n| dial.attempt + n);
    dial.chosen(20, 10);
    dial.failed(90 * MS, None);
    world.sandbox_ends(8 * S, 10);
    let mut dial = world.dial(8100 * MS);
    dial.chosen(20, 10);
    dial.refused(220, 10);
    // Its interface is the last to go: not flooded, so it went in.
    let mut dial = world.dial(8150 * MS);
    dial.chosen(20, 10);
    dial.failed(90 * MS, None);
    // Then the bridge floods it to everybody else.
    let mut dial = world.dial(8200 * MS);
    let flow = Flow { destination: backend(10), ..dial.flow };
    dial.chosen(20, 10);
    dial.dropped_flow(40, "OTHERHOST", netns(20), flow);
    dial.failed(90 * MS, None);
    let told = |world: &World| -> Vec<_> {
        let report = explain(&world.records);
        let first = |number: &u64| attempt(&report, *number).syns[0].clone();
        numbers.iter().map(first).map(|syn| (syn.class, syn.answer)).collect()
    };
    let silent = (SynClass::Pod, Answer::Nothing);
    let undelivered = (SynClass::Undelivered, Answer::Nothing);
    assert_eq!(told(&world), [silent, (SynClass::Pod, Answer::Rst), silent, undelivered]);
    // Where a copy may have been lost, nothing is said.
    world.loss_of("syn_dropped", 8140 * MS, 8160 * MS, Stage::Ring, 1);
    assert_eq!(told(&world)[2], (SynClass::Unknown, Answer::Nothing));
    assert_eq!(told(&world)[3], undelivered);
}

#[test]
fn f14_conntracks_late_word_stands_in_for_a_choice_that_was_not_told() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    let number = dial.attempt;
    dial.established(300);
    // Stamped when user space read it, long after the handshake.
    dial.chosen_by(400 * MS, 10, Chooser::Conntrack);
    let report = explain(&world.records);
    let told = attempt(&report, number);
    assert_eq!(classes(told), [SynClass::Pod]);
    assert_eq!(told.syns[0].address, Some(backend(10)));
}

#[test]
fn f01_a_kept_choice_is_doubted_only_where_a_newer_one_may_have_been_lost() {
    let told = |program: &str| {
        let mut world = mixed();
        let mut dial = world.dial(8 * S);
        let number = dial.attempt;
        dial.chosen(20, 10);
        dial.resent(1020 * MS, None);
        dial.failed(3 * S, None);
        world.loss_of(program, 8900 * MS, 9900 * MS, Stage::Skipped, 1);
        classes(attempt(&explain(&world.records), number))
    };
    assert_eq!(told("outcome"), [SynClass::Pod, SynClass::Pod]);
    assert_eq!(told("ipvs_choice"), [SynClass::Pod, SynClass::Unknown]);
    assert_eq!(told("syn_dropped"), [SynClass::Pod, SynClass::Unknown]);
}

#[test]
fn f14_conntracks_echo_does_not_hide_that_ipvs_chose() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    let number = dial.attempt;
    dial.chosen(20, 10);
    dial.chosen_by(3 * MS, 10, Chooser::Conntrack);
    dial.resent(1020 * MS, None);
    dial.dropped(1021 * MS, "NETFILTER_DROP", NODE);
    let report = explain(&world.records);
    assert_eq!(classes(attempt(&report, number)), [SynClass::Pod, SynClass::DroppedInIpvs]);
}

#[test]
fn f24_classes_say_which_syns_a_pods_veth_has_seen() {
    let mut world = mixed();
    let nated = |flow: Flow| Flow { destination: backend(10), ..flow };
    // A closed port drops the SYN inside the pod: its veth has seen it.
    world.dial(8 * S).chosen(20, 10);
    let mut refused = world.dial(8 * S + MS);
    refused.chosen(20, 10);
    refused.refused(100, 10);
    // No neighbour: it never came to the veth.
    let mut lost = world.dial(8 * S + 2 * MS);
    let flow = nated(lost.flow);
    lost.chosen(20, 10);
    lost.dropped_flow(3 * S, "NEIGH_FAILED", NODE, flow);
    lost.failed(3 * S + MS, Some(113));
    // A copy that a bridge flooded elsewhere says nothing of the SYN itself.
    let mut copied = world.dial(8 * S + 3 * MS);
    let flow = nated(copied.flow);
    copied.chosen(20, 10);
    copied.dropped_flow(40, "OTHERHOST", NODE, flow);
    copied.established(300);
    // The client's own firewall: it never left, and IPVS never saw it.
    let mut blocked = world.dial(8 * S + 4 * MS);
    blocked.dropped(5, "NETFILTER_DROP", GATEWAY);
    blocked.failed(S, None);
    let report = explain(&world.records);
    let classes: Vec<_> = report.attempts.iter().flat_map(classes).collect();
    use SynClass::{NotSent, Pod, Undelivered};
    assert_eq!(classes, [Pod, Pod, Undelivered, Pod, NotSent]);
    let counts = report.verdict.syns;
    let sum = counts.pod
        + counts.dropped_in_ipvs
        + counts.no_destination
        + counts.not_sent
        + counts.undelivered
        + counts.unknown;
    assert_eq!((counts.tried, sum), (5, 5));
}

#[test]
fn f24_a_retransmit_that_is_reported_after_it_left_keeps_its_events() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.chosen(20, 10);
    // On a path without a queue IPVS has seen the SYN before the tracepoint fires.
    dial.dropped(1020 * MS - 30, "NETFILTER_DROP", NODE);
    dial.resent(1020 * MS, None);
    dial.failed(1500 * MS, None);
    let report = explain(&world.records);
    assert_eq!(classes(&report.attempts[0]), [SynClass::Pod, SynClass::DroppedInIpvs]);
}

#[test]
fn f06_tries_that_a_firewall_drops_at_once_are_syns_that_were_not_sent() {
    let mut world = mixed();
    let mut dial = world.dial(8 * S);
    dial.dropped(4, "NETFILTER_DROP", GATEWAY);
    // Before Linux 6.13 nothing but the drop tells of a retransmit that did not leave.
    dial.dropped(1020 * MS, "NETFILTER_DROP", GATEWAY);
    dial.dropped(1530 * MS, "NETFILTER_DROP", GATEWAY);
    // The firewall opens.
    dial.resent(2040 * MS, None);
    dial.chosen(2040 * MS + 20, 10);
    dial.established(2041 * MS);
    let mut queued = world.dial(9 * S);
    // What waited for its neighbour is the SYN itself, however late it is dropped.
    queued.dropped(3 * S, "NEIGH_FAILED", GATEWAY);
    queued.failed(3 * S + MS, Some(113));
    let report = explain(&world.records);
    use SynClass::{NotSent, Pod};
    assert_eq!(classes(&report.attempts[0]), [NotSent, NotSent, NotSent, Pod]);
    assert_eq!((report.attempts[0].not_sent, report.attempts[0].retransmits), (3, 1));
    assert_eq!(classes(&report.attempts[1]), [NotSent]);
}

#[test]
fn f25_probes_are_kubelets_by_cgroup_and_count_nowhere() {
    let mut world = mixed();
    world.request(8 * S, 20);
    // Readiness probing goes on while the pod terminates, and is refused.
    world.pod_goes(8 * S + 100 * MS, 10, 20 * MS, 60 * MS);
    let mut probe = world.probe(9 * S, 10);
    probe.refused(150, 10);
    let mut silent = world.probe(10 * S, 10);
    silent.resent(1020 * MS, None);
    silent.failed(1200 * MS, None);
    let report = explain(&world.records);
    let verdict = &report.verdict;
    assert_eq!((verdict.attempts, verdict.failed, verdict.slowed), (1, 0, 0));
    assert_eq!((verdict.probes, verdict.probes_failed), (2, 2));
    assert!(report.failures.is_empty());
    let windows = report.windows.expect("an update was seen");
    assert_eq!((windows.unanswered.syns, windows.syns_to_old), (0, 0));
    let kinds: Vec<_> = report.attempts.iter().map(|a| a.client.kind).collect();
    assert_eq!(kinds, [ClientKind::User, ClientKind::Probe, ClientKind::Probe]);
    assert_eq!(report.attempts[1].client.tag.host, Some(HostClient::Kubelet));
}

#[test]
fn f25_a_user_that_dials_the_pod_directly_is_no_probe() {
    let mut world = mixed();
    let flow = Flow { source: Some(ip(2)), source_port: Some(45_000), destination: backend(10) };
    let mut dial = world.dial_as(8 * S, flow, GATEWAY, 5_000, "nginx");
    dial.refused(150, 10);
    let report = explain(&world.records);
    assert_eq!((report.verdict.failed, report.verdict.probes), (1, 0));
    assert_eq!(pods(&report.attempts[0]), [Some(uid(10))]);
    assert_eq!(report.attempts[0].outcome, Outcome::RefusedByRst);
}

#[test]
fn f25_an_unknown_client_of_a_pod_is_neither() {
    let mut world = mixed();
    world.request(8 * S, 20);
    let flow = Flow { source: None, source_port: Some(45_000), destination: backend(10) };
    let mut dial = world.dial_as(9 * S, flow, Netns { inum: 999, cookie: 0 }, 0, "curl");
    dial.refused(150, 10);
    let report = explain(&world.records);
    assert_eq!((report.verdict.failed, report.verdict.unclear_failed), (0, 1));
    assert_eq!(report.verdict.exit_code, 3);
    assert_eq!(report.unclear.len(), 1);
}
