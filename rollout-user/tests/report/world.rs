//! A small cluster that writes records: Deployment `serv` behind Service `serv`, a gateway that dials it, kubelet.
//!
//! Times are microseconds since the trace began; the watches are in sync at [`WATCHING`].

#[path = "world/lives.rs"]
mod lives;

use rollout::record::cluster::*;
use rollout::record::kernel::*;
use rollout::record::meta::*;
use rollout::record::table::*;
use rollout::record::{Body, Record};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub const MS: u64 = 1_000;
pub const S: u64 = 1_000_000;
/// Monotonic time at which the trace begins.
pub const BASE_US: u64 = 500 * S;
pub const WATCHING: u64 = 2 * S;
/// Unix time of the trace's begin: 2026-03-02T10:00:00Z.
pub const UNIX: i64 = 1_772_445_600;

/// The node's own network namespace.
pub const NODE: Netns = Netns { inum: 1, cookie: 1 };
pub const GATEWAY: Netns = Netns { inum: 50, cookie: 50 };
pub const GATEWAY_CGROUP: u64 = 5_000;
pub const KUBELET_CGROUP: u64 = 6_000;

#[derive(Default)]
pub struct World {
    pub records: Vec<Record>,
    pub version: u64,
    arrivals: BTreeMap<String, u64>,
    pub endpoints: BTreeMap<u8, Endpoint>,
    pub pods: BTreeMap<u8, Pod>,
    pub attempts: u64,
    pub port: u16,
    /// `StatefulSet` or `DaemonSet`; empty: a Deployment.
    pub kind: &'static str,
    deployment: Deployment,
    pub service: Service,
    pub gateway: Option<Pod>,
}

pub fn target() -> Target {
    Target { kind: "Deployment".into(), namespace: "default".into(), name: "serv".into() }
}

pub fn vip() -> SocketAddr {
    "10.96.0.10:80".parse().expect("an address")
}

/// Address of pod number `n`.
pub fn ip(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 244, 1, n))
}

pub fn backend(n: u8) -> SocketAddr {
    SocketAddr::new(ip(n), 8000)
}

pub fn netns(n: u8) -> Netns {
    Netns { inum: 100 + u32::from(n), cookie: 100 + u64::from(n) }
}

pub fn uid(n: u8) -> String {
    format!("uid-{n:03}")
}

pub fn meta(namespace: &str, name: &str, uid: &str) -> Meta {
    Meta { namespace: namespace.into(), name: name.into(), uid: uid.into(), ..Meta::default() }
}

pub fn owner(kind: &str, name: &str, uid: &str) -> Option<Owner> {
    Some(Owner { kind: kind.into(), name: name.into(), uid: uid.into() })
}

impl World {
    /// A trace that is in sync, with `old` pods of revision 1 (numbers 10, 11, …) ready and programmed.
    pub fn watching(old: u8) -> World {
        Self::watching_of("", old)
    }

    /// The same of a workload of another kind.
    pub fn watching_of(kind: &'static str, old: u8) -> World {
        let mut world = World { port: 40_000, kind, ..World::default() };
        world.begin(Some(world.target()));
        world.cluster(old);
        world.phase(WATCHING, Phase::Watching);
        world
    }

    pub fn target(&self) -> Target {
        let kind = if self.kind.is_empty() { "Deployment" } else { self.kind };
        Target { kind: kind.into(), ..target() }
    }

    pub fn begin(&mut self, target: Option<Target>) {
        self.push(
            0,
            Body::Header(Header {
                format: FORMAT_VERSION,
                version: "0.1.0".into(),
                node: "node1".into(),
                boot_id: "boot".into(),
                kernel: "6.12.117".into(),
                target,
                reorder_window_ns: 500_000_000,
                left_out: LeftOut::default(),
            }),
        );
        self.push(1, Body::Clock(Clock { unix_ns: UNIX * 1_000_000_000 + 1_000, error_ns: 500 }));
        self.hooks(&[]);
        self.data_path(DataPath::Ipvs, "7 IPVS services");
    }

    /// Hooks for all facts but those that are blind.
    pub fn hooks(&mut self, blind: &[&str]) {
        let facts = [
            "backlog_full",
            "conntrack_stats",
            "connect",
            "connect_call",
            "exit",
            "icmp_sent",
            "ipvs_choice",
            "ipvs_destination",
            "listener",
            "no_destination",
            "outcome",
            "reset_received",
            "reset_sent",
            "signal",
            "syn_ack_retransmit",
            "syn_dropped",
            "syn_retransmit",
        ];
        let hook = |fact: &&str| {
            let attached = (!blind.contains(fact)).then(|| format!("fentry {fact}"));
            ((*fact).to_owned(), Hook { attached, refused: Vec::new(), blind: None })
        };
        self.push(2, Body::Hooks(Hooks { facts: facts.iter().map(hook).collect() }));
    }

