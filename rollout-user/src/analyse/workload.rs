//! The watched workload: its revisions, its pods with their roles, its Services, and its update.
//!
//! In: cluster observations, in any order. Out: [`Workload`], which says old or new by revision (never by age), and
//! whether a connect concerns the workload at all.

pub mod change;

use super::report::attempt::{Backend, Role, Syn};
use super::report::update::Revision;
use super::stamped::Stamped;
use crate::attribute::tag::ServiceTag;
use crate::record::cluster::{Deployment, EndpointSlice, Meta, Observed, Pod, ReplicaSet, Service};
use crate::record::meta::Target;
use crate::record::{Body, Record};
use change::Episode;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Cluster observations that may concern the workload.
#[derive(Debug, Default)]
pub struct Observations {
    /// By kind; StatefulSets and DaemonSets in a Deployment's terms.
    deployments: BTreeMap<&'static str, Vec<Stamped<Observed<Deployment>>>>,
    replica_sets: Vec<Stamped<Observed<ReplicaSet>>>,
    pods: Vec<Stamped<Observed<Pod>>>,
    /// Every endpoint's pod that a slice ever had: Service → pod UIDs.
    endpoints: BTreeMap<(String, String), BTreeSet<String>>,
    /// Every version of every Service.
    services: BTreeMap<(String, String), Vec<Service>>,
}

/// What a pod's spec says of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spec {
    /// `terminationGracePeriodSeconds`.
    pub grace_seconds: Option<u64>,
    /// The longest `preStop.sleep` of its containers.
    pub pre_stop_sleep_seconds: Option<u64>,
    /// A container has a `preStop` hook of another kind, whose length the spec does not tell.
    pub has_other_pre_stop: bool,
}

/// A pod of the workload, over its whole life.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name: pods of a StatefulSet pass it on.
    pub name: String,
    /// What its spec says of its end.
    pub spec: Spec,
    /// Names of its containers.
    pub containers: Vec<String>,
    /// `pod-template-hash`, or what stands for it.
    pub hash: String,
    /// First observation, ns.
    pub first_ns: u64,
    /// When it was seen to be gone, ns.
    pub gone_ns: Option<u64>,
    /// The newest version so far: resource version, and whether it is the deletion.
    newest: (u64, bool),
}

/// The watched workload, or nothing.
#[derive(Debug, Default)]
pub struct Workload {
    /// What was watched.
    pub target: Option<Target>,
    /// Its pods by UID.
    pub members: BTreeMap<String, Member>,
    /// Its update.
    pub episode: Option<Episode>,
    /// The workload's own versions, by time.
    pub deployments: Vec<Stamped<Deployment>>,
    /// Its revisions' versions, by time.
    pub replica_sets: Vec<Stamped<ReplicaSet>>,
    services: BTreeSet<(String, String)>,
    addresses: BTreeSet<SocketAddr>,
}

impl Observations {
    /// Takes a record in; others than cluster observations are left alone.
    pub fn take(&mut self, record: &Record) {
        if let Some((kind, seen)) = record.body.workload() {
            self.deployments.entry(kind).or_default().push(Stamped::of(record, &seen.cloned()));
        }
        if let Some(seen) = record.body.revision() {
            self.replica_sets.push(Stamped::of(record, &seen.cloned()));
        }
        match &record.body {
            Body::Pod(seen) => self.pods.push(Stamped::of(record, seen)),
            Body::EndpointSlice(seen) => self.take_slice(&seen.object),
            Body::Service(seen) => {
                let meta = &seen.object.meta;
                let key = (meta.namespace.clone(), meta.name.clone());
                self.services.entry(key).or_default().push(seen.object.clone());
            }
            _ => {}
        }
    }

    /// Workloads that were seen.
    pub fn targets(&self) -> BTreeSet<Target> {
        let target = |kind: &str, meta: &Meta| Target {
            kind: kind.to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
        };
        let of_kind = |(kind, seen): (&&str, &Vec<Stamped<Observed<Deployment>>>)| {
            seen.iter().map(|one| target(kind, &one.what.object.meta)).collect::<Vec<_>>()
        };
        self.deployments.iter().flat_map(of_kind).collect()
    }

