//! All histories of a recording, and the questions that they answer.
//!
//! In: records, in any order. Out: tags for moments, timelines of pods. See `docs/attribution.md` for the meaning.

use super::address::{Claimant, Holder, holder};
use super::backend::{Backends, Choices};
use super::client::{Owner, Sockets};
use super::clock::ClockMap;
use super::kernel::KernelFacts;
use super::pod::{Context, Life, PODS, PodHistory, Possible};
use super::service::Services;
use super::slice::{SLICES, Slices};
use super::sync::{Gap, Sync};
use super::tag::{BackendTag, Certainty, HostClient, PodRef, PodState, ServiceTag, StateAt, Tag};
use super::timeline::{Happened, Moment, PodTimeline};
use super::workload::{DeploymentSeen, Side, WorkloadPod, Workloads};
use crate::record::cluster::{Observed, Pod};
use crate::record::kernel::{Flow, Netns};
use crate::record::meta::Target;
use crate::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

/// A pod that a watch has seen.
#[derive(Debug, Clone, Default)]
struct KnownPod {
    namespace: String,
    name: String,
    node: Option<String>,
    owner: Option<(String, String, String)>,
    template_hash: Option<String>,
    host_network: bool,
    addressed: bool,
    containers: BTreeSet<String>,
    history: PodHistory,
    life: OnceLock<Life>,
}

/// Histories of everything that a recording tells.
#[derive(Debug, Clone, Default)]
pub struct Histories {
    clock: ClockMap,
    sync: Sync,
    pods: BTreeMap<String, KnownPod>,
    by_address: BTreeMap<IpAddr, BTreeSet<String>>,
    by_container: BTreeMap<String, String>,
    /// Pods whose address was never seen: they may hold any.
    addressless: BTreeSet<String>,
    slices: Slices,
    services: Services,
    workloads: Workloads,
    sockets: Sockets,
    choices: Choices,
    kernel: KernelFacts,
    last_ns: u64,
}

impl Histories {
    /// Takes in one record; those that carry no history are ignored. The order of calls does not matter.
    pub fn observe(&mut self, record: &Record) {
        let (time_ns, id) = (record.time_ns, record.id);
        if self.sync.last_loss().is_some_and(|end| self.last_ns <= end && end < time_ns) {
            self.forget_lives();
        }
        self.last_ns = self.last_ns.max(time_ns);
        match &record.body {
            Body::Clock(clock) => {
                self.clock.observe(time_ns, clock);
                self.forget_lives();
            }
            Body::ServerClock(clock) => {
                self.clock.observe_server(clock);
                self.forget_lives();
            }
            Body::Loss(loss) => {
                self.sync.observe_loss(time_ns, id, loss);
                self.forget_lives();
            }
            Body::Watch(watch) => {
                self.sync.observe_watch(time_ns, id, watch);
                self.forget_lives();
            }
            Body::Pod(observed) => self.observe_pod(time_ns, id, observed),
            Body::EndpointSlice(observed) => {
                for (address, uid) in self.slices.observe(time_ns, id, observed) {
                    self.by_address.entry(address).or_default().insert(uid);
                }
            }
            Body::Service(observed) => self.services.observe(time_ns, id, observed),
            Body::ReplicaSet(observed) => self.workloads.observe_set(time_ns, observed),
            Body::ControllerRevision(revision) => {
                let observed = Observed {
                    present: revision.present,
                    not_before_ns: revision.not_before_ns,
                    object: revision.object.0.clone(),
                };
                self.workloads.observe_set(time_ns, &observed);
            }
            Body::Deployment(observed) => {
                self.workloads.observe_deployment(time_ns, id, observed);
            }
            Body::BackendChosen(chosen) => self.choices.observe(time_ns, id, chosen),
            Body::IpvsConnections(table) => self.choices.observe_table(time_ns, id, table),
            Body::ListenerOpened(one) => self.kernel.observe_listener(time_ns, id, one, true),
            Body::ListenerClosed(one) => self.kernel.observe_listener(time_ns, id, one, false),
            Body::Listeners(table) => self.kernel.observe_listeners(time_ns, id, table),
            Body::Signal(signal) => self.kernel.observe_signal(time_ns, id, signal),
            Body::Exit(exit) => self.kernel.observe_exit(time_ns, id, exit),
            Body::IpvsDestination(one) => self.kernel.observe_destination(time_ns, id, one),
            Body::IpvsServiceGone(gone) => self.kernel.observe_service_gone(time_ns, id, gone),
            Body::IpvsTable(table) => self.kernel.observe_table(time_ns, id, table),
            Body::Cgroup(cgroup) => self.sockets.observe_cgroup(time_ns, id, cgroup),
            Body::KubeletProcess(one) => self.sockets.observe_kubelet(time_ns, id, one),
            Body::PodNetns(netns) => self.sockets.observe_netns(netns),
            _ => {}
        }
    }

