//! A true world and what watches tell of it.
//!
//! Pods on two nodes take addresses from tiny pools, become ready, are deleted, evicted or removed by force; a slice
//! controller follows late. The local node's pods and the workload's are watched, the others show in slices only.
//! All times in ms of the monotonic clock, unless named `_ns`.

use super::random::Random;
use rollout::attribute::tag::PodState;
use rollout::record::cluster::{
    Container, Endpoint, EndpointSlice, Meta, Observed, Owner, Pod, WatchChange, WatchState,
};
use rollout::record::meta::{Clock, Phase};
use rollout::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub const MS: u64 = 1_000_000;
/// The recording's end.
pub const END: u64 = 60_000;
/// Unix time of the monotonic clock's zero.
const EPOCH: i64 = 1_700_000_000_250;

/// How the world is seen.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    pub seed: u64,
    /// Lag of the node's, the workload's and the slices' watch.
    pub lags: [u64; 3],
    pub cuts: bool,
    /// Each watch tells all of its versions, also those that the other one told.
    pub repeats: bool,
    /// Objects carry the time of their last write.
    pub updated: bool,
    /// One watch over all pods in place of the node's.
    pub everything: bool,
    /// By how much the API server's clock is ahead.
    pub skew: i64,
}

#[derive(Clone)]
struct Version<T> {
    at: u64,
    present: bool,
    object: T,
}

struct TruePod {
    node: &'static str,
    workload: &'static str,
    host_network: bool,
    address: IpAddr,
    held: (u64, u64),
    versions: Vec<Version<Pod>>,
}

/// The world, and its recording.
pub struct Truth {
    pods: BTreeMap<String, TruePod>,
    /// In order of arrival.
    pub records: Vec<Record>,
}

impl Truth {
    pub fn new(conditions: &Conditions) -> Self {
        let mut random = Random::new(conditions.seed);
        let pods = make_pods(conditions, &mut random);
        let slices = make_slices(&pods, conditions, &mut random);
        let records = watch_all(&pods, &slices, conditions, &mut random);
        Self { pods, records }
    }

    pub fn uids(&self) -> Vec<String> {
        self.pods.keys().cloned().collect()
    }

    pub fn addresses(&self) -> Vec<IpAddr> {
        let all: BTreeSet<IpAddr> = self.pods.values().map(|pod| pod.address).collect();
        all.into_iter().collect()
    }

    pub fn moments_of(&self, uid: &str) -> Vec<u64> {
        self.pods[uid].versions.iter().map(|version| version.at).collect()
    }

    pub fn moments(&self) -> Vec<u64> {
        let held = self.pods.values().flat_map(|pod| [pod.held.0, pod.held.1]);
        self.uids().iter().flat_map(|uid| self.moments_of(uid)).chain(held).collect()
    }

    pub fn local(&self, uid: &str) -> bool {
        self.pods[uid].node == "n1"
    }

    /// Who holds the address; nobody alone holds a node's.
    pub fn holder(&self, address: IpAddr, time_ns: u64) -> Option<String> {
        let holds = |pod: &TruePod| {
            pod.address == address && pod.held.0 * MS <= time_ns && time_ns < pod.held.1 * MS
        };
        let mut holders = self.pods.iter().filter(|(_, pod)| holds(pod) && !pod.host_network);
        holders.next().map(|(uid, _)| uid.clone())
    }

    pub fn last_holder(&self, address: IpAddr, time_ns: u64) -> Option<String> {
        let of = self.pods.iter().filter(|(_, pod)| pod.address == address && !pod.host_network);
        let past = of.filter(|(_, pod)| pod.held.1 * MS <= time_ns);
        past.max_by_key(|(_, pod)| pod.held.1).map(|(uid, _)| uid.clone())
    }

    pub fn next_holder(&self, address: IpAddr, time_ns: u64) -> Option<String> {
        let of = self.pods.iter().filter(|(_, pod)| pod.address == address && !pod.host_network);
        let coming = of.filter(|(_, pod)| pod.held.0 * MS > time_ns);
        coming.min_by_key(|(_, pod)| pod.held.0).map(|(uid, _)| uid.clone())
    }