    pub fn data_path(&mut self, path: DataPath, evidence: &str) {
        self.push(3, Body::DataPath(DataPathFound { path, evidence: evidence.into() }));
    }

    fn cluster(&mut self, old: u8) {
        self.push(
            4,
            Body::Cgroup(Cgroup {
                id: KUBELET_CGROUP,
                path: "system.slice/kubelet.service".into(),
                owner: CgroupOwner::Kubelet,
            }),
        );
        self.set(10 * MS, 1, "aaaaaaaaaa", i32::from(old));
        self.deployment.meta = meta("default", "serv", "deploy");
        self.deployment.desired = i32::from(old);
        self.deployment.strategy = "RollingUpdate".into();
        self.deployment.template_digest = "one".into();
        self.change_deployment(11 * MS, |d| {
            (d.generation, d.observed_generation, d.revision) = (1, 1, Some(1));
            (d.replicas, d.updated, d.ready, d.available) =
                (d.desired, d.desired, d.desired, d.desired);
        });
        self.service(12 * MS);
        self.gateway();
        let mut destinations = Vec::new();
        for n in (10..10 + old).rev() {
            let mut pod = self.new_pod(n, 1, "aaaaaaaaaa");
            pod.meta.created = Some(UNIX - 3_600);
            pod.ips = vec![ip(n)];
            pod.phase = "Running".into();
            pod.ready = true;
            pod.ready_changed = Some(UNIX - 3_590);
            pod.containers[0].started = Some(UNIX - 3_595);
            self.pods.insert(n, pod);
            self.see_pod(20 * MS, n);
            self.cgroup_of(21 * MS, n);
            if self.is_here(n) {
                let addresses = vec![wildcard()];
                self.push(22 * MS, Body::Listeners(Listeners { netns: netns(n), addresses }));
            }
            self.endpoints.insert(n, self.endpoint(n, true, false));
            destinations.push(IpvsRealServer {
                address: backend(n),
                weight: 1,
                active: 0,
                inactive: 3,
            });
        }
        self.see_slice(30 * MS);
        let services = vec![IpvsService { address: vip(), scheduler: "rr".into(), destinations }];
        self.push(31 * MS, Body::IpvsTable(IpvsTable { netns: NODE, services }));
        for (resource, scope) in [
            ("pods", "node=node1"),
            ("pods", "default/serv"),
            ("endpointslices", ""),
            ("services", ""),
            (self.target().revisions(), "default/serv"),
            (self.target().resource(), "default/serv"),
        ] {
            self.watch(40 * MS, resource, scope, WatchChange::Synced, None);
        }
    }

    fn gateway(&mut self) {
        let mut pod = Pod {
            meta: meta("default", "gateway-6c9f7d-x2x4z", "uid-gateway"),
            node: Some("node1".into()),
            ips: vec![ip(2)],
            phase: "Running".into(),
            ready: true,
            ready_changed: Some(UNIX - 4_000),
            ..Pod::default()
        };
        pod.meta.created = Some(UNIX - 4_010);
        pod.meta.owner = owner("ReplicaSet", "gateway-6c9f7d", "rs-gateway");
        self.gateway = Some(pod.clone());
        let observed = self.observed("uid-gateway", 19 * MS, true, pod);
        self.push(19 * MS, Body::Pod(observed));
        let uid = "uid-gateway".to_owned();
        self.push(19 * MS, Body::PodNetns(PodNetns { netns: GATEWAY, uid: uid.clone() }));
        let owner = CgroupOwner::Pod { uid, container: Some("c-gateway".into()) };
        let path = "kubepods.slice/gateway".to_owned();
        self.push(19 * MS, Body::Cgroup(Cgroup { id: GATEWAY_CGROUP, path, owner }));
    }

    pub fn push(&mut self, at: u64, body: Body) -> u64 {
        let id = self.records.len() as u64 + 1;
        self.records.push(Record { id, time_ns: (BASE_US + at) * 1_000, body });
        id
    }

    pub fn phase(&mut self, at: u64, phase: Phase) {
        self.push(at, Body::Phase(phase));
    }

    pub fn loss(&mut self, since: u64, at: u64, stage: Stage, count: u64) {
        self.loss_of("connect", since, at, stage, count);
    }