    fn observe_pod(&mut self, time_ns: u64, id: u64, observed: &Observed<Pod>) {
        let pod = &observed.object;
        let meta = &pod.meta;
        let known = self.pods.entry(meta.uid.clone()).or_default();
        known.namespace.clone_from(&meta.namespace);
        known.name.clone_from(&meta.name);
        known.host_network |= pod.host_network;
        // Set once in a pod's life; the maximum makes the result independent of the order of arrival.
        known.node = known.node.take().max(pod.node.clone());
        let owner = meta.owner.clone().map(|owner| (owner.kind, owner.name, owner.uid));
        known.owner = known.owner.take().max(owner);
        let hash = pod.revision_hash().map(str::to_owned);
        known.template_hash = known.template_hash.take().max(hash);
        known.history.observe(time_ns, id, observed);
        known.life = OnceLock::new();
        for address in &pod.ips {
            self.by_address.entry(*address).or_default().insert(meta.uid.clone());
        }
        if !pod.ips.is_empty() {
            known.addressed = true;
        }
        if known.addressed || known.host_network || known.node.is_none() {
            self.addressless.remove(&meta.uid);
        } else {
            self.addressless.insert(meta.uid.clone());
        }
        for container in pod.containers.iter().filter(|one| !one.id.is_empty()) {
            known.containers.insert(container.id.clone());
            self.by_container.insert(container.id.clone(), meta.uid.clone());
        }
    }

    fn forget_lives(&mut self) {
        for pod in self.pods.values_mut() {
            pod.life = OnceLock::new();
        }
    }

    /// Which pod has this address at that time, and in which state.
    pub fn pod_at_address(&self, address: IpAddr, time_ns: u64) -> Tag {
        let uids = self.by_address.get(&address).into_iter().flatten();
        let claimants: Vec<Claimant> = uids.flat_map(|uid| self.claimants(uid, address)).collect();
        let complete =
            |node: Option<&str>, since_ns| self.all_pods_watched(node, since_ns, time_ns);
        match holder(&claimants, time_ns, complete) {
            Holder::Sure(uid) => self.pod_by_uid_at(&uid, time_ns),
            Holder::Reaching(uid) => {
                let tag = self.pod_by_uid_at(&uid, time_ns);
                Tag { certainty: tag.certainty.max(Certainty::Changing), ..tag }
            }
            Holder::OneOf(uids) => {
                let cut = self.sync.anything_lost_by(PODS, time_ns) || !self.any_pod_watch(time_ns);
                let candidates: BTreeSet<PodRef> =
                    uids.iter().map(|uid| self.pod_ref(uid)).collect();
                Tag {
                    certainty: if cut { Certainty::Stale } else { Certainty::Ambiguous },
                    candidates: candidates.into_iter().collect(),
                    ..unknown()
                }
            }
            Holder::Nobody => unknown(),
        }
    }

