//! Updates of StatefulSets and DaemonSets: whole scenarios, and what a pod's name must not decide.

use crate::scenarios::{blog, check, clean, gap, listener_first};
use crate::world::*;
use proptest::prelude::*;
use rollout::analyse::explain;
use rollout::analyse::report::attempt::Role;
use rollout::analyse::report::cause::CauseName;
use rollout::analyse::report::update::Both;
use rollout::present::{html, text};
use rollout::record::cluster::Rolling;
use rollout::record::kernel::DestinationChange;
use rollout::record::meta::Phase;
use rollout::record::{Body, Record};
use serde_json::Value;

/// Three pods in turn from the highest ordinal, each gone before its successor of the same name comes. The pods stop at
/// once, and IPVS learns it 60 ms late.
pub fn stateful() -> World {
    let mut world = World::watching_of("StatefulSet", 3);
    world.change_deployment(50 * MS, |set| {
        let pod_management = "OrderedReady".into();
        let max_unavailable = Some("1".into());
        set.rolling = Some(Rolling { pod_management, max_unavailable, ..Rolling::default() });
    });
    world.steady(3 * S, 5 * S, 100 * MS, &[10, 11, 12]);
    world.update_begins(5 * S);
    for (turn, ordinal) in [2, 1, 0].into_iter().enumerate() {
        let at = 6 * S + turn as u64 * 3 * S;
        let (old, new) = (10 + ordinal, 20 + ordinal);
        let others: Vec<u8> = (0..3)
            .filter(|n| *n != ordinal)
            .map(|n| if n > ordinal { 20 + n } else { 10 + n })
            .collect();
        world.pod_goes(at, old, 15 * MS, 60 * MS);
        for n in 0..2 {
            let mut dial = world.dial(at + 20 * MS + n * 10 * MS);
            dial.chosen(20, old);
            dial.refused(180, old);
        }
        world.steady(at + 70 * MS, at + 900 * MS, 100 * MS, &others);
        world.program(at + 400 * MS, old, DestinationChange::Delete, None);
        world.pod_gone(at + 500 * MS, old);
        world.pod_comes(at + S, new);
        world.steady(at + 1700 * MS, at + 2900 * MS, 100 * MS, &[others[0], new, others[1]]);
        world.change_deployment(at + 1600 * MS, |set| set.updated = turn as i32 + 1);
    }
    world.update_complete(15 * S);
    world.phase(17 * S, Phase::Ended);
    world
}

/// One pod a node: this node's goes before the next one comes, and the other node's takes the connects meanwhile.
fn daemon() -> World {
    let mut world = World::watching_of("DaemonSet", 2);
    world.change_deployment(50 * MS, |set| {
        set.rolling = Some(Rolling { max_unavailable: Some("1".into()), ..Rolling::default() });
    });
    world.steady(3 * S, 6 * S, 100 * MS, &[10, 11]);
    world.update_begins(5 * S);
    world.pod_goes(6 * S, 10, 2 * S, 30 * MS);
    world.steady(6050 * MS, 9600 * MS, 100 * MS, &[11]);
    world.program(8100 * MS, 10, DestinationChange::Delete, None);
    world.change_deployment(8200 * MS, |set| (set.replicas, set.available) = (1, 1));
    world.pod_gone(8200 * MS, 10);
    world.pod_comes(9 * S, 20);
    world.change_deployment(9550 * MS, |set| {
        (set.replicas, set.updated, set.available) = (2, 1, 2);
    });
    world.steady(9650 * MS, 10 * S, 100 * MS, &[11, 20]);
    world.pod_goes(10 * S, 11, 2 * S, 30 * MS);
    world.steady(10_050 * MS, 13_600 * MS, 100 * MS, &[20]);
    world.program(12_100 * MS, 11, DestinationChange::Delete, None);
    world.pod_gone(12_200 * MS, 11);
    world.pod_comes(13 * S, 21);
    world.update_complete(13_700 * MS);
    world.steady(13_700 * MS, 15 * S, 100 * MS, &[20, 21]);
    world.phase(16 * S, Phase::Ended);
    world
}

