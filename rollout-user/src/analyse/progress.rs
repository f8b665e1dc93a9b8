//! How far a rolling update has come: has it begun, did we come in its middle, is it complete, are the old pods gone.
//!
//! In: the timeline's records in order of arrival. Out: a [`State`] and counts of pods, for live progress and for the
//! decision when `watch` may end. Provisional: the report judges anew from the whole recording. Touches no clock.
//!
//! Revisions are told apart by `pod-template-hash`; which is the newest says the ReplicaSets' revision annotation, which
//! a roll-back moves to an older hash. StatefulSets and DaemonSets have `controller-revision-hash` and ControllerRevisions
//! for the same. Pods are told apart by UID: those of a StatefulSet have the names of their predecessors.

mod pods;

pub use pods::{Counts, PodCounts};

use crate::record::cluster::{Deployment, Observed, ReplicaSet, WatchChange, WatchState};
use crate::record::meta::{Phase, Target};
use crate::record::{Body, Record};
use pods::Pods;
use std::collections::{BTreeMap, BTreeSet};

/// Where the update is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The workload is not known yet.
    Unknown,
    /// Nothing new yet: the revision is the one that was there in the beginning.
    Waiting,
    /// A new revision is on its way.
    Updating,
    /// The Deployment is complete as `kubectl rollout status` has it, but old pods are still there.
    Draining,
    /// Complete, and the old pods are gone. Final.
    Complete,
    /// The Deployment was deleted. Final.
    Deleted,
}

/// What is still missing, in the order in which it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The controller has not taken the change up.
    Observed,
    /// Pods of the new revision to be made.
    Updated {
        /// So many are there.
        have: i32,
        /// So many are wanted.
        want: i32,
    },
    /// Replicas of older revisions that are not deleted yet.
    OldReplicas(i32),
    /// Pods of the new revision to become available.
    Available {
        /// So many are.
        have: i32,
        /// So many are wanted.
        want: i32,
    },
    /// Old pods that are still there, terminating or not.
    OldPods(u32),
}

struct Set {
    hash: String,
    revision: u64,
    present: bool,
}

/// As it was when the watches were in sync.
struct Baseline {
    digest: String,
    /// Newest revision annotation; 0 = none.
    revision: u64,
    /// Hash of that revision, if its ReplicaSet was there.
    hash: Option<String>,
    /// Hashes of all pods and ReplicaSets.
    hashes: BTreeSet<String>,
}

/// Follows one Deployment.
pub struct Progress {
    target: Target,
    deployment: Option<Deployment>,
    /// Its generation when it was seen first.
    first_generation: i64,
    sets: BTreeMap<String, Set>,
    pods: Pods,
    in_sync: BTreeSet<&'static str>,
    baseline: Option<Baseline>,
    state: State,
    came_in_the_middle: bool,
    /// Newest hash of each step after the baseline.
    steps: Vec<String>,
    began_ns: Option<u64>,
    ended_ns: Option<u64>,
}

/// The watches whose first lists make the baseline.
fn needed(target: &Target) -> [&'static str; 3] {
    [target.resource(), "pods", target.revisions()]
}

impl Progress {
    /// Nothing known yet.
    pub fn new(target: Target) -> Progress {
        Progress {
            target,
            deployment: None,
            first_generation: 0,
            sets: BTreeMap::new(),
            pods: Pods::default(),
            in_sync: BTreeSet::new(),
            baseline: None,
            state: State::Unknown,
            came_in_the_middle: false,
            steps: Vec::new(),
            began_ns: None,
            ended_ns: None,
        }
    }

    /// Takes one record; says whether the state is another one now.
    pub fn observe(&mut self, record: &Record) -> bool {
        let before = self.state;
        if let Some((kind, observed)) = record.body.workload() {
            self.observe_deployment(kind, observed);
        } else if let Some(observed) = record.body.revision() {
            self.observe_set(observed);
        } else {
            match &record.body {
                Body::Pod(observed) => self.pods.observe(&self.target, observed),
                Body::Watch(watch) => self.observe_watch(watch),
                Body::Phase(Phase::Watching) => self.in_sync.extend(needed(&self.target)),
                _ => return false,
            }
        }
        if !matches!(before, State::Complete | State::Deleted) {
            self.judge(record.time_ns);
        }
        self.state != before
    }

    /// Where the update is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The update was under way when the watches came into sync.
    pub fn came_in_the_middle(&self) -> bool {
        self.came_in_the_middle
    }