    fn claimants(&self, uid: &str, address: IpAddr) -> Vec<Claimant> {
        let matching = |life: &Life| {
            let claims = life.claims.iter().filter(|(claimed, _)| *claimed == address);
            claims.map(|(_, claim)| *claim).collect::<Vec<_>>()
        };
        let (claims, host_network, node) = match self.pods.get(uid) {
            Some(pod) => (matching(self.life(uid, pod)), pod.host_network, pod.node.clone()),
            None => {
                let lives = self.slices.lives(uid, self.context(&[]));
                let node = self.slices.pod(uid).and_then(|pod| pod.node.clone());
                let mut claims: Vec<_> = lives.iter().flat_map(matching).take(1).collect();
                if self.is_missing(uid) {
                    claims.iter_mut().for_each(|claim| claim.sure_until_ns = 0);
                }
                (claims, false, node)
            }
        };
        let claimant =
            |claim| Claimant { uid: uid.to_owned(), claim, host_network, node: node.clone() };
        claims.into_iter().map(claimant).collect()
    }

    /// Which state that pod is in at that time.
    pub fn pod_by_uid_at(&self, uid: &str, time_ns: u64) -> Tag {
        let (possible, watched) = match self.pods.get(uid) {
            Some(pod) => {
                let scopes = self.scopes_of(uid, pod);
                let watched = scopes.iter().any(|scope| self.sync.in_sync(PODS, scope, time_ns));
                (vec![self.life(uid, pod).at(time_ns)], watched)
            }
            None => {
                let lives = self.slices.lives(uid, self.context(&[]));
                let possible = lives.iter().map(|life| life.at(time_ns)).collect();
                let mut scopes = self.sync.scopes(SLICES);
                let watched = scopes.any(|scope| self.sync.in_sync(SLICES, scope, time_ns));
                (possible, watched && !self.is_missing(uid))
            }
        };
        let state = together(&possible);
        let blind = !watched || possible.iter().any(|one| one.blind);
        let certainty = match state {
            None => Certainty::Unknown,
            Some(_) if blind => Certainty::Stale,
            Some(StateAt::Is(_)) => Certainty::Known,
            Some(StateAt::Changing { .. }) => Certainty::Changing,
        };
        Tag { certainty, pod: Some(self.pod_ref(uid)), state, ..unknown() }
    }

    /// Every state in which the pod can have been at that time, in order; empty if it did not exist or nothing tells.
    pub fn possible_states_at(&self, uid: &str, time_ns: u64) -> Vec<PodState> {
        match self.pods.get(uid) {
            Some(pod) => self.life(uid, pod).at(time_ns).states,
            None => {
                let lives = self.slices.lives(uid, self.context(&[]));
                lives.iter().flat_map(|life| life.at(time_ns).states).collect()
            }
        }
    }

    /// Whose socket it is: by cgroup, else by network namespace, never by address (F13). A pod that the cluster has
    /// not told of yet is named by its UID alone, `unknown`. The process id tells kubelet from its neighbours (F25).
    pub fn client(&self, cgroup: u64, netns: Netns, pid: u32, time_ns: u64) -> Tag {
        let lived = |uid: &str| {
            self.pods.get(uid).is_none_or(|pod| {
                let states = self.life(uid, pod).at(time_ns).states;
                !pod.host_network && !states.is_empty() && states != [PodState::Gone]
            })
        };
        let of_container = |id: &str| self.by_container.get(id).cloned();
        match self.sockets.owner((cgroup, netns, pid), time_ns, of_container, lived) {
            Owner::Pod(uid) => self.pod_by_uid_at(&uid, time_ns),
            Owner::Host(host) => self.host(host),
            Owner::OneOf(uids) => {
                let candidates: BTreeSet<PodRef> =
                    uids.iter().map(|uid| self.pod_ref(uid)).collect();
                let candidates = candidates.into_iter().collect();
                Tag { certainty: Certainty::Ambiguous, candidates, ..unknown() }
            }
            Owner::Unknown => unknown(),
        }
    }

    fn host(&self, host: HostClient) -> Tag {
        Tag { certainty: Certainty::Known, host: Some(host), ..unknown() }
    }

