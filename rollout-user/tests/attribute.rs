//! Attribution by example: hand-written worlds in which the right tag is obvious.

#[path = "attribute/world.rs"]
mod world;

use rollout::attribute::Histories;
use rollout::attribute::backend::Backends;
use rollout::attribute::tag::{Certainty, HostClient, PodState, StateAt};
use rollout::attribute::timeline::Happened;
use rollout::attribute::workload::Side;
use rollout::record::Body;
use rollout::record::cluster::{Meta, Observed, Owner, ReplicaSet, Service, ServicePort};
use rollout::record::kernel::{
    BackendChosen, Chooser, DestinationChange, Flow, IpvsDestination, IpvsServiceGone, Netns,
};
use rollout::record::meta::{Clock, Target};
use rollout::record::table::{
    Cgroup, CgroupOwner, IpvsConnection, IpvsConnections, KubeletProcess, PodNetns,
};
use world::*;

#[test]
fn a_pod_goes_through_its_states() {
    let mut pod = pod("a", "10.0.0.1");
    let mut book = Book::started();
    book.pod(10_000, &starting(&pod, 10));
    pod = ready(&pod, 12);
    book.pod(12_500, &pod);
    pod = deleted(&pod, 40, 30);
    book.pod(40_500, &pod);
    let histories = book.histories();
    let at = |ms: u64| histories.pod_at_address(address("10.0.0.1"), ms * MS);
    assert_eq!(at(20_000).certainty, Certainty::Known);
    assert_eq!(at(20_000).state, Some(StateAt::Is(PodState::Ready)));
    assert_eq!(at(40_300).certainty, Certainty::Changing);
    let changing = StateAt::Changing { from: PodState::Ready, to: PodState::Terminating };
    assert_eq!(at(40_300).state, Some(changing));
    assert_eq!(at(41_000).state, Some(StateAt::Is(PodState::Terminating)));
    assert_eq!(at(41_000).pod.map(|pod| pod.uid), Some("a".to_owned()));
    let timeline = histories.timeline_of("a");
    let deletion = timeline.first(Happened::DeletionRequested).map(|one| one.seen_ns);
    assert_eq!(deletion, Some(40_500 * MS));
}

#[test]
fn an_address_that_nobody_claimed_is_unknown() {
    let tag = Histories::default().pod_at_address(address("10.0.0.9"), 5);
    assert_eq!((tag.certainty, tag.pod), (Certainty::Unknown, None));
}

fn v4(text: &str) -> std::net::SocketAddr {
    text.parse().expect("a test's socket address")
}

fn flow(client: &str, service: &str) -> Flow {
    let client = v4(client);
    let (source, source_port) = (Some(client.ip()), Some(client.port()));
    Flow { source, source_port, destination: v4(service) }
}

fn chosen(client: &str, backend: &str, by: Chooser) -> Body {
    let (flow, backend) = (flow(client, "10.96.0.1:80"), v4(backend));
    Body::BackendChosen(BackendChosen { flow, backend, weight: None, by, netns: Netns::default() })
}

fn cgroup(id: u64, path: &str, owner: CgroupOwner) -> Body {
    Body::Cgroup(Cgroup { id, path: path.into(), owner })
}

fn of_pod(uid: &str) -> CgroupOwner {
    CgroupOwner::Pod { uid: uid.into(), container: None }
}

fn addresses(backends: &Backends) -> Vec<String> {
    backends.choices.iter().map(|choice| choice.address.to_string()).collect()
}

/// Two ready pods with different addresses.
fn two_pods() -> Book {
    let mut book = Book::started();
    for (uid, ip) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
        book.pod(10_000, &starting(&pod(uid, ip), 10));
        book.pod(12_500, &ready(&pod(uid, ip), 12));
    }
    book
}

