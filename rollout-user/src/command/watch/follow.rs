//! The live part of `watch`: reads the hub until the update is over, keeps the kernel's filter up to date, and decides
//! when enough was seen.

use super::status::Status;
use crate::analyse::progress::{Progress, State};
use crate::cli::Watch;
use crate::cluster::TargetInfo;
use crate::live::interrupt::Interrupt;
use crate::live::session::Session;
use crate::live::tally::Tally;
use crate::record::cluster::{EndpointSlice, Observed, Service};
use crate::record::meta::{Phase, Target};
use crate::record::{Body, Record};
use crate::timeline::monotonic_ns;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long the loop waits for a record before it looks at clocks and signals.
const TICK: Duration = Duration::from_millis(100);
/// Records that are taken in before the next look at clocks and signals.
const AT_ONCE: usize = 4096;
/// How often the clocks are paired.
const CALIBRATE: Duration = Duration::from_secs(1);
/// After the last old pod is gone, late observations and events get this long beside the reorder window.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// An attempt that is still open then may keep the run going this long.
const OPEN_ATTEMPTS: Duration = Duration::from_secs(20);

/// Follows the update; returns how it ended.
pub fn until_complete(
    session: &Session,
    target: &TargetInfo,
    args: &Watch,
    interrupt: &Interrupt,
    color: bool,
) -> Phase {
    let mut follower = Follower::new(target);
    let mut status = Status::new(color);
    let begun = Instant::now();
    let mut calibrated = Instant::now();
    loop {
        let mut changed = false;
        // Not until nothing is left: under load there always is, and clocks and signals must be looked at.
        let first = session.next(TICK);
        let more = std::iter::from_fn(|| session.next(Duration::ZERO)).take(AT_ONCE);
        for event in first.into_iter().chain(more) {
            changed |= follower.observe(&event, session);
        }
        status.show(&follower.progress, follower.tally.counts(), changed);
        if calibrated.elapsed() >= CALIBRATE {
            session.calibrate();
            calibrated = Instant::now();
        }
        let timed_out = args.timeout.filter(|timeout| begun.elapsed() >= *timeout);
        let ended = if let Some(signal) = interrupt.requested() {
            Some(Phase::CutShort { reason: signal.to_owned() })
        } else if let Some(timeout) = timed_out {
            Some(Phase::CutShort { reason: format!("--timeout of {} s", timeout.as_secs()) })
        } else {
            follower.is_over(args.live.reorder_window).then_some(Phase::Ended)
        };
        if let Some(ended) = ended {
            status.end();
            return ended;
        }
    }
}

/// Ports that the kernel must let pass: the Services', and those on which the pods are reached. Without a Service nothing
/// tells on which ports pods are dialled, and every port passes.
pub fn ports_of(target: &TargetInfo) -> BTreeSet<u16> {
    if target.services.is_empty() {
        return BTreeSet::new();
    }
    // A headless Service has no address, and its clients dial pods on the port that it names.
    let services = target.services.iter().flat_map(|service| &service.ports).map(|port| port.port);
    let services = services.chain(target.addresses.iter().map(|address| address.port()));
    services.chain(target.pod_ports.iter().copied()).collect()
}

struct Follower {
    target: Target,
    services: BTreeSet<String>,
    /// Ports of every Service of the namespace, by its name.
    service_ports: BTreeMap<String, BTreeSet<u16>>,
    ports: BTreeSet<u16>,
    progress: Progress,
    tally: Tally,
    complete_at: Option<Instant>,
}

impl Follower {
    fn new(target: &TargetInfo) -> Follower {
        Follower {
            target: target.workload.target.clone(),
            services: target.services.iter().map(|service| service.meta.name.clone()).collect(),
            service_ports: BTreeMap::new(),
            ports: ports_of(target),
            progress: Progress::new(target.workload.target.clone()),
            tally: Tally::new(target.addresses.iter().copied()),
            complete_at: None,
        }
    }