    /// The Service behind a dialled address; `None`: it is no Service's, as far as is known (a pod's, or the world's).
    pub fn service_at(&self, destination: SocketAddr, time_ns: u64) -> Option<ServiceTag> {
        self.services.at(destination, time_ns, &self.clock, &self.sync)
    }

    /// The backends of a flow between two times: its choices, each with the pod as it was then (F1). Where the first
    /// SYN took an existing entry, the list begins with that entry's choice, older than `from_ns`. conntrack is used
    /// where IPVS said nothing, else compared. Empty for a flow without its port, and for one that was never balanced.
    pub fn backends(&self, flow: &Flow, from_ns: u64, to_ns: u64) -> Backends {
        let (choices, disagreeing) = self.choices.of(flow, from_ns, to_ns);
        let choices = choices
            .into_iter()
            .map(|choice| BackendTag {
                time_ns: choice.time_ns,
                address: choice.address,
                // An older entry is used at the window's beginning: the pod is as it is then.
                tag: self.pod_at_address(choice.address.ip(), choice.time_ns.max(from_ns)),
                evidence: choice.evidence,
            })
            .collect();
        Backends { choices, disagreeing }
    }

    /// The workload's pods that were ever seen, old and new told apart by revision; sorted.
    pub fn workload_pods(&self, target: &Target) -> Vec<WorkloadPod> {
        let mut pods: Vec<PodRef> = self
            .pods
            .keys()
            .map(|uid| self.pod_ref(uid))
            .filter(|pod| pod.namespace == target.namespace)
            .filter(|pod| pod.workload.as_deref() == Some(target.name.as_str()))
            .collect();
        pods.sort();
        let announced = self.workloads.newest_revision(&target.namespace, &target.name);
        let newest = announced.max(pods.iter().filter_map(|pod| pod.revision).max());
        let side = |pod: &PodRef| match (pod.revision, newest) {
            (Some(revision), Some(newest)) if revision == newest => Side::New,
            (Some(_), Some(_)) => Side::Old,
            _ => Side::Unknown,
        };
        pods.into_iter().map(|pod| WorkloadPod { side: side(&pod), pod }).collect()
    }

    /// Every observation of a Deployment, by arrival.
    pub fn deployment(&self, namespace: &str, name: &str) -> impl Iterator<Item = &DeploymentSeen> {
        self.workloads.deployment(namespace, name)
    }

    /// Everything that happened to one pod.
    pub fn timeline_of(&self, uid: &str) -> PodTimeline {
        let mut moments = self.slices.moments(uid);
        let mut addresses = BTreeSet::new();
        if let Some(pod) = self.pods.get(uid) {
            moments.extend(life_moments(self.life(uid, pod), pod));
            addresses.extend(self.life(uid, pod).claims.iter().map(|(address, _)| *address));
        } else {
            let lives = self.slices.lives(uid, self.context(&[]));
            addresses.extend(lives.iter().flat_map(|life| &life.claims).map(|(one, _)| *one));
        }
        let none = BTreeSet::new();
        let containers = self.pods.get(uid).map_or(&none, |pod| &pod.containers);
        let cgroups = self.sockets.cgroups_of(uid, containers);
        let netns: Vec<Netns> = self.sockets.netns_of(uid).collect();
        moments.extend(self.kernel.listener_moments(&netns, &cgroups));
        // The API lists a pod's containers, never its sandbox.
        let of_pod = self.sockets.containers_of(uid, containers).into_iter();
        let listed = |id: &str| containers.is_empty() || containers.contains(id);
        let sandbox = of_pod.filter(|(id, _)| !listed(id)).flat_map(|(_, cgroups)| cgroups);
        moments.extend(self.kernel.process_moments(&cgroups, &sandbox.collect()));
        for address in &addresses {
            let facts = self.kernel.destination_moments(*address);
            moments.extend(facts.into_iter().filter(|moment| {
                let tag = self.pod_at_address(*address, moment.seen_ns);
                tag.pod.iter().chain(&tag.candidates).any(|pod| pod.uid == uid)
            }));
        }
        moments.sort();
        let addresses = addresses.into_iter().collect();
        PodTimeline { pod: self.pod_ref(uid), addresses, moments }
    }

