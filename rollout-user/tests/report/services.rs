//! Several ways into one workload: more than one Service, a headless one, several ports.

use crate::scenarios::check;
use crate::sets::stateful;
use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::attempt::{ClientKind, Role};
use rollout::present::{html, text};
use rollout::record::Body;
use rollout::record::cluster::{EndpointSlice, ServicePort, SlicePort};
use rollout::record::kernel::*;
use rollout::record::meta::Phase;
use rollout::record::table::{IpvsService, IpvsTable};
use std::net::SocketAddr;

fn second() -> SocketAddr {
    "10.96.0.20:8080".parse().expect("an address")
}

impl World {
    /// Another Service with the pods of the first: its addresses, and its ports by name with their target's name.
    fn another(&mut self, name: &str, address: Option<SocketAddr>, ports: &[(&str, u16, u16)]) {
        let at = 50 * MS;
        let mut service = self.service.clone();
        service.meta.name = name.into();
        service.meta.uid = format!("svc-{name}");
        service.meta.resource_version = self.next_version();
        service.addresses = address.iter().map(SocketAddr::ip).collect();
        service.ports = ports
            .iter()
            .map(|(name, port, _)| ServicePort {
                name: (*name).into(),
                port: *port,
                target: (*name).into(),
                node_port: None,
            })
            .collect();
        let observed = self.observed(name, at, true, service);
        self.push(at, Body::Service(observed));
        self.slice_of(at, name, ports);
    }

    /// The slice of another Service, as the pods are now.
    fn slice_of(&mut self, at: u64, name: &str, ports: &[(&str, u16, u16)]) {
        let port =
            |(name, _, port): &(&str, u16, u16)| SlicePort { name: (*name).into(), port: *port };
        let mut slice = EndpointSlice {
            meta: meta("default", &format!("{name}-xyz"), &format!("slice-{name}")),
            service: Some(name.into()),
            ports: ports.iter().map(port).collect(),
            endpoints: self.endpoints.values().cloned().collect(),
        };
        slice.meta.resource_version = self.next_version();
        let key = slice.meta.uid.clone();
        let observed = self.observed(&key, at, true, slice);
        self.push(at, Body::EndpointSlice(observed));
    }

    /// A user dials an address; `chosen` pod `n`'s port, refused or not.
    fn dial_to(&mut self, at: u64, destination: SocketAddr, to: SocketAddr, good: bool) {
        self.port += 1;
        let flow = Flow { source: Some(ip(2)), source_port: Some(self.port), destination };
        let mut dial = self.dial_as(at, flow, GATEWAY, GATEWAY_CGROUP, "nginx");
        if destination != to {
            let (weight, by) = (Some(1), Chooser::Ipvs);
            let chosen = BackendChosen { flow, backend: to, weight, by, netns: NODE };
            dial.world.push(at + 20, Body::BackendChosen(chosen));
        }
        if good {
            dial.established(400);
            dial.closed(5 * MS, None);
        } else {
            dial.reset(200, "SYN_SENT");
            dial.failed(205, Some(111));
        }
    }

    /// The update of one pod, with `dials` between its steps.
    fn update(&mut self) {
        self.update_begins(5 * S);
        self.pod_comes(6 * S, 20);
        self.pod_goes(7 * S, 10, 15 * MS, 60 * MS);
        self.program(8 * S, 10, DestinationChange::Delete, None);
        self.pod_gone(8 * S, 10);
        self.update_complete(9 * S);
    }
}

fn way(report: &Report, service: &str, port: u16) -> (u64, u64) {
    let way = report.ways_in.iter().find(|way| way.service == service && way.port == port);
    way.map_or((0, 0), |way| (way.attempts, way.failed))
}

/// Two Services select the workload; the second one's connects fail.
fn two_services() -> World {
    let mut world = World::watching(1);
    world.another("admin", Some(second()), &[("http", 8080, 8000)]);
    let destinations = Vec::new();
    let service = IpvsService { address: second(), scheduler: "rr".into(), destinations };
    world.push(51 * MS, Body::IpvsTable(IpvsTable { netns: NODE, services: vec![service] }));
    world.steady(3 * S, 7 * S, 200 * MS, &[10]);
    world.update();
    for n in 0..3 {
        world.dial_to(5500 * MS + n * 100 * MS, second(), backend(10), true);
        world.dial_to(7020 * MS + n * 10 * MS, second(), backend(10), false);
    }
    world.steady(7070 * MS, 9 * S, 200 * MS, &[20]);
    world.phase(11 * S, Phase::Ended);
    world
}

#[test]
fn attempts_to_each_of_two_services_are_counted() {
    let report = check("two_services", &two_services());
    assert_eq!(report.verdict.exit_code, 1, "{:?}", report.verdict.doubts);
    assert_eq!(report.verdict.failed, 3);
    assert_eq!(way(&report, "admin", 8080), (6, 3));
    let (all, failed) = way(&report, "serv", 80);
    assert!(all > 10 && failed == 0, "{all} {failed}");
    let in_all: u64 = report.ways_in.iter().map(|way| way.attempts).sum();
    assert_eq!(in_all, report.verdict.attempts);
    let cause = report.causes.first().expect("a cause");
    assert_eq!(cause.cost.failed, 3, "{cause:?}");
    assert!(html::render(&report).contains("Service admin:8080: 6 attempts, 3 failed"));
}