    /// The Deployment is paused.
    pub fn paused(&self) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| deployment.paused)
    }

    /// How often a newer change replaced the one that was under way.
    pub fn superseded(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    /// The newest change leads back to a revision that was there before: rolled back, half-way or as the update itself.
    pub fn rolled_back(&self) -> bool {
        let Some((last, earlier)) = self.steps.split_last() else { return false };
        let baseline = self.baseline.as_ref();
        earlier.contains(last) || baseline.is_some_and(|baseline| baseline.hashes.contains(last))
    }

    /// Revision number in the beginning.
    pub fn baseline_revision(&self) -> Option<u64> {
        self.baseline.as_ref().map(|baseline| baseline.revision).filter(|revision| *revision > 0)
    }

    /// Newest revision number.
    pub fn revision(&self) -> Option<u64> {
        self.newest().map(|set| set.revision).filter(|revision| *revision > 0)
    }

    /// When the first sign of the update came, ns of `CLOCK_MONOTONIC`; `None` before it and in its middle.
    pub fn began_ns(&self) -> Option<u64> {
        self.began_ns
    }

    /// When the last sign of completeness came, ns.
    pub fn ended_ns(&self) -> Option<u64> {
        self.ended_ns
    }

    /// Old and new pods by state. Before the update all pods are old.
    pub fn pods(&self) -> PodCounts {
        let began = !matches!(self.state, State::Unknown | State::Waiting);
        self.pods.count(|hash| began && self.is_new(hash))
    }

    /// Whether the pod with this UID, as observed so far, is one of the workload's: its ReplicaSet is, or is called as this
    /// Deployment calls its own.
    pub fn has_pod(&self, uid: &str) -> bool {
        self.pods.has(uid)
    }

    /// What the update still lacks; `None` where there is none, or it lacks nothing.
    pub fn missing(&self) -> Option<Missing> {
        if matches!(self.state, State::Updating | State::Draining) { self.lacks() } else { None }
    }

    fn lacks(&self) -> Option<Missing> {
        let deployment = self.deployment.as_ref()?;
        if let Some(missing) = self.incomplete(deployment) {
            return Some(missing);
        }
        let old = self.pods.to_go(|hash| self.is_new(hash), |name| deployment.keeps(name));
        (old > 0).then_some(Missing::OldPods(old))
    }

    fn observe_deployment(&mut self, kind: &str, observed: Observed<&Deployment>) {
        let meta = &observed.object.meta;
        if kind != self.target.kind
            || meta.namespace != self.target.namespace
            || meta.name != self.target.name
        {
            return;
        }
        if observed.present {
            if self.deployment.is_none() {
                self.first_generation = observed.object.generation;
            }
            self.deployment = Some(observed.object.clone());
        } else if self.deployment.as_ref().is_none_or(|known| known.meta.uid == meta.uid) {
            self.state = State::Deleted;
        }
    }

    fn observe_set(&mut self, observed: Observed<&ReplicaSet>) {
        let set = observed.object;
        let ours = set.meta.namespace == self.target.namespace
            && set.meta.owner.as_ref().is_some_and(|owner| {
                owner.kind == self.target.kind && owner.name == self.target.name
            });
        if !ours {
            return;
        }
        self.pods.own(&set.meta.uid);
        let known = Set {
            hash: set.template_hash.clone(),
            revision: set.revision.unwrap_or(0),
            present: observed.present,
        };
        self.sets.insert(set.meta.uid.clone(), known);
    }

    fn observe_watch(&mut self, watch: &WatchState) {
        let scope = format!("{}/{}", self.target.namespace, self.target.name);
        if watch.scope != scope || watch.change != WatchChange::Synced {
            return;
        }
        let needed = needed(&self.target).into_iter().filter(|needed| *needed == watch.resource);
        self.in_sync.extend(needed);
    }

    fn newest(&self) -> Option<&Set> {
        let present = self.sets.values().filter(|set| set.present);
        present.max_by(|a, b| (a.revision, &a.hash).cmp(&(b.revision, &b.hash)))
    }

    /// Whether pods of this hash are of the newest revision, as far as known: before its ReplicaSet is seen, every hash
    /// that was not there in the beginning is new.
    fn is_new(&self, hash: &str) -> bool {
        let baseline = self.baseline.as_ref();
        let base = baseline.map_or(0, |baseline| baseline.revision);
        match self.newest() {
            Some(set) if set.revision > base || self.came_in_the_middle => set.hash == hash,
            _ => baseline.is_some_and(|baseline| !baseline.hashes.contains(hash)),
        }
    }

    fn judge(&mut self, time_ns: u64) {
        if self.state == State::Deleted {
            self.ended_ns = Some(time_ns);
            return;
        }
        let Some(deployment) = self.deployment.clone() else { return };
        if self.baseline.is_none() {
            if self.in_sync.len() < needed(&self.target).len() {
                return;
            }
            self.set_baseline(&deployment);
        }
        self.note_step();
        if !self.came_in_the_middle && !self.has_begun(&deployment) {
            self.state = State::Waiting;
            self.began_ns = None;
            return;
        }
        if !self.came_in_the_middle {
            self.began_ns.get_or_insert(time_ns);
        }
        self.state = match self.lacks() {
            None => State::Complete,
            Some(Missing::OldPods(_)) => State::Draining,
            Some(_) => State::Updating,
        };
        if self.state == State::Complete {
            self.ended_ns = Some(time_ns);
        }
    }

    /// Old pods that only terminate are leftovers of an update that is over: the next one is waited for.
    fn set_baseline(&mut self, deployment: &Deployment) {
        let newest = self.newest();
        let hash = newest.map(|set| set.hash.clone());
        let revision = newest.map_or(0, |set| set.revision);
        let is_new = |pod: &str| hash.as_deref() == Some(pod);
        let going = self.pods.count(is_new).old.terminating;
        let old = self.pods.to_go(is_new, |name| deployment.keeps(name));
        self.came_in_the_middle = deployment.replicas
            > deployment.updated.saturating_add(deployment.kept())
            || (hash.is_some() && old > going);
        let sets = self.sets.values().map(|set| set.hash.clone());
        let hashes = sets.chain(self.pods.hashes()).collect();
        let digest = deployment.template_digest.clone();
        self.baseline = Some(Baseline { digest, revision, hash, hashes });
    }

    /// Remembers each hash that becomes the newest after the baseline.
    fn note_step(&mut self) {
        let Some(baseline) = &self.baseline else { return };
        let newest = self.newest().map(|set| (set.revision, set.hash.clone()));
        let Some((revision, hash)) = newest else { return };
        if revision <= baseline.revision {
            return;
        }
        if self.steps.is_empty() && self.came_in_the_middle {
            // The change that was under way is the first step.
            self.steps.extend(baseline.hash.clone());
        }
        if self.steps.last() != Some(&hash) {
            self.steps.push(hash);
        }
    }

    fn has_begun(&self, deployment: &Deployment) -> bool {
        let Some(baseline) = &self.baseline else { return false };
        let revised = self.newest().is_some_and(|set| set.revision > baseline.revision);
        let pods = self.pods.hashes().any(|hash| !baseline.hashes.contains(&hash));
        // A paused Deployment takes a changed template up when it is resumed.
        let changed = !deployment.paused && deployment.template_digest != baseline.digest;
        revised || pods || changed
    }

    /// What `kubectl rollout status` would wait for. The Deployment as seen must be of the newest revision: its watch
    /// may lag behind the ReplicaSets'.
    fn incomplete(&self, deployment: &Deployment) -> Option<Missing> {
        let baseline = self.baseline.as_ref()?;
        let newest = self.newest();
        let number = newest.map_or(0, |set| set.revision);
        let behind = deployment.revision.is_some_and(|revision| revision < number)
            || newest.is_some_and(|set| deployment.counts_another(&set.hash));
        let unchanged = match deployment.revision {
            Some(revision) => {
                deployment.template_digest == baseline.digest && revision <= baseline.revision
            }
            // A roll-back brings the first template back, and there is no number that tells.
            None => deployment.generation <= self.first_generation,
        };
        if deployment.observed_generation < deployment.generation
            || behind
            || (unchanged && !self.came_in_the_middle)
        {
            return Some(Missing::Observed);
        }
        let kept = deployment.kept();
        let (have, want) = (deployment.updated, deployment.desired - kept);
        if have < want {
            return Some(Missing::Updated { have, want });
        }
        let staying = deployment.updated.saturating_add(kept);
        if deployment.replicas > staying {
            return Some(Missing::OldReplicas(deployment.replicas - staying));
        }
        let (have, want) = (deployment.available, staying);
        if have < want {
            return Some(Missing::Available { have, want });
        }
        None
    }
}

#[cfg(test)]
mod tests;