#[test]
fn f01_an_attempt_has_a_list_of_backends() {
    let mut book = two_pods();
    book.push(20_000, chosen("10.0.0.9:4000", "10.0.0.1:8080", Chooser::Ipvs));
    book.push(22_100, chosen("10.0.0.9:4000", "10.0.0.2:8080", Chooser::Ipvs));
    let backends =
        book.histories().backends(&flow("10.0.0.9:4000", "10.96.0.1:80"), 19_999 * MS, 23_000 * MS);
    assert_eq!(addresses(&backends), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    let pods: Vec<_> = backends.choices.iter().filter_map(|one| one.tag.pod.as_ref()).collect();
    assert_eq!([&pods[0].uid, &pods[1].uid], ["a", "b"]);
}

#[test]
fn f01_a_reused_entry_keeps_its_last_choice() {
    let mut book = two_pods();
    book.push(20_000, chosen("10.0.0.9:4000", "10.0.0.1:8080", Chooser::Ipvs));
    book.push(31_000, chosen("10.0.0.9:4000", "10.0.0.2:8080", Chooser::Ipvs));
    let histories = book.histories();
    let flow = flow("10.0.0.9:4000", "10.96.0.1:80");
    // The first SYN at 30 s made no choice: it took the entry of 20 s; its retransmit got another.
    let backends = histories.backends(&flow, 30_000 * MS, 32_000 * MS);
    assert_eq!(addresses(&backends), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    // A first SYN that did make a choice owes nothing to the past.
    let backends = histories.backends(&flow, 31_000 * MS, 32_000 * MS);
    assert_eq!(addresses(&backends), ["10.0.0.2:8080"]);
}

#[test]
fn f13_a_client_is_known_by_its_cgroup_never_by_its_address() {
    let mut book = two_pods();
    let netns = Netns { inum: 7, cookie: 70 };
    book.push(15_000, Body::PodNetns(PodNetns { netns, uid: "b".into() }));
    book.push(15_000, cgroup(5, "/kubepods/poda", of_pod("a")));
    book.push(15_000, cgroup(6, "/system.slice/x.service", CgroupOwner::Host));
    let histories = book.histories();
    let client = |cgroup, netns| histories.client(cgroup, netns, 1, 20_000 * MS);
    // The namespace says b: nsenter, or a container of another pod. The cgroup decides.
    assert_eq!(client(5, netns).pod.map(|pod| pod.uid), Some("a".into()));
    assert_eq!(client(6, netns).host, Some(HostClient::Host));
    assert_eq!(client(0, netns).pod.map(|pod| pod.uid), Some("b".into()));
    assert_eq!(client(0, Netns { inum: 8, cookie: 80 }).certainty, Certainty::Unknown);
}

#[test]
fn f14_conntrack_fills_in_and_cross_checks() {
    let mut book = two_pods();
    book.push(20_000, chosen("10.0.0.9:1", "10.0.0.1:80", Chooser::Conntrack));
    book.push(20_000, chosen("10.0.0.9:2", "10.0.0.1:80", Chooser::Ipvs));
    book.push(20_001, chosen("10.0.0.9:2", "10.0.0.1:80", Chooser::Conntrack));
    book.push(20_000, chosen("10.0.0.9:3", "10.0.0.1:80", Chooser::Ipvs));
    let liar = book.push(20_001, chosen("10.0.0.9:3", "10.0.0.2:80", Chooser::Conntrack));
    let histories = book.histories();
    let of = |client| histories.backends(&flow(client, "10.96.0.1:80"), 19_999 * MS, 21_000 * MS);
    assert_eq!(addresses(&of("10.0.0.9:1")), ["10.0.0.1:80"]);
    assert!(of("10.0.0.9:2").disagreeing.is_empty());
    assert_eq!(
        (addresses(&of("10.0.0.9:3")), of("10.0.0.9:3").disagreeing),
        (vec!["10.0.0.1:80".into()], vec![liar])
    );
}

#[test]
fn f15_entries_older_than_the_start_count() {
    let mut book = two_pods();
    let entry = IpvsConnection {
        client: v4("10.0.0.9:4000"),
        service: v4("10.96.0.1:80"),
        backend: v4("10.0.0.2:8080"),
        state: "TIME_WAIT".into(),
    };
    book.push(
        2,
        Body::IpvsConnections(IpvsConnections { entries: vec![entry], ..Default::default() }),
    );
    let backends =
        book.histories().backends(&flow("10.0.0.9:4000", "10.96.0.1:80"), 20_000 * MS, 21_000 * MS);
    assert_eq!(addresses(&backends), ["10.0.0.2:8080"]);
}

#[test]
fn f19_the_root_cgroup_says_nothing_and_a_container_id_names_a_static_pod() {
    let mut book = two_pods();
    let mut mirror = ready(&pod("mirror-uid", "10.0.0.3"), 12);
    mirror.containers[0].id = "0123456789abcdef".into();
    book.pod(13_000, &mirror);
    let netns = Netns { inum: 7, cookie: 0 };
    book.push(15_000, Body::PodNetns(PodNetns { netns, uid: "b".into() }));
    book.push(15_000, cgroup(1, "/", CgroupOwner::Host));
    let container = Some("0123456789abcdef".to_owned());
    book.push(
        15_000,
        cgroup(9, "/kubepods/podhash/x", CgroupOwner::Pod { uid: "hash".into(), container }),
    );
    let histories = book.histories();
    let client = |cgroup| histories.client(cgroup, netns, 1, 20_000 * MS).pod.map(|pod| pod.uid);
    assert_eq!(client(1), Some("b".into()));
    assert_eq!(client(9), Some("mirror-uid".into()));
}

#[test]
fn f20_a_reused_namespace_inode_is_told_apart() {
    let mut book = two_pods();
    for (cookie, uid) in [(70, "a"), (71, "b")] {
        let netns = Netns { inum: 7, cookie };
        book.push(15_000, Body::PodNetns(PodNetns { netns, uid: uid.into() }));
    }
    let histories = book.histories();
    let client = |cookie| histories.client(0, Netns { inum: 7, cookie }, 1, 20_000 * MS);
    assert_eq!(client(71).pod.map(|pod| pod.uid), Some("b".into()));
    assert_eq!(client(0).certainty, Certainty::Ambiguous);
    assert_eq!(client(0).candidates.len(), 2);
}

#[test]
fn f25_kubelet_is_known_by_cgroup_or_process() {
    let mut book = two_pods();
    book.push(15_000, cgroup(4, "/system.slice/kubelet.service", CgroupOwner::Kubelet));
    book.push(15_000, cgroup(6, "/system.slice/k3s.service", CgroupOwner::Host));
    book.push(15_000, Body::KubeletProcess(KubeletProcess { pid: 77, comm: "k3s-server".into() }));
    let histories = book.histories();
    let client = |cgroup, pid| histories.client(cgroup, Netns::default(), pid, 20_000 * MS).host;
    assert_eq!(client(4, 1), Some(HostClient::Kubelet));
    assert_eq!(client(6, 77), Some(HostClient::Kubelet));
    assert_eq!(client(6, 78), Some(HostClient::Host));
}

#[test]
fn f11_a_service_deletion_deletes_its_destinations() {
    let mut book = two_pods();
    let add = IpvsDestination {
        change: DestinationChange::Add,
        service: Some(v4("10.96.0.1:80")),
        destination: v4("10.0.0.1:8080"),
        weight: Some(1),
        result: 0,
        polled: false,
        netns: Netns::default(),
    };
    book.push(20_000, Body::IpvsDestination(add));
    let gone = IpvsServiceGone { service: Some(v4("10.96.0.1:80")), netns: Netns::default() };
    book.push(25_000, Body::IpvsServiceGone(gone));
    let timeline = book.histories().timeline_of("a");
    let at = |what| timeline.first(what).map(|one| one.seen_ns / MS);
    assert_eq!(at(Happened::Programmed), Some(20_000));
    assert_eq!(at(Happened::DestinationDeleted), Some(25_000));
}

#[test]
fn a_service_is_known_by_address_and_port() {
    let mut book = Book::started();
    let object = Service {
        meta: Meta {
            namespace: "default".into(),
            name: "serv".into(),
            uid: "s".into(),
            ..Meta::default()
        },
        addresses: vec![address("10.96.0.1")],
        ports: vec![ServicePort { name: "http".into(), port: 80, ..ServicePort::default() }],
        ..Service::default()
    };
    book.push(2_000, Body::Service(Observed { present: true, not_before_ns: 0, object }));
    let histories = book.histories();
    let at = |ms: u64| histories.service_at(v4("10.96.0.1:80"), ms * MS);
    assert_eq!(
        at(5_000).map(|one| (one.certainty, one.name, one.port)),
        Some((Certainty::Known, "serv".into(), "http".into()))
    );
    assert_eq!(at(1_500).map(|one| one.certainty), Some(Certainty::Changing));
    assert_eq!(histories.service_at(v4("10.0.0.1:80"), 5_000 * MS), None);
}

#[test]
fn old_and_new_are_revisions() {
    let mut book = Book::started();
    for (uid, set, revision) in [("a", "rs1", 1), ("b", "rs2", 2)] {
        let mut one = ready(&pod(uid, "10.0.0.1"), 12);
        one.meta.owner =
            Some(Owner { kind: "ReplicaSet".into(), name: format!("serv-{set}"), uid: set.into() });
        book.pod(12_000, &one);
        let owner = Some(Owner { kind: "Deployment".into(), name: "serv".into(), uid: "d".into() });
        let meta = Meta { uid: set.into(), name: format!("serv-{set}"), owner, ..Meta::default() };
        let object = ReplicaSet { meta, revision: Some(revision), ..ReplicaSet::default() };
        book.push(13_000, Body::ReplicaSet(Observed { present: true, not_before_ns: 0, object }));
    }
    let target =
        Target { kind: "Deployment".into(), namespace: "default".into(), name: "serv".into() };
    let pods = book.histories().workload_pods(&target);
    let sides: Vec<_> = pods.iter().map(|one| (one.pod.uid.as_str(), one.side)).collect();
    assert_eq!(sides, [("a", Side::Old), ("b", Side::New)]);
}

#[test]
fn a_stepped_clock_widens_intervals() {
    let mut book = Book::started();
    // One hour forward between 20 s and 30 s.
    book.push(20_000, Body::Clock(Clock { unix_ns: 20_000 * MS as i64, error_ns: 0 }));
    book.push(30_000, Body::Clock(Clock { unix_ns: 3_630_000 * MS as i64, error_ns: 5 }));
    let histories = book.histories();
    let clock = histories.clock();
    assert_eq!(
        clock.unix_at(40_000 * MS).map(|one| (one.ns, one.error_ns)),
        Some((3_640_000 * MS as i64, 5))
    );
    assert!(clock.unix_at(25_000 * MS).is_some_and(|one| one.error_ns >= 3_600_000 * MS));
    assert_eq!(clock.not_before(3_640), Some(39_750 * MS - 5));
    assert_eq!(clock.not_before(10), Some(9_750 * MS));
}