    /// The pod's state as the API server has it; `None` before it exists.
    pub fn state(&self, uid: &str, time_ns: u64) -> Option<PodState> {
        let mut state = None;
        let mut was_ready = false;
        for version in self.pods[uid].versions.iter().filter(|one| one.at * MS <= time_ns) {
            let pod = &version.object;
            was_ready |= pod.ready;
            state = Some(match () {
                () if !version.present => PodState::Gone,
                () if pod.phase == "Succeeded" || pod.phase == "Failed" => PodState::Finished,
                () if pod.meta.deletion_timestamp.is_some() => PodState::Terminating,
                () if pod.ready => PodState::Ready,
                () if was_ready => PodState::NotReady,
                () => PodState::Starting,
            });
        }
        state
    }
}

/// Unix seconds of a moment by the API server's clock, rounded down.
fn stamp(at: u64, skew: i64) -> i64 {
    (EPOCH + at as i64 + skew).div_euclid(1000)
}

fn make_pods(conditions: &Conditions, random: &mut Random) -> BTreeMap<String, TruePod> {
    let mut births: Vec<u64> = (0..28).map(|_| random.below(52_000)).collect();
    births.sort_unstable();
    let mut free_from: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for (node, count) in [("1", 4), ("2", 3)] {
        for last in 1..=count {
            let address: IpAddr = format!("10.0.{node}.{last}").parse().expect("an address");
            free_from.insert(address, 0);
        }
    }
    // Addresses are taken in order of time.
    let mut plans: Vec<(u64, u64)> =
        births.iter().map(|born| (born + random.between(5, 800), *born)).collect();
    plans.sort_unstable();
    let mut pods = BTreeMap::new();
    for (index, (held_from, born)) in plans.into_iter().enumerate() {
        let node = if random.chance(60) { "n1" } else { "n2" };
        let workload = if random.chance(60) { "serv" } else { "other" };
        let host_network = random.chance(8);
        let prefix = if node == "n1" { "10.0.1." } else { "10.0.2." };
        let address = if host_network {
            format!("{prefix}254").parse().expect("an address")
        } else {
            let mut free: Vec<IpAddr> = free_from
                .iter()
                .filter(|(one, from)| one.to_string().starts_with(prefix) && **from < held_from)
                .map(|(one, _)| *one)
                .collect();
            random.shuffle(&mut free);
            let Some(address) = free.pop() else { continue };
            address
        };
        let uid = format!("u{index:02}");
        let mut life = LifeOf { conditions, random, updated: born, versions: Vec::new() };
        let revision = if born < 25_000 { 1 } else { 2 };
        let pod = life.start(&uid, node, workload, revision, born, host_network);
        let held_until = life.run(pod, held_from, address);
        let versions = life.versions;
        if !host_network {
            free_from.insert(address, held_until);
        }
        let held = (held_from, held_until);
        pods.insert(uid, TruePod { node, workload, host_network, address, held, versions });
    }
    // One order for all writes, as etcd has it.
    let mut order: Vec<(u64, String, usize)> = Vec::new();
    for (uid, pod) in &pods {
        let ats = pod.versions.iter().enumerate();
        order.extend(ats.map(|(index, version)| (version.at, uid.clone(), index)));
    }
    order.sort();
    for (revision, (_, uid, index)) in order.into_iter().enumerate() {
        if let Some(pod) = pods.get_mut(&uid) {
            pod.versions[index].object.meta.resource_version = (revision + 100).to_string();
        }
    }
    pods
}

struct LifeOf<'a> {
    conditions: &'a Conditions,
    random: &'a mut Random,
    updated: u64,
    versions: Vec<Version<Pod>>,
}