#[test]
fn a_stateful_set_replaces_pods_under_their_names() {
    let report = check("stateful_set", &stateful());
    assert_eq!(report.verdict.exit_code, 1, "{:?}", report.verdict.doubts);
    assert_eq!(report.verdict.failed, 6);
    let update = report.update.as_ref().expect("an update");
    assert_eq!(update.target.kind, "StatefulSet");
    assert_eq!((update.from[0].number, update.to.number), (Some(1), Some(2)));
    assert_eq!(update.to.template_hash, "bbbbbbbbbb");
    assert!(update.end.is_some());
    // Two rows a name: the old pod of it and the new one.
    assert_eq!(report.pods.len(), 6);
    for ordinal in 0..3 {
        let name = format!("serv-{ordinal}");
        let rows = report.pods.iter().filter(|row| row.pod.name == name);
        let mut rows: Vec<_> = rows.map(|row| (row.role, row.pod.uid.clone())).collect();
        rows.sort();
        let expected = [(Some(Role::Old), uid(10 + ordinal)), (Some(Role::New), uid(20 + ordinal))];
        assert_eq!(rows, expected);
    }
    // Every failure is an old pod's, none its successor's.
    for group in &report.failures {
        let pod = group.pod.as_ref().expect("a pod");
        assert!(pod.uid.as_str() < "uid-020", "{pod:?}");
    }
    let pre_stop = report.pre_stop.as_ref().expect("a number");
    let mut needs: Vec<String> = pre_stop.pods.iter().map(|need| need.pod.uid.clone()).collect();
    needs.sort();
    assert_eq!(needs, [uid(10), uid(11), uid(12)], "old pods, not their successors");
    assert!(pre_stop.pods.iter().all(|need| need.need_ns < 1_000_000_000), "{pre_stop:?}");
    let page = text::render(&report, text::Options::default());
    assert!(page.contains("kubectl patch statefulset serv -n default"), "{page}");
}

#[test]
fn a_daemon_sets_node_without_a_pod_is_no_trouble_of_its_own() {
    let report = check("daemon_set", &daemon());
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    let update = report.update.as_ref().expect("an update");
    assert_eq!((update.target.kind.as_str(), update.to.number), ("DaemonSet", Some(2)));
    assert_eq!(update.max_unavailable.as_deref(), Some("1"));
    assert!(report.causes.is_empty(), "{:?}", report.causes);
}

/// The Service has the traffic policy `Local`: while this node has no pod its clients have no destination.
#[test]
fn a_local_policy_and_a_node_without_a_pod_are_a_cause() {
    let mut world = World::watching_of("DaemonSet", 2);
    let mut service = world.service.clone();
    service.internal_traffic_policy = "Local".into();
    world.tell_service(50 * MS, service);
    world.steady(3 * S, 6 * S, 100 * MS, &[10]);
    world.update_begins(5 * S);
    world.pod_goes(6 * S, 10, 2 * S, 30 * MS);
    world.program(8100 * MS, 10, DestinationChange::Delete, None);
    world.pod_gone(8200 * MS, 10);
    for n in 0..5 {
        let mut dial = world.dial(8500 * MS + n * 50 * MS);
        dial.no_destination(20);
        dial.failed(30, Some(111));
    }
    world.pod_comes(9 * S, 20);
    world.steady(9700 * MS, 12 * S, 100 * MS, &[20]);
    world.phase(12 * S, Phase::CutShort { reason: "interrupted".into() });
    let report = explain(&world.records);
    assert_eq!(report.verdict.failed, 5);
    let cause = report.causes.first().expect("a cause");
    assert_eq!(cause.name, CauseName::LocalPolicyNoEndpoint, "{:?}", report.causes);
    assert_eq!(cause.cost.failed, 5);
    let Some(Both::Gap { syns, .. }) = report.windows.map(|windows| windows.both) else {
        panic!("no gap: {:?}", report.windows)
    };
    assert_eq!(syns, 5, "this node had no pod");
}