    fn take_slice(&mut self, slice: &EndpointSlice) {
        let Some(service) = &slice.service else { return };
        let key = (slice.meta.namespace.clone(), service.clone());
        let pods = slice.endpoints.iter().filter_map(|endpoint| endpoint.pod_uid.clone());
        self.endpoints.entry(key).or_default().extend(pods);
    }

    /// Reads the workload out of what was observed. `watching_ns`: when the watches were in sync; what was seen before
    /// that is how things were, not a change.
    pub fn finish(self, target: Option<Target>, watching_ns: Option<u64>) -> Workload {
        let Some(target) = target else { return Workload::default() };
        let Self { deployments, replica_sets, mut pods, endpoints, services } = self;
        let is_target = |d: &Stamped<Observed<Deployment>>| {
            let meta = &d.what.object.meta;
            meta.namespace == target.namespace && meta.name == target.name
        };
        let mut of_kind = deployments;
        let of_kind = of_kind.remove(target.kind.as_str()).unwrap_or_default();
        let mut deployments: Vec<_> = of_kind.into_iter().filter(is_target).collect();
        deployments.sort_by_key(Stamped::order);
        let uids: BTreeSet<&str> =
            deployments.iter().map(|d| d.what.object.meta.uid.as_str()).collect();
        let is_owned = |r: &Stamped<Observed<ReplicaSet>>| {
            let meta = &r.what.object.meta;
            meta.namespace == target.namespace
                && meta.owner.as_ref().is_some_and(|owner| uids.contains(owner.uid.as_str()))
        };
        let mut replica_sets: Vec<_> = replica_sets.into_iter().filter(is_owned).collect();
        replica_sets.sort_by_key(Stamped::order);
        pods.sort_by_key(Stamped::order);
        let members = members(&target, &replica_sets, &pods);

        let mut workload = Workload {
            episode: change::episode(&deployments, &replica_sets, &members, watching_ns),
            deployments: deployments.into_iter().map(unwrap).collect(),
            replica_sets: replica_sets.into_iter().map(unwrap).collect(),
            ..Workload::default()
        };
        let labels: Vec<&BTreeMap<String, String>> = pods
            .iter()
            .filter(|pod| members.contains_key(&pod.what.object.meta.uid))
            .map(|pod| &pod.what.object.meta.labels)
            .collect();
        for (key, versions) in services {
            let has_pod = |uids: &BTreeSet<String>| uids.iter().any(|u| members.contains_key(u));
            let by_slice = endpoints.get(&key).is_some_and(has_pod);
            let by_selector = key.0 == target.namespace
                && versions.iter().any(|service| {
                    !service.selector.is_empty()
                        && labels.iter().any(|labels| selects(&service.selector, labels))
                });
            if by_slice || by_selector {
                for service in &versions {
                    workload.addresses.extend(service.addresses.iter().flat_map(|ip| {
                        service.ports.iter().map(|port| SocketAddr::new(*ip, port.port))
                    }));
                }
                workload.services.insert(key);
            }
        }
        workload.members = members;
        workload.target = Some(target);
        workload
    }
}

fn unwrap<T>(seen: Stamped<Observed<T>>) -> Stamped<T> {
    Stamped { time_ns: seen.time_ns, id: seen.id, what: seen.what.object }
}

fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The workload's pods: owned by it, or by one of its ReplicaSets, or by one that was never seen but is named after it.
fn members(
    target: &Target,
    replica_sets: &[Stamped<Observed<ReplicaSet>>],
    pods: &[Stamped<Observed<Pod>>],
) -> BTreeMap<String, Member> {
    let hashes: BTreeMap<&str, &str> = replica_sets
        .iter()
        .map(|r| (r.what.object.meta.uid.as_str(), r.what.object.template_hash.as_str()))
        .collect();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for pod in pods {
        let meta = &pod.what.object.meta;
        let Some(hash) = hash_of(target, &hashes, &pod.what.object) else { continue };
        let member = members.entry(meta.uid.clone()).or_insert_with(|| Member {
            name: meta.name.clone(),
            spec: spec(&pod.what.object, Spec::default()),
            containers: pod.what.object.containers.iter().map(|one| one.name.clone()).collect(),
            hash: hash.to_owned(),
            first_ns: pod.time_ns,
            gone_ns: None,
            newest: (0, false),
        });
        // Two watches may cover one pod: what counts is the newest version, not the last to arrive. A deletion comes
        // after the version that it deletes.
        let version = (meta.resource_version.parse().unwrap_or(0), !pod.what.present);
        if version > member.newest || version.0 == 0 {
            member.newest = version;
            member.spec = spec(&pod.what.object, member.spec);
            member.gone_ns = Some(pod.time_ns).filter(|_| !pod.what.present);
        }
    }
    members
}