impl LifeOf<'_> {
    fn start(
        &mut self,
        uid: &str,
        node: &str,
        workload: &str,
        revision: u32,
        born: u64,
        host_network: bool,
    ) -> Pod {
        let hash = format!("{workload}{revision}");
        let owner = Owner {
            kind: "ReplicaSet".into(),
            name: format!("{workload}-{hash}"),
            uid: format!("rs-{hash}"),
        };
        let meta = Meta {
            namespace: "default".into(),
            name: format!("{workload}-{uid}"),
            uid: uid.into(),
            created: Some(stamp(born, self.conditions.skew)),
            owner: Some(owner),
            labels: BTreeMap::from([("pod-template-hash".into(), hash)]),
            ..Meta::default()
        };
        let containers = vec![Container { name: "main".into(), ..Container::default() }];
        let node = Some(node.to_owned());
        let phase = "Pending".into();
        let pod = Pod { meta, node, phase, host_network, containers, ..Pod::default() };
        self.write(born, &pod, true, true);
        pod
    }

    /// A version; `touches`: whether the write moves the object's last-write time (a deletion does not).
    fn write(&mut self, at: u64, pod: &Pod, present: bool, touches: bool) {
        let at = self.versions.last().map_or(at, |last| at.max(last.at + 1));
        if touches {
            self.updated = at;
        }
        let mut object = pod.clone();
        if self.conditions.updated {
            object.meta.updated = Some(stamp(self.updated, self.conditions.skew));
        }
        self.versions.push(Version { at, present, object });
    }

    fn now(&self) -> u64 {
        self.versions.last().map_or(0, |last| last.at)
    }

    /// Lives the rest of the life; gives the time at which the address was free again.
    fn run(&mut self, mut pod: Pod, held_from: u64, address: IpAddr) -> u64 {
        let at = held_from + self.random.between(10, 1500);
        if self.random.chance(4) {
            // Removed before anybody told its address.
            self.write(at.max(self.now() + 1), &pod, false, false);
            return self.now() + self.random.below(400);
        }
        pod.ips = vec![address];
        pod.phase = "Running".into();
        pod.containers[0].started = Some(stamp(at, 0));
        self.write(at, &pod, true, true);
        let flips = self.random.below(4);
        for _ in 0..flips {
            let at = self.now() + self.random.between(1, 3000);
            pod.ready = !pod.ready;
            // kubelet's clock: a bit before the write.
            pod.ready_changed = Some(stamp(at.saturating_sub(self.random.below(300)), 0));
            self.write(at, &pod, true, true);
            if self.random.chance(20) {
                let at = self.now() + self.random.between(1, 500);
                pod.meta.labels.insert("touched".into(), "yes".into());
                self.write(at, &pod, true, true);
            }
        }
        let end = self.now() + self.random.between(1, 22_000);
        match self.random.below(10) {
            0 => {
                // Removed by force: its sandbox outlives the object.
                self.write(end, &pod, false, false);
                self.now() + self.random.below(2500)
            }
            1 => {
                // Evicted: the status follows the sandbox's end.
                pod.phase = "Failed".into();
                pod.ready = false;
                self.write(end, &pod, true, true);
                let free = self.now() - self.random.below(500).min(self.now() - held_from - 1);
                if self.random.chance(50) {
                    let at = self.now() + self.random.below(3000);
                    self.write(at, &pod, false, false);
                }
                free
            }
            _ => self.terminate(pod, end),
        }
    }

    fn terminate(&mut self, mut pod: Pod, end: u64) -> u64 {
        let at = end.max(self.now() + 1);
        pod.meta.deletion_timestamp = Some(stamp(at, self.conditions.skew) + 30);
        pod.meta.deletion_grace_seconds = Some(30);
        self.write(at, &pod, true, false);
        if pod.ready && self.random.chance(50) {
            let at = self.now() + self.random.between(1, 400);
            pod.ready = false;
            pod.ready_changed = Some(stamp(at, 0));
            self.write(at, &pod, true, true);
        }
        let ended = self.now() + self.random.between(20, 4000);
        let free = ended + self.random.below(500);
        if self.random.chance(70) {
            pod.ready = false;
            pod.ready_changed = Some(stamp(ended, 0));
            pod.containers[0].started = None;
            pod.containers[0].finished = Some(stamp(ended, 0));
            if self.random.chance(70) {
                pod.phase = "Succeeded".into();
            }
            let at = ended + self.random.between(10, 300);
            self.write(at, &pod, true, true);
        }
        let at = free.max(self.now()) + self.random.below(500);
        self.write(at, &pod, false, false);
        free
    }
}

type Slices = BTreeMap<String, Vec<Version<EndpointSlice>>>;

