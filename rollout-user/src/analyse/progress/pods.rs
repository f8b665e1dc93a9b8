//! The workload's pods by template hash and state.
//!
//! In: Pod observations, and which ReplicaSets are the workload's. Out: counts.

use crate::attribute::tag::PodState;
use crate::record::cluster::{Observed, Pod};
use crate::record::meta::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Pods by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Created, not ready yet.
    pub starting: u32,
    /// Ready.
    pub ready: u32,
    /// Was ready, is not now.
    pub not_ready: u32,
    /// Deletion was requested.
    pub terminating: u32,
    /// Succeeded or Failed, e.g. evicted: may stay for ever and gets no traffic.
    pub finished: u32,
    /// Deleted.
    pub gone: u32,
}

impl Counts {
    /// Pods that are there and not finished.
    pub fn there(&self) -> u32 {
        self.starting + self.ready + self.not_ready + self.terminating
    }

    fn add(&mut self, state: PodState) {
        *match state {
            PodState::Starting => &mut self.starting,
            PodState::Ready => &mut self.ready,
            PodState::NotReady => &mut self.not_ready,
            PodState::Terminating => &mut self.terminating,
            PodState::Finished => &mut self.finished,
            PodState::Gone => &mut self.gone,
        } += 1;
    }
}

/// Old and new pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PodCounts {
    /// Of every revision but the newest.
    pub old: Counts,
    /// Of the newest revision.
    pub new: Counts,
}

struct One {
    name: String,
    set: String,
    /// It is the workload's by its owner's name: the workload itself, or a ReplicaSet called as it calls its own.
    named: bool,
    hash: String,
    version: u64,
    was_ready: bool,
    state: PodState,
}

/// All pods that may be the workload's.
#[derive(Default)]
pub(super) struct Pods {
    pods: BTreeMap<String, One>,
    sets: BTreeSet<String>,
}

impl Pods {
    /// A ReplicaSet of the workload.
    pub(super) fn own(&mut self, uid: &str) {
        self.sets.insert(uid.to_owned());
    }

    /// Takes one observation; an older version of a known pod says nothing new.
    pub(super) fn observe(&mut self, target: &Target, observed: &Observed<Pod>) {
        let pod = &observed.object;
        if pod.meta.namespace != target.namespace {
            return;
        }
        let kind = if target.owns_pods() { target.kind.as_str() } else { "ReplicaSet" };
        let Some(owner) = pod.meta.owner.as_ref().filter(|owner| owner.kind == kind) else {
            return;
        };
        let hash = pod.revision_hash().unwrap_or_default().to_owned();
        let version = pod.meta.resource_version.parse().unwrap_or(u64::MAX);
        let before = self.pods.get(&pod.meta.uid);
        if before.is_some_and(|before| before.version > version || before.state == PodState::Gone) {
            return;
        }
        let was_ready = pod.ready || before.is_some_and(|before| before.was_ready);
        let one = One {
            named: if target.owns_pods() {
                owner.name == target.name
            } else {
                owner.name == format!("{}-{hash}", target.name)
            },
            name: pod.meta.name.clone(),
            set: owner.uid.clone(),
            hash,
            version,
            was_ready,
            state: state(observed, was_ready),
        };
        self.pods.insert(pod.meta.uid.clone(), one);
    }

    /// Counts them; `is_new` tells by hash.
    pub(super) fn count(&self, is_new: impl Fn(&str) -> bool) -> PodCounts {
        let mut counts = PodCounts::default();
        for pod in self.ours() {
            let side = if is_new(&pod.hash) { &mut counts.new } else { &mut counts.old };
            side.add(pod.state);
        }
        counts
    }

    /// Pods that are there, neither new nor kept at their revision by name.
    pub(super) fn to_go(&self, is_new: impl Fn(&str) -> bool, kept: impl Fn(&str) -> bool) -> u32 {
        let mut counts = Counts::default();
        for pod in self.ours().filter(|pod| !is_new(&pod.hash) && !kept(&pod.name)) {
            counts.add(pod.state);
        }
        counts.there()
    }

    /// Hashes of all pods so far, repeated.
    pub(super) fn hashes(&self) -> impl Iterator<Item = String> + '_ {
        self.ours().map(|pod| pod.hash.clone())
    }

    /// Whether a pod that was observed belongs to the workload.
    pub(super) fn has(&self, uid: &str) -> bool {
        self.pods.get(uid).is_some_and(|pod| self.is_ours(pod))
    }

    fn ours(&self) -> impl Iterator<Item = &One> {
        self.pods.values().filter(|pod| self.is_ours(pod))
    }

    fn is_ours(&self, pod: &One) -> bool {
        pod.named || self.sets.contains(&pod.set)
    }
}

fn state(observed: &Observed<Pod>, was_ready: bool) -> PodState {
    let pod = &observed.object;
    if !observed.present {
        PodState::Gone
    } else if matches!(pod.phase.as_str(), "Succeeded" | "Failed") {
        PodState::Finished
    } else if pod.meta.deletion_timestamp.is_some() {
        PodState::Terminating
    } else if pod.ready {
        PodState::Ready
    } else if was_ready {
        PodState::NotReady
    } else {
        PodState::Starting
    }
}
