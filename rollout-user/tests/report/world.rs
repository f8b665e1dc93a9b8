//! A small cluster that writes records: Deployment `serv` behind Service `serv`, a gateway that dials it, kubelet.
//!
//! Times are microseconds since the trace began; the watches are in sync at [`WATCHING`].

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
        let mut world = World { port: 40_000, ..World::default() };
        world.begin(Some(target()));
        world.cluster(old);
        world.phase(WATCHING, Phase::Watching);
        world
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
            self.push(
                22 * MS,
                Body::Listeners(Listeners { netns: netns(n), addresses: vec![wildcard()] }),
            );
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
            ("replicasets", "default/serv"),
            ("deployments", "default/serv"),
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
        let observed = self.observed(&name, at, true, set);
        self.push(at, Body::ReplicaSet(observed));
    }

    pub fn change_deployment(&mut self, at: u64, change: impl FnOnce(&mut Deployment)) {
        change(&mut self.deployment);
        self.deployment.meta.resource_version = self.next_version();
        let object = self.deployment.clone();
        let observed = self.observed("deploy", at, true, object);
        self.push(at, Body::Deployment(observed));
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
        pod
    }

    pub fn endpoint(&self, n: u8, ready: bool, terminating: bool) -> Endpoint {
        Endpoint {
            addresses: vec![ip(n)],
            pod_uid: Some(uid(n)),
            pod_name: self.pods.get(&n).map(|pod| pod.meta.name.clone()),
            node: Some("node1".into()),
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

    pub fn cgroup_of(&mut self, at: u64, n: u8) {
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

    /// A new pod of revision 2: programmed 620 ms after its creation was seen.
    pub fn pod_comes(&mut self, at: u64, n: u8) {
        self.pod_comes_of(at, n, 2, "bbbbbbbbbb");
    }

    pub fn pod_comes_of(&mut self, at: u64, n: u8, revision: u64, hash: &str) {
        let second = UNIX + (at / S) as i64;
        let mut pod = self.new_pod(n, revision, hash);
        pod.meta.created = Some(second);
        self.pods.insert(n, pod);
        self.see_pod(at, n);
        self.cgroup_of(at + 200 * MS, n);
        self.change_pod(at + 300 * MS, n, |pod| {
            pod.ips = vec![ip(n)];
            pod.phase = "Running".into();
            pod.containers[0].started = Some(second);
        });
        self.listener(at + 320 * MS, n, true);
        self.change_pod(at + 500 * MS, n, |pod| {
            pod.ready = true;
            pod.ready_changed = Some(UNIX + ((at + 500 * MS) / S) as i64);
        });
        let endpoint = self.endpoint(n, true, false);
        self.endpoints.insert(n, endpoint);
        self.see_slice(at + 560 * MS);
        self.program(at + 620 * MS, n, DestinationChange::Add, Some(1));
    }

    pub fn listener(&mut self, at: u64, n: u8, opened: bool) {
        let listener =
            Listener { address: wildcard(), netns: netns(n), cgroup: cgroup(n), socket: n.into() };
        self.push(
            at,
            if opened { Body::ListenerOpened(listener) } else { Body::ListenerClosed(listener) },
        );
    }

    pub fn program(&mut self, at: u64, n: u8, change: DestinationChange, weight: Option<i32>) {
        self.push(
            at,
            Body::IpvsDestination(IpvsDestination {
                change,
                service: Some(vip()),
                destination: backend(n),
                weight,
                result: 0,
                polled: false,
                netns: NODE,
            }),
        );
    }

    pub fn signal(&mut self, at: u64, n: u8, signal: u32, comm: &str, code: i32, result: u32) {
        let cgroup = cgroup(n);
        self.push(
            at,
            Body::Signal(Signal {
                cgroup,
                pid: 7_000 + u32::from(n),
                comm: comm.into(),
                signal,
                code,
                result,
                sender_pid: 900,
                sender_comm: "containerd-shim".into(),
            }),
        );
    }

    pub fn exit(&mut self, at: u64, n: u8, comm: &str, status: Option<u8>, signal: Option<u8>) {
        let (cgroup, pid) = (cgroup(n), 7_000 + u32::from(n));
        self.push(at, Body::Exit(Exit { cgroup, pid, comm: comm.into(), status, signal }));
    }

    /// The runtime kills the sandbox.
    pub fn sandbox_ends(&mut self, at: u64, n: u8) {
        let (cgroup, pid, comm) = (sandbox(n), 6_000 + u32::from(n), "pause".to_owned());
        let (sender_pid, sender_comm) = (900, "containerd-shim".into());
        let (signal, code, result) = (9, 0, 0);
        let kill = Signal {
            cgroup,
            pid,
            comm: comm.clone(),
            signal,
            code,
            result,
            sender_pid,
            sender_comm,
        };
        self.push(at, Body::Signal(kill));
        let exit = Exit { cgroup, pid, comm, status: None, signal: Some(9) };
        self.push(at + MS, Body::Exit(exit));
    }

    /// Deletion is seen at `at`, SIGTERM 12 ms later; the slice follows after 40 ms, the balancer `balancer_after`.
    pub fn pod_goes(&mut self, at: u64, n: u8, closes_after: u64, balancer_after: u64) {
        let grace = 30;
        self.change_pod(at, n, |pod| {
            pod.meta.deletion_timestamp = Some(UNIX + (at / S) as i64 + grace);
            pod.meta.deletion_grace_seconds = Some(grace);
        });
        self.signal(at + 12 * MS, n, 15, "serv", 0, 0);
        self.listener(at + closes_after, n, false);
        let endpoint = self.endpoint(n, false, true);
        self.endpoints.insert(n, endpoint);
        self.see_slice(at + 40 * MS);
        self.program(at + balancer_after, n, DestinationChange::Edit, Some(0));
    }

    /// The container exits at `at`, its object goes 200 ms later.
    pub fn pod_gone(&mut self, at: u64, n: u8) {
        self.exit(at, n, "serv", Some(0), None);
        self.sandbox_ends(at + 60 * MS, n);
        let finished = UNIX + (at / S) as i64;
        self.change_pod(at + 120 * MS, n, |pod| {
            pod.ready = false;
            pod.containers[0].finished = Some(finished);
        });
        self.endpoints.remove(&n);
        self.see_slice(at + 150 * MS);
        self.see_pod_present(at + 200 * MS, n, false);
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