/// One slice a workload, written up to 2 s after its pods changed.
fn make_slices(
    pods: &BTreeMap<String, TruePod>,
    conditions: &Conditions,
    random: &mut Random,
) -> Slices {
    let mut slices = Slices::new();
    for workload in ["serv", "other"] {
        let mut changes: Vec<u64> = pods
            .values()
            .filter(|pod| pod.workload == workload)
            .flat_map(|pod| pod.versions.iter().map(|version| version.at))
            .collect();
        changes.sort_unstable();
        let mut versions: Vec<Version<EndpointSlice>> = Vec::new();
        let mut written = 0;
        for seen in changes {
            let at = (seen + random.below(2000)).max(written + 1);
            written = at;
            // The controller knows the pods as they were when it began.
            let endpoints = pods
                .iter()
                .filter(|(_, pod)| pod.workload == workload)
                .filter_map(|(uid, pod)| endpoint(uid, pod, seen))
                .collect();
            let meta = Meta {
                namespace: "default".into(),
                name: format!("{workload}-abc"),
                uid: format!("slice-{workload}"),
                resource_version: (at + 10).to_string(),
                updated: conditions.updated.then(|| stamp(at, conditions.skew)),
                ..Meta::default()
            };
            let object = EndpointSlice {
                meta,
                service: Some(workload.into()),
                endpoints,
                ..EndpointSlice::default()
            };
            versions.push(Version { at, present: true, object });
        }
        slices.insert(format!("slice-{workload}"), versions);
    }
    slices
}

fn endpoint(uid: &str, pod: &TruePod, at: u64) -> Option<Endpoint> {
    let version = pod.versions.iter().rfind(|version| version.at <= at)?;
    let object = &version.object;
    let over = object.phase == "Succeeded" || object.phase == "Failed" || !version.present;
    if over || object.ips.is_empty() || pod.host_network {
        return None;
    }
    let terminating = object.meta.deletion_timestamp.is_some();
    Some(Endpoint {
        addresses: object.ips.clone(),
        pod_uid: Some(uid.to_owned()),
        pod_name: Some(object.meta.name.clone()),
        node: Some(pod.node.to_owned()),
        ready: object.ready && !terminating,
        serving: object.ready,
        terminating,
    })
}

/// What one watch brings: arrival, and what.
enum Brought {
    Pod(Version<Pod>),
    Slice(Version<EndpointSlice>),
    State(WatchState),
}

struct Watch<'a> {
    resource: &'a str,
    scope: &'a str,
    lag: u64,
    cuts: bool,
}

fn watch_all(
    pods: &BTreeMap<String, TruePod>,
    slices: &Slices,
    conditions: &Conditions,
    random: &mut Random,
) -> Vec<Record> {
    let all = |wanted: &dyn Fn(&TruePod) -> bool| -> BTreeMap<String, Vec<Version<Pod>>> {
        let of = pods.iter().filter(|(_, pod)| wanted(pod));
        of.map(|(uid, pod)| (uid.clone(), pod.versions.clone())).collect()
    };
    let cuts = conditions.cuts;
    let watch = |resource, scope, lag| Watch { resource, scope, lag, cuts };
    let everything = conditions.everything;
    let scope = if everything { "" } else { "node=n1" };
    let mut brought = Vec::new();
    brought.extend(watch("pods", scope, conditions.lags[0]).run(
        &all(&|pod| everything || pod.node == "n1"),
        Brought::Pod,
        random,
    ));
    brought.extend(watch("pods", "default/serv", conditions.lags[1]).run(
        &all(&|pod| pod.workload == "serv"),
        Brought::Pod,
        random,
    ));
    brought.extend(watch("endpointslices", "", conditions.lags[2]).run(
        slices,
        Brought::Slice,
        random,
    ));
    brought.sort_by_key(|(at, _)| *at);
    let mut timeline = Timeline { repeats: conditions.repeats, ..Timeline::default() };
    timeline.push(0, Body::Clock(Clock { unix_ns: EPOCH * MS as i64, error_ns: 0 }));
    for (at, what) in brought.into_iter().filter(|(at, _)| *at <= END) {
        match what {
            Brought::State(state) => timeline.push(at, Body::Watch(state)),
            Brought::Pod(version) => {
                let meta = version.object.meta.clone();
                if let Some(observed) = timeline.news(at, &meta, version) {
                    timeline.push(at, Body::Pod(observed));
                }
            }
            Brought::Slice(version) => {
                let meta = version.object.meta.clone();
                if let Some(observed) = timeline.news(at, &meta, version) {
                    timeline.push(at, Body::EndpointSlice(observed));
                }
            }
        }
    }
    timeline.push(END, Body::Phase(Phase::Ended));
    timeline.records
}