    /// When the last process of the pod had begun to exit, its sandbox's included, and the record that says so: from
    /// then on nothing in it accepts a connection. `None`: not as far as the kernel told.
    pub fn emptied_at(&self, uid: &str) -> Option<(u64, u64)> {
        let pod = self.pods.get(uid)?;
        let containers = self.sockets.containers_of(uid, &pod.containers);
        let exits = containers.values().map(|cgroups| self.kernel.last_exit(cgroups));
        exits.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The pod's own network namespaces.
    pub fn netns_of(&self, uid: &str) -> Vec<Netns> {
        self.sockets.netns_of(uid).collect()
    }

    /// Monotonic ↔ Unix time.
    pub fn clock(&self) -> &ClockMap {
        &self.clock
    }

    /// Losses and watch cuts that overlap the time, sorted.
    pub fn gaps(&self, from_ns: u64, to_ns: u64) -> Vec<Gap> {
        self.sync.gaps(from_ns, to_ns)
    }

    /// Up to this time no observation that comes later can make a `known` tag wrong, if observations arrive within
    /// `lag_ns`: what lies after it is provisional. (A later one may still weaken `known` to `changing`.)
    pub fn settled_until(&self, lag_ns: u64) -> u64 {
        self.last_ns.saturating_sub(lag_ns)
    }

    /// Names of a pod by its UID; a UID that the cluster never told of has nothing else.
    pub fn pod_ref(&self, uid: &str) -> PodRef {
        let Some(pod) = self.pods.get(uid) else {
            let listed = self.slices.pod(uid);
            return PodRef {
                namespace: listed.map_or_else(String::new, |pod| pod.namespace.clone()),
                name: listed.map_or_else(String::new, |pod| pod.name.clone()),
                uid: uid.to_owned(),
                revision: None,
                template_hash: None,
                workload: None,
                node: listed.and_then(|pod| pod.node.clone()),
            };
        };
        let set = pod.owner.as_ref().and_then(|(_, _, uid)| self.workloads.of_set(uid));
        let direct = || {
            let (_, _, owner) = pod.owner.as_ref()?;
            self.workloads.of_revision(owner, pod.template_hash.as_deref()?)
        };
        let revision = set.as_ref().and_then(|(_, revision)| *revision).or_else(direct);
        PodRef {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: uid.to_owned(),
            revision,
            template_hash: pod.template_hash.clone(),
            workload: set.map(|(name, _)| name).or_else(|| workload_by_name(pod)),
            node: pod.node.clone(),
        }
    }

    fn life<'a>(&self, uid: &str, pod: &'a KnownPod) -> &'a Life {
        pod.life.get_or_init(|| {
            let scopes = self.scopes_of(uid, pod);
            pod.history.life(self.context(&scopes))
        })
    }

    fn context<'a>(&'a self, scopes: &'a [String]) -> Context<'a> {
        Context { clock: &self.clock, sync: &self.sync, scopes, last_ns: self.last_ns }
    }

    /// The scopes that cover a pod: its node's, its workload's, everything.
    fn scopes_of(&self, uid: &str, pod: &KnownPod) -> Vec<String> {
        let workload = self.pod_ref(uid).workload;
        let covers = |scope: &&str| match (scope.strip_prefix("node="), scope.split_once('/')) {
            _ if scope.is_empty() => true,
            (Some(node), _) => pod.node.as_deref() == Some(node),
            (None, Some((namespace, name))) => {
                namespace == pod.namespace && workload.as_deref() == Some(name)
            }
            (None, None) => false,
        };
        self.sync.scopes(PODS).filter(covers).map(str::to_owned).collect()
    }

    /// Whether every pod that can hold an address of that node was being watched from `since_ns` on, and has told
    /// its address.
    fn all_pods_watched(&self, node: Option<&str>, since_ns: u64, time_ns: u64) -> bool {
        let everything = self.sync.in_sync_throughout(PODS, "", since_ns, time_ns);
        let of_node = || {
            node.is_some_and(|node| {
                self.sync.in_sync_throughout(PODS, &format!("node={node}"), since_ns, time_ns)
            })
        };
        let nameless = |uid: &String| {
            self.pods.get(uid).is_some_and(|pod| {
                pod.node.as_deref() == node && self.life(uid, pod).may_run_at(time_ns)
            })
        };
        (everything || of_node())
            && !self.sync.anything_lost_by(PODS, time_ns)
            && !self.addressless.iter().any(nameless)
    }

    /// Whether a pod that only slices tell of should have been told of by a watch over pods: what that one knew is
    /// missing, and would have counted for more.
    fn is_missing(&self, uid: &str) -> bool {
        let Some(pod) = self.slices.pod(uid) else { return false };
        let covers = |scope: &str| match (scope.strip_prefix("node="), scope.split_once('/')) {
            _ if scope.is_empty() => true,
            (Some(node), _) => pod.node.as_deref() == Some(node),
            (None, Some((namespace, name))) => {
                let rest = pod.name.strip_prefix(name);
                namespace == pod.namespace && rest.is_some_and(|rest| rest.starts_with('-'))
            }
            (None, None) => false,
        };
        self.sync.scopes(PODS).any(covers)
    }

    fn any_pod_watch(&self, time_ns: u64) -> bool {
        self.sync.scopes(PODS).any(|scope| self.sync.in_sync(PODS, scope, time_ns))
    }
}