    /// Takes one record, and widens the kernel's filter where it must be; says whether the update's phase changed.
    fn observe(&mut self, record: &Record, session: &Session) -> bool {
        let before = self.ports.clone();
        let changed = self.learn(record);
        if self.ports != before && !self.ports.is_empty() {
            // A filter that cannot be widened stays as it is; the loss of sight is the same as before.
            if let Err(error) = session.set_ports(&self.ports) {
                eprintln!("warning: the filter in the kernel cannot be changed: {error:#}");
            }
        }
        changed
    }

    fn learn(&mut self, record: &Record) -> bool {
        let changed = self.progress.observe(record);
        match &record.body {
            Body::Pod(observed) if self.progress.has_pod(&observed.object.meta.uid) => {
                for ip in &observed.object.ips {
                    self.tally.pod_address(*ip);
                }
            }
            Body::Service(observed) => self.learn_service(observed),
            Body::EndpointSlice(observed) => self.learn_slice(observed),
            _ => {}
        }
        self.tally.observe(record);
        changed
    }

    fn learn_service(&mut self, observed: &Observed<Service>) {
        let service = &observed.object;
        if service.meta.namespace != self.target.namespace {
            return;
        }
        let ports = &service.ports;
        let own = ports.iter().map(|port| port.port);
        let all = own.chain(ports.iter().filter_map(|port| port.node_port)).collect();
        self.service_ports.insert(service.meta.name.clone(), all);
        self.widen(&service.meta.name);
    }

    /// Lets the ports of a Service pass, if it is one of the workload's.
    fn widen(&mut self, service: &str) {
        if !self.ports.is_empty() && self.services.contains(service) {
            self.ports.extend(self.service_ports.get(service).into_iter().flatten());
        }
    }

    fn learn_slice(&mut self, observed: &Observed<EndpointSlice>) {
        let slice = &observed.object;
        let Some(service) = &slice.service else { return };
        if slice.meta.namespace != self.target.namespace {
            return;
        }
        // A Service that came later, or whose slices somebody else writes, is the workload's by its pods.
        let mut pods = slice.endpoints.iter().filter_map(|endpoint| endpoint.pod_uid.as_ref());
        if pods.any(|uid| self.progress.has_pod(uid)) {
            self.services.insert(service.clone());
            self.widen(service);
        }
        if self.services.contains(service) && !self.ports.is_empty() {
            self.ports.extend(slice.ports.iter().map(|port| port.port));
        }
    }