/// The clients of a headless Service dial pods by their addresses: after the old pod stopped, too.
fn headless() -> World {
    let mut world = World::watching_of("StatefulSet", 1);
    world.another("peers", None, &[("http", 8000, 8000)]);
    for n in 0..20 {
        world.dial_to(3 * S + n * 200 * MS, backend(10), backend(10), true);
    }
    world.update();
    for n in 0..4 {
        world.dial_to(7020 * MS + n * 10 * MS, backend(10), backend(10), false);
    }
    for n in 0..10 {
        world.dial_to(7070 * MS + n * 200 * MS, backend(20), backend(20), true);
    }
    world.phase(11 * S, Phase::Ended);
    world
}

#[test]
fn connects_to_pods_of_a_headless_service_belong_to_the_update() {
    let report = check("headless", &headless());
    assert_eq!(report.verdict.exit_code, 1, "{:?}", report.verdict.doubts);
    assert_eq!(report.verdict.failed, 4);
    assert!(report.attempts.iter().all(|a| a.in_scope && a.service.is_none()));
    assert!(report.attempts.iter().all(|a| a.client.kind == ClientKind::User));
    let windows = report.windows.expect("windows");
    assert!(windows.syns_to_old >= 4 && windows.syns_to_new == 10, "{windows:?}");
    let group = report.failures.first().expect("a group");
    assert_eq!((group.count, group.role), (4, Some(Role::Old)));
    assert_eq!(group.pod.as_ref().map(|pod| pod.uid.clone()), Some(uid(10)));
    let way = report.ways_in.first().expect("a way");
    assert_eq!((way.to_service, way.port, way.failed), (false, 8000, 4));
    assert!(!report.causes.is_empty());
}

/// The usual Service beside a StatefulSet's own: headless, and its slices list pods as ready whatever they are.
#[test]
fn a_headless_service_that_publishes_unready_pods_tells_no_proxy() {
    let mut world = stateful();
    let plain = explain(&world.records);
    let mut service = world.service.clone();
    service.meta.name = "peers".into();
    service.meta.uid = "svc-peers".into();
    service.addresses.clear();
    let observed = world.observed("svc-peers", 50 * MS, true, service);
    world.push(50 * MS, Body::Service(observed));
    for record in world.records.clone() {
        let Body::EndpointSlice(mut seen) = record.body else { continue };
        seen.object.meta.name = "peers-xyz".into();
        seen.object.meta.uid = "slice-peers".into();
        let label = ("service.kubernetes.io/headless".to_owned(), String::new());
        seen.object.meta.labels.extend([label]);
        seen.object.service = Some("peers".into());
        seen.object.endpoints.iter_mut().for_each(|one| one.ready = true);
        world.push(record.time_ns / 1_000 - BASE_US, Body::EndpointSlice(seen));
    }
    let both = explain(&world.records);
    assert_eq!(both.pods, plain.pods);
    assert_eq!(both.causes, plain.causes);
    assert_eq!(both.windows, plain.windows);
    assert_eq!(both.verdict, plain.verdict);
}

#[test]
fn several_ports_of_one_service_are_told_apart() {
    let mut world = World::watching(1);
    let mut service = world.service.clone();
    let port = |name: &str, port| ServicePort {
        name: name.into(),
        port,
        target: name.into(),
        node_port: None,
    };
    service.ports = vec![port("http", 80), port("metrics", 9090)];
    world.tell_service(50 * MS, service);
    world.steady(3 * S, 7 * S, 200 * MS, &[10]);
    world.update();
    let metrics = |address: SocketAddr, port| SocketAddr::new(address.ip(), port);
    for n in 0..5 {
        let (to, from) = (metrics(backend(10), 9100), metrics(vip(), 9090));
        world.dial_to(6 * S + n * 50 * MS, from, to, true);
    }
    world.dial_to(7030 * MS, metrics(vip(), 9090), metrics(backend(10), 9100), false);
    world.steady(7070 * MS, 9 * S, 200 * MS, &[20]);
    world.phase(11 * S, Phase::Ended);
    let report = explain(&world.records);
    assert_eq!(way(&report, "serv", 9090), (6, 1));
    assert_eq!(way(&report, "serv", 80).1, 0);
    assert_eq!(report.verdict.failed, 1);
    let named = report.ways_in.iter().find(|way| way.port == 9090).expect("a way");
    assert_eq!(named.port_name, "metrics");
    let page = text::render(&report, text::Options::default());
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("Service serv:9090: 6 attempts, 1 failed"), "{page}");
}

#[test]
fn a_service_of_another_workload_is_none_of_it() {
    let mut world = World::watching(1);
    world.endpoints.clear();
    world.another("other", Some(second()), &[("http", 8080, 8000)]);
    for record in &mut world.records {
        if let Body::Service(seen) = &mut record.body
            && seen.object.meta.name == "other"
        {
            seen.object.selector = [("app".to_owned(), "other".to_owned())].into();
        }
    }
    world.update();
    world.dial_to(7 * S, second(), "10.244.1.99:8000".parse().expect("an address"), false);
    world.phase(11 * S, Phase::Ended);
    let report = explain(&world.records);
    assert_eq!(way(&report, "other", 8080), (0, 0));
    assert_eq!(report.verdict.failed, 0);
}