    pub fn loss_of(&mut self, program: &str, since: u64, at: u64, stage: Stage, count: u64) {
        let since_ns = (BASE_US + since) * 1_000;
        let program = program.to_owned();
        self.push(at, Body::Loss(Loss { stage, program, count, since_ns }));
    }

    pub fn watch(
        &mut self,
        at: u64,
        resource: &str,
        scope: &str,
        change: WatchChange,
        reason: Option<&str>,
    ) {
        let since_ns = match change {
            WatchChange::Cut => (BASE_US + at).saturating_sub(300 * MS) * 1_000,
            WatchChange::Synced => 0,
        };
        let (resource, scope) = (resource.to_owned(), scope.to_owned());
        let reason = reason.map(str::to_owned);
        self.push(at, Body::Watch(WatchState { resource, scope, change, reason, since_ns }));
    }

    pub fn observed<T>(&mut self, key: &str, at: u64, present: bool, object: T) -> Observed<T> {
        let now = (BASE_US + at) * 1_000;
        let not_before_ns = self.arrivals.insert(key.to_owned(), now).unwrap_or(0);
        Observed { present, not_before_ns, object }
    }

    pub fn next_version(&mut self) -> String {
        self.version += 1;
        (1_000 + self.version).to_string()
    }

    pub fn set(&mut self, at: u64, revision: u64, hash: &str, desired: i32) {
        let name = format!("serv-{hash}");
        let mut set = ReplicaSet {
            meta: meta("default", &name, &format!("rs-{hash}")),
            revision: Some(revision),
            template_hash: hash.into(),
            desired,
            ..ReplicaSet::default()
        };
        set.meta.owner = owner("Deployment", "serv", "deploy");
        set.meta.resource_version = self.next_version();
        if !self.kind.is_empty() {
            set.desired = 0;
            set.meta.owner = owner(self.kind, "serv", "deploy");
            let observed = self.observed(&name, at, true, ControllerRevision(set));
            self.push(at, Body::ControllerRevision(observed));
            return;
        }
        let observed = self.observed(&name, at, true, set);
        self.push(at, Body::ReplicaSet(observed));
    }

    pub fn change_deployment(&mut self, at: u64, change: impl FnOnce(&mut Deployment)) {
        change(&mut self.deployment);
        self.deployment.meta.resource_version = self.next_version();
        let mut object = self.deployment.clone();
        if !self.kind.is_empty() {
            // Its ControllerRevisions have the numbers.
            object.revision = None;
        }
        match self.kind {
            "StatefulSet" => {
                let observed = self.observed("deploy", at, true, StatefulSet(object));
                self.push(at, Body::StatefulSet(observed));
            }
            "DaemonSet" => {
                let observed = self.observed("deploy", at, true, DaemonSet(object));
                self.push(at, Body::DaemonSet(observed));
            }
            _ => {
                let observed = self.observed("deploy", at, true, object);
                self.push(at, Body::Deployment(observed));
            }
        }
    }

    fn service(&mut self, at: u64) {
        let mut service = Service {
            meta: meta("default", "serv", "svc"),
            addresses: vec![vip().ip()],
            ports: vec![ServicePort {
                name: "http".into(),
                port: 80,
                target: "8000".into(),
                node_port: None,
            }],
            selector: BTreeMap::from([("app".to_owned(), "serv".to_owned())]),
            kind: "ClusterIP".into(),
            ..Service::default()
        };
        service.meta.created = Some(UNIX - 9_000);
        self.tell_service(at, service);
    }

    pub fn tell_service(&mut self, at: u64, mut service: Service) {
        service.meta.resource_version = self.next_version();
        self.service = service.clone();
        let observed = self.observed("svc", at, true, service);
        self.push(at, Body::Service(observed));
    }