/// The revision of a pod that is the workload's.
fn hash_of<'a>(target: &Target, sets: &BTreeMap<&str, &'a str>, pod: &'a Pod) -> Option<&'a str> {
    let (meta, owner) = (&pod.meta, pod.meta.owner.as_ref()?);
    let own_namespace = meta.namespace == target.namespace;
    if target.owns_pods() {
        // A set that is made again under its name is the same workload.
        let own = owner.kind == target.kind && owner.name == target.name && own_namespace;
        return own.then(|| pod.revision_hash().unwrap_or_default());
    }
    if owner.kind != "ReplicaSet" {
        return None;
    }
    let named = |hash: &&str| owner.name == format!("{}-{hash}", target.name);
    let by_name = pod.revision_hash().filter(named).filter(|_| own_namespace);
    sets.get(owner.uid.as_str()).copied().or(by_name)
}

/// What a version of a pod says of its end, after what earlier versions said. Seconds are never negative; what is, is left
/// out.
fn spec(pod: &Pod, before: Spec) -> Spec {
    let seconds = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    // A deletion may ask for another grace period than the spec's; kubelet's own, at the end, asks for none.
    let asked = seconds(pod.meta.deletion_grace_seconds).filter(|asked| *asked > 0);
    let own = seconds(pod.grace_seconds).filter(|_| pod.meta.deletion_timestamp.is_none());
    Spec {
        grace_seconds: asked.or(own).or(before.grace_seconds).or(seconds(pod.grace_seconds)),
        pre_stop_sleep_seconds: seconds(pod.pre_stop_sleep_seconds),
        has_other_pre_stop: pod.pre_stop_hook.is_some(),
    }
}

impl Workload {
    /// Whether a pod is one of the workload's.
    pub fn has_pod(&self, uid: &str) -> bool {
        self.members.contains_key(uid)
    }

    /// Old or new, by revision; `None` where the pod is not the workload's or no update was seen.
    pub fn role(&self, uid: &str) -> Option<Role> {
        let (member, episode) = (self.members.get(uid)?, self.episode.as_ref()?);
        Some(if member.hash == episode.to.template_hash { Role::New } else { Role::Old })
    }

    /// Every revision that has pods here, by hash, with the number it had last.
    pub fn revisions(&self) -> Vec<Revision> {
        let mut numbers: BTreeMap<&str, Option<u64>> = BTreeMap::new();
        for member in self.members.values() {
            numbers.insert(&member.hash, None);
        }
        for set in &self.replica_sets {
            if let Some(number) = numbers.get_mut(set.what.template_hash.as_str()) {
                *number = set.what.revision.or(*number);
            }
        }
        numbers
            .into_iter()
            .map(|(hash, number)| Revision { number, template_hash: hash.to_owned() })
            .collect()
    }

    /// The update's start, ns, where it was seen.
    pub fn start_ns(&self) -> Option<u64> {
        self.episode.as_ref().and_then(|episode| episode.start).map(|start| start.seen_ns)
    }

    /// Whether a connect concerns the workload; without one every connect does.
    pub fn covers(
        &self,
        destination: SocketAddr,
        service: Option<&ServiceTag>,
        backends: &[Backend],
        syns: &[Syn],
    ) -> bool {
        if self.target.is_none() {
            return true;
        }
        let service = service.map(|tag| (tag.namespace.clone(), tag.name.clone()));
        let tags =
            backends.iter().map(|b| &b.tag).chain(syns.iter().filter_map(|s| s.pod.as_ref()));
        self.addresses.contains(&destination)
            || service.is_some_and(|key| self.services.contains(&key))
            || tags.filter_map(|tag| tag.pod.as_ref()).any(|pod| self.has_pod(&pod.uid))
    }
}