    fn is_over(&mut self, reorder_window: Duration) -> bool {
        if !matches!(self.progress.state(), State::Complete | State::Deleted) {
            self.complete_at = None;
            return false;
        }
        let since = self.complete_at.get_or_insert_with(Instant::now).elapsed();
        let settle = reorder_window.max(AFTERWARDS);
        let settle_ns = u64::try_from(settle.as_nanos()).unwrap_or(u64::MAX);
        let oldest_open = self.tally.oldest_open_ns();
        let waiting =
            oldest_open.is_some_and(|begun| monotonic_ns().saturating_sub(begun) > settle_ns);
        since >= settle && (!waiting || since >= settle + OPEN_ATTEMPTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Workload;
    use crate::record::cluster::{
        Deployment, Endpoint, Meta, Observed, Owner, Pod, ReplicaSet, ServicePort, SlicePort,
    };
    use crate::record::kernel::{Connect, Flow, Netns};

    fn target(name: &str) -> TargetInfo {
        let target =
            Target { kind: "Deployment".into(), namespace: "default".into(), name: name.into() };
        TargetInfo {
            workload: Workload { target, selector: "app=web".into() },
            deployment: Deployment::default(),
            services: Vec::new(),
            addresses: BTreeSet::new(),
            pod_ports: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    fn record(body: Body) -> Record {
        Record { id: 1, time_ns: 1, body }
    }

    fn owned(name: &str, kind: &str, owner: &str) -> Meta {
        let owner = Owner { kind: kind.into(), name: owner.into(), uid: format!("uid-{owner}") };
        let (namespace, uid) = ("default".into(), format!("uid-{name}"));
        Meta { namespace, name: name.into(), uid, owner: Some(owner), ..Meta::default() }
    }

    fn pod(set: &str, hash: &str, ip: &str) -> Record {
        let mut meta = owned(&format!("{set}-x1"), "ReplicaSet", set);
        meta.labels.insert("pod-template-hash".into(), hash.into());
        let ips = vec![ip.parse().expect("an address")];
        let object = Pod { meta, ips, phase: "Running".into(), ..Pod::default() };
        record(Body::Pod(Observed { present: true, not_before_ns: 0, object }))
    }

    fn set(deployment: &str, hash: &str) -> Record {
        let meta = owned(&format!("{deployment}-{hash}"), "Deployment", deployment);
        let object = ReplicaSet { meta, template_hash: hash.into(), ..ReplicaSet::default() };
        record(Body::ReplicaSet(Observed { present: true, not_before_ns: 0, object }))
    }

    fn dial(attempt: u64, to: &str) -> Record {
        let flow =
            Flow { source: None, source_port: None, destination: to.parse().expect("an address") };
        let netns = Netns::default();
        let comm = "curl".into();
        record(Body::Connect(Connect { attempt, flow, netns, cgroup: 1, pid: 7, comm }))
    }

    #[test]
    fn another_workload_whose_name_begins_alike_is_not_counted() {
        let mut follower = Follower::new(&target("web"));
        for record in [
            set("web", "a"),
            set("web-canary", "b"),
            pod("web-canary-b", "b", "10.1.0.2"),
            pod("web-a", "a", "10.1.0.1"),
            // Its ReplicaSet has not been seen; its name is what a ReplicaSet of `web` would have.
            pod("web-c", "c", "10.1.0.3"),
            dial(1, "10.1.0.1:80"),
            dial(2, "10.1.0.2:80"),
            dial(3, "10.1.0.3:80"),
        ] {
            follower.learn(&record);
        }
        assert_eq!(follower.tally.counts().attempts, 2);
        assert!(!follower.progress.has_pod("uid-web-canary-b-x1"));
    }

    #[test]
    fn a_service_that_comes_later_is_known_by_its_pods() {
        let service = |name: &str, port| {
            let meta = Meta { namespace: "default".into(), name: name.into(), ..Meta::default() };
            let ports = vec![ServicePort { port, ..ServicePort::default() }];
            let object = Service { meta, ports, ..Service::default() };
            record(Body::Service(Observed { present: true, not_before_ns: 0, object }))
        };
        let slice = |of: &str, pod: &str, port| {
            let meta = Meta { namespace: "default".into(), ..Meta::default() };
            let (name, pod_uid) = (String::new(), Some(pod.to_owned()));
            let object = EndpointSlice {
                meta,
                service: Some(of.into()),
                ports: vec![SlicePort { name, port }],
                endpoints: vec![Endpoint { pod_uid, ..Endpoint::default() }],
            };
            record(Body::EndpointSlice(Observed { present: true, not_before_ns: 0, object }))
        };
        let mut known = target("web");
        known.services = vec![Service::default()];
        known.pod_ports = BTreeSet::from([8000]);
        let mut follower = Follower::new(&known);
        for record in [
            set("web", "a"),
            pod("web-a", "a", "10.1.0.1"),
            service("late", 81),
            service("other", 82),
            slice("late", "uid-web-a-x1", 8001),
            slice("other", "uid-else", 8002),
        ] {
            follower.learn(&record);
        }
        assert_eq!(follower.ports, BTreeSet::from([81, 8000, 8001]));
    }

    #[test]
    fn the_ports_of_a_headless_service_pass() {
        let mut known = target("web");
        let ports = vec![ServicePort { port: 5432, ..ServicePort::default() }];
        known.services = vec![Service { ports, ..Service::default() }];
        known.pod_ports = BTreeSet::from([8000]);
        assert_eq!(ports_of(&known), BTreeSet::from([5432, 8000]));
    }

    #[test]
    fn without_a_service_every_port_passes() {
        let mut alone = target("web");
        alone.pod_ports = BTreeSet::from([8000]);
        assert_eq!(ports_of(&alone), BTreeSet::new());
    }
}