fn unknown() -> Tag {
    Tag {
        certainty: Certainty::Unknown,
        pod: None,
        state: None,
        candidates: Vec::new(),
        host: None,
    }
}

/// The owner's name; a ReplicaSet's less its hash.
fn workload_by_name(pod: &KnownPod) -> Option<String> {
    let (kind, name, _) = pod.owner.as_ref()?;
    let hash = pod.template_hash.as_deref().unwrap_or_default();
    let stem = name.strip_suffix(hash).and_then(|stem| stem.strip_suffix('-'));
    Some(match (kind.as_str(), stem) {
        ("ReplicaSet", Some(stem)) => stem.to_owned(),
        _ => name.clone(),
    })
}

/// One state if all sources agree on it; else the first and last that any of them allows.
fn together(possible: &[Possible]) -> Option<StateAt> {
    let states: BTreeSet<PodState> = match possible {
        [one] => return one.state(),
        several => several.iter().flat_map(|one| one.states.iter().copied()).collect(),
    };
    let (from, to) = (*states.first()?, *states.last()?);
    Some(if from == to { StateAt::Is(from) } else { StateAt::Changing { from, to } })
}

fn life_moments(life: &Life, pod: &KnownPod) -> Vec<Moment> {
    let steps = pod.history.versions.steps();
    let mut moments = Vec::new();
    let mut say = |what, not_before_ns, seen_ns, detail: String, evidence| {
        moments.push(Moment { seen_ns, not_before_ns, what, detail, evidence });
    };
    if let Some(first) = steps.first() {
        say(Happened::Created, life.created_ns, first.seen_ns, String::new(), first.id);
    }
    for (address, claim) in &life.claims {
        let with = steps.iter().find(|step| step.value.ips.contains(address));
        let id = with.map_or(0, |step| step.id);
        let from = claim.possible_from_ns;
        say(Happened::AddressAssigned, from, claim.sure_from_ns, address.to_string(), id);
    }
    for run in life.runs.iter().filter(|run| run.seen_ns > 0) {
        let what = match run.states {
            [PodState::Ready] => Happened::Ready,
            [PodState::NotReady] => Happened::NotReady,
            [PodState::Terminating] => Happened::DeletionRequested,
            [PodState::Finished] => Happened::Finished,
            [PodState::Gone] => Happened::Gone,
            _ => continue,
        };
        say(what, run.not_before_ns, run.seen_ns, String::new(), run.id);
    }
    moments
}