#[derive(Default)]
struct Timeline {
    repeats: bool,
    records: Vec<Record>,
    /// By UID: version, arrival, deleted.
    known: BTreeMap<String, (u64, u64, bool)>,
}

impl Timeline {
    fn push(&mut self, at: u64, body: Body) {
        let id = self.records.len() as u64 + 1;
        self.records.push(Record { id, time_ns: at * MS, body });
    }

    /// Links a version to the one before; leaves out what is no news.
    fn news<T>(&mut self, at: u64, meta: &Meta, version: Version<T>) -> Option<Observed<T>> {
        let number: u64 = meta.resource_version.parse().expect("a number");
        let before = self.known.get(&meta.uid).copied();
        if let Some((known, _, gone)) = before
            && !self.repeats
            && (gone || (version.present && number <= known))
        {
            return None;
        }
        let newest = before.map_or(0, |(known, _, _)| known).max(number);
        self.known.insert(meta.uid.clone(), (newest, at * MS, !version.present));
        let not_before_ns = before.map_or(0, |(_, arrival, _)| arrival);
        Some(Observed { present: version.present, not_before_ns, object: version.object })
    }
}

impl Watch<'_> {
    fn run<T: Clone>(
        &self,
        objects: &BTreeMap<String, Vec<Version<T>>>,
        wrap: fn(Version<T>) -> Brought,
        random: &mut Random,
    ) -> Vec<(u64, Brought)> {
        let mut brought = Vec::new();
        let mut held: BTreeMap<String, Version<T>> = BTreeMap::new();
        let mut listed_at = 4000 + random.below(700);
        loop {
            let mut arrival = self.list(listed_at, objects, &mut held, wrap, &mut brought);
            let dies = if self.cuts && random.chance(60) {
                random.between(arrival, END + 10_000)
            } else {
                u64::MAX
            };
            let mut stream: Vec<(&String, &Version<T>)> = objects
                .iter()
                .flat_map(|(uid, versions)| versions.iter().map(move |version| (uid, version)))
                .filter(|(_, version)| version.at > listed_at)
                .collect();
            stream.sort_by_key(|(_, version)| version.at);
            let mut alive = arrival;
            for (uid, version) in stream {
                arrival = arrival.max(version.at + self.lag + random.below(20));
                if arrival > dies {
                    break;
                }
                alive = arrival;
                if version.present {
                    held.insert(uid.clone(), version.clone());
                } else {
                    held.remove(uid);
                }
                brought.push((arrival, wrap(version.clone())));
            }
            if dies > END {
                return brought;
            }
            // A sign of life is an event or a bookmark.
            let since = if random.chance(50) { alive } else { dies };
            // Noticed before the end, or nobody could tell.
            let cut = (dies + random.below(2000)).min(END.max(dies));
            brought.push((cut, self.state(WatchChange::Cut, since)));
            if random.chance(15) {
                return brought;
            }
            listed_at = cut + random.between(50, 3000);
        }
    }

    fn list<T: Clone>(
        &self,
        at: u64,
        objects: &BTreeMap<String, Vec<Version<T>>>,
        held: &mut BTreeMap<String, Version<T>>,
        wrap: fn(Version<T>) -> Brought,
        brought: &mut Vec<(u64, Brought)>,
    ) -> u64 {
        let arrival = at + self.lag;
        let mut found = BTreeMap::new();
        for (uid, versions) in objects {
            let newest = versions.iter().rfind(|version| version.at <= at);
            if let Some(newest) = newest.filter(|version| version.present) {
                found.insert(uid.clone(), newest.clone());
                brought.push((arrival, wrap(newest.clone())));
            }
        }
        for (uid, last) in std::mem::take(held) {
            if !found.contains_key(&uid) {
                brought.push((arrival, wrap(Version { present: false, ..last })));
            }
        }
        *held = found;
        brought.push((arrival, self.state(WatchChange::Synced, 0)));
        arrival
    }

    fn state(&self, change: WatchChange, since: u64) -> Brought {
        Brought::State(WatchState {
            resource: self.resource.to_owned(),
            scope: self.scope.to_owned(),
            change,
            reason: None,
            since_ns: since * MS,
        })
    }
}