#[test]
fn what_replaces_pods_only_when_they_are_deleted_is_said() {
    let mut world = World::watching_of("DaemonSet", 1);
    world.change_deployment(50 * MS, |set| {
        set.strategy = "OnDelete".into();
        set.rolling = Some(Rolling::default());
    });
    world.steady(3 * S, 8 * S, 100 * MS, &[10]);
    world.update_begins(5 * S);
    world.phase(8 * S, Phase::CutShort { reason: "--timeout of 8 s".into() });
    let report = explain(&world.records);
    assert_eq!(report.verdict.exit_code, 3);
    let page = text::render(&report, text::Options::default());
    assert!(page.contains("OnDelete: a pod is replaced when somebody deletes it"), "{page}");
    assert!(html::render(&report).contains("OnDelete: a pod is replaced"));
}

#[test]
fn a_partition_ends_with_old_pods_that_stay() {
    let mut world = World::watching_of("StatefulSet", 2);
    let rolling = Rolling { partition: 1, ..Rolling::default() };
    world.change_deployment(50 * MS, |set| set.rolling = Some(rolling));
    world.steady(3 * S, 6 * S, 100 * MS, &[10, 11]);
    world.update_begins(5 * S);
    world.pod_goes(6 * S, 11, 2 * S, 30 * MS);
    world.program(7 * S, 11, DestinationChange::Delete, None);
    world.pod_gone(8200 * MS, 11);
    world.pod_comes(9 * S, 21);
    world.change_deployment(10 * S, |set| set.updated = 1);
    world.steady(10 * S, 12 * S, 100 * MS, &[10, 21]);
    world.phase(12 * S, Phase::Ended);
    let report = explain(&world.records);
    assert_eq!(report.verdict.exit_code, 0, "{:?}", report.verdict.doubts);
    let update = report.update.as_ref().expect("an update");
    assert!(update.end.is_some(), "serv-0 stays");
    let page = text::render(&report, text::Options::default());
    assert!(page.contains("partition 1: the pods of lower ordinals keep"), "{page}");
}

/// Gives every pod of the workload one name.
fn one_name(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        match &mut record.body {
            Body::Pod(seen) if seen.object.meta.name.starts_with("serv-") => {
                seen.object.meta.name = "serv-0".into();
            }
            Body::EndpointSlice(seen) => {
                let endpoints = seen.object.endpoints.iter_mut();
                endpoints.for_each(|one| one.pod_name = Some("serv-0".into()));
            }
            _ => {}
        }
    }
    records
}

/// A report without its pods' names: in text, too, where signs are put into words.
fn nameless(records: &[Record], names: &[String]) -> Value {
    let mut text = serde_json::to_string(&explain(records)).expect("a report is JSON");
    for name in names {
        text = text.replace(name.as_str(), "serv-0");
    }
    serde_json::from_str(&text).expect("JSON")
}

fn names(records: &[Record]) -> Vec<String> {
    let name = |record: &Record| match &record.body {
        Body::Pod(seen) => Some(seen.object.meta.name.clone()),
        _ => None,
    };
    let mut names: Vec<String> =
        records.iter().filter_map(name).filter(|name| name.starts_with("serv-")).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A StatefulSet's pods pass their names on; the report is the same as if every pod had a name of its own.
    #[test]
    fn a_name_never_tells_old_from_new(
        which in 0..5_usize,
        left_out in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let worlds = [clean, blog, listener_first, gap, daemon];
        let mut records = worlds[which]().records;
        let names = names(&records);
        for index in left_out {
            records.remove(index.index(records.len()));
        }
        let (told, same) = (nameless(&records, &names), one_name(records));
        prop_assert_eq!(told, nameless(&same, &names));
    }
}