    pub fn new_pod(&self, n: u8, revision: u64, hash: &str) -> Pod {
        let name = format!("serv-{hash}-{}{n:03}", if revision == 1 { "o" } else { "n" });
        let mut pod = Pod {
            meta: meta("default", &name, &uid(n)),
            node: Some("node1".into()),
            phase: "Pending".into(),
            grace_seconds: Some(30),
            containers: vec![Container {
                name: "serv".into(),
                id: format!("c-{n}"),
                ..Container::default()
            }],
            ..Pod::default()
        };
        pod.meta.owner = owner("ReplicaSet", &format!("serv-{hash}"), &format!("rs-{hash}"));
        pod.meta.labels = BTreeMap::from([
            ("app".to_owned(), "serv".to_owned()),
            ("pod-template-hash".to_owned(), hash.to_owned()),
        ]);
        if !self.kind.is_empty() {
            pod.meta.owner = owner(self.kind, "serv", "deploy");
            pod.meta.labels.remove("pod-template-hash");
            let mut label = hash.to_owned();
            if self.kind == "StatefulSet" {
                // Numbers 10 and 20 are serv-0, one after the other.
                pod.meta.name = format!("serv-{}", n % 10);
                label = format!("serv-{hash}");
            } else {
                pod.meta.name = format!("serv-{}{n:03}", if revision == 1 { "o" } else { "n" });
                pod.node = Some(format!("node{}", n % 10 + 1));
            }
            pod.meta.labels.insert("controller-revision-hash".to_owned(), label);
        }
        pod
    }

    pub fn endpoint(&self, n: u8, ready: bool, terminating: bool) -> Endpoint {
        Endpoint {
            addresses: vec![ip(n)],
            pod_uid: Some(uid(n)),
            pod_name: self.pods.get(&n).map(|pod| pod.meta.name.clone()),
            node: self.pods.get(&n).map_or(Some("node1".into()), |pod| pod.node.clone()),
            ready,
            serving: true,
            terminating,
        }
    }

    pub fn see_slice(&mut self, at: u64) {
        let mut slice = EndpointSlice {
            meta: meta("default", "serv-abcde", "slice"),
            service: Some("serv".into()),
            ports: vec![SlicePort { name: "http".into(), port: 8000 }],
            endpoints: self.endpoints.values().cloned().collect(),
        };
        slice.meta.resource_version = self.next_version();
        let observed = self.observed("slice", at, true, slice);
        self.push(at, Body::EndpointSlice(observed));
    }

    pub fn see_pod(&mut self, at: u64, n: u8) {
        self.see_pod_present(at, n, true);
    }

    pub fn see_pod_present(&mut self, at: u64, n: u8, present: bool) {
        let version = self.next_version();
        let Some(pod) = self.pods.get_mut(&n) else { return };
        pod.meta.resource_version = version;
        let object = pod.clone();
        let observed = self.observed(&uid(n), at, present, object);
        self.push(at, Body::Pod(observed));
    }

    pub fn change_pod(&mut self, at: u64, n: u8, change: impl FnOnce(&mut Pod)) {
        if let Some(pod) = self.pods.get_mut(&n) {
            change(pod);
        }
        self.see_pod(at, n);
    }

    /// Whether a pod runs on the node that is traced: the kernel of another one tells nothing.
    fn is_here(&self, n: u8) -> bool {
        self.pods.get(&n).is_none_or(|pod| pod.node.as_deref() == Some("node1"))
    }

    pub fn cgroup_of(&mut self, at: u64, n: u8) {
        if !self.is_here(n) {
            return;
        }
        self.push(at, Body::PodNetns(PodNetns { netns: netns(n), uid: uid(n) }));
        // The API lists the container, not the sandbox.
        for (id, container) in [(cgroup(n), format!("c-{n}")), (sandbox(n), format!("s-{n}"))] {
            let path = format!("kubepods.slice/{}/{container}", uid(n));
            let owner = CgroupOwner::Pod { uid: uid(n), container: Some(container) };
            self.push(at, Body::Cgroup(Cgroup { id, path, owner }));
        }
    }

    /// The template changes; the ReplicaSet of revision 2 appears 4 ms later.
    pub fn update_begins(&mut self, at: u64) {
        self.update_to(at, 2, "bbbbbbbbbb");
    }

    pub fn update_to(&mut self, at: u64, revision: u64, hash: &str) {
        self.change_deployment(at, |d| {
            d.generation += 1;
            d.updated = 0;
            d.template_digest = hash.into();
        });
        self.set(at + 4 * MS, revision, hash, 1);
        self.change_deployment(at + 6 * MS, |d| {
            d.observed_generation = d.generation;
            d.revision = Some(revision);
        });
    }

    pub fn update_complete(&mut self, at: u64) {
        self.change_deployment(at, |d| {
            (d.replicas, d.updated, d.ready, d.available) =
                (d.desired, d.desired, d.desired, d.desired);
        });
    }
}

fn sandbox(n: u8) -> u64 {
    2_000 + u64::from(n)
}

pub fn cgroup(n: u8) -> u64 {
    1_000 + u64::from(n)
}

fn wildcard() -> SocketAddr {
    "0.0.0.0:8000".parse().expect("an address")
}
