//! Pods that only EndpointSlices tell of: those of other nodes and other workloads.
//!
//! In: versions of slices. Out: a pod's life by its endpoints' conditions, and moments for its timeline.

use super::pod::{Claim, Context, Life, Run, UNREADY, blind, lost_tail};
use super::tag::PodState;
use super::timeline::{Happened, Moment};
use super::versions::{Sighting, Versions, WATCH_LAG_NS};
use crate::record::cluster::{EndpointSlice, Observed};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How long a slice may lag behind its pods before it is even written, ns. Slices have no timestamps.
pub const SLICE_LAG_NS: u64 = 3_000_000_000;

/// The resource's name in `WatchState`.
pub(super) const SLICES: &str = "endpointslices";

/// The label by which the slices of a headless Service are known.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// What a pod may have been before a slice listed it as it is.
const LISTED: &[PodState] = &[PodState::Starting, PodState::Ready, PodState::NotReady];

/// An endpoint of a pod.
#[derive(Debug, Clone, PartialEq)]
struct Listed {
    uid: String,
    addresses: Vec<IpAddr>,
    ready: bool,
    serving: bool,
    terminating: bool,
}

/// What is known of a pod by name, from slices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlicePod {
    pub namespace: String,
    pub name: String,
    pub node: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct SliceHistory {
    name: String,
    /// Its Service is headless: no proxy reads it, and it may list pods as ready that are not.
    headless: bool,
    versions: Versions<Content>,
}

/// What a version of a slice says.
#[derive(Debug, Clone, Default)]
struct Content {
    /// Unix seconds of its last write, rounded down.
    updated: Option<i64>,
    /// Sorted by UID.
    listed: Vec<Listed>,
}

/// All slices.
#[derive(Debug, Clone, Default)]
pub(super) struct Slices {
    slices: BTreeMap<String, SliceHistory>,
    slices_of: BTreeMap<String, BTreeSet<String>>,
    pods: BTreeMap<String, SlicePod>,
}

impl Slices {
    /// Takes in one observation; gives every (address, pod UID) that it lists.
    pub fn observe(
        &mut self,
        time_ns: u64,
        id: u64,
        observed: &Observed<EndpointSlice>,
    ) -> Vec<(IpAddr, String)> {
        let slice = &observed.object;
        let mut listed = Vec::new();
        let mut addresses = Vec::new();
        for endpoint in &slice.endpoints {
            let Some(uid) = &endpoint.pod_uid else { continue };
            let pod = SlicePod {
                namespace: slice.meta.namespace.clone(),
                name: endpoint.pod_name.clone().unwrap_or_default(),
                node: endpoint.node.clone(),
            };
            let kept = self.pods.entry(uid.clone()).or_insert_with(|| pod.clone());
            if pod > *kept {
                *kept = pod;
            }
            let of = self.slices_of.entry(uid.clone()).or_default();
            of.insert(slice.meta.uid.clone());
            addresses.extend(endpoint.addresses.iter().map(|address| (*address, uid.clone())));
            listed.push(Listed {
                uid: uid.clone(),
                addresses: endpoint.addresses.clone(),
                ready: endpoint.ready,
                serving: endpoint.serving,
                terminating: endpoint.terminating,
            });
        }
        listed.sort_by(|one, other| one.uid.cmp(&other.uid));
        let history = self.slices.entry(slice.meta.uid.clone()).or_default();
        history.name.clone_from(&slice.meta.name);
        history.headless |= slice.meta.labels.contains_key(HEADLESS);
        let sighting = Sighting { arrival_ns: time_ns, id };
        let content = Content { updated: slice.meta.updated, listed };
        history.versions.insert(&slice.meta.resource_version, observed.present, sighting, content);
        addresses
    }

    /// The pod's names, if any slice ever listed it.
    pub fn pod(&self, uid: &str) -> Option<&SlicePod> {
        self.pods.get(uid)
    }

    /// The pod's life as its slices tell it: one for each slice.
    pub fn lives(&self, uid: &str, context: Context<'_>) -> Vec<Life> {
        let slices = self.slices_of.get(uid).into_iter().flatten();
        slices.filter_map(|slice| Some(self.slices.get(slice)?.life(uid, context))).collect()
    }

    /// What the slices say about the pod, as moments. Those of headless Services speak where there are no others.
    pub fn moments(&self, uid: &str) -> Vec<Moment> {
        let slices = self.slices_of.get(uid).into_iter().flatten();
        let slices: Vec<_> = slices.filter_map(|slice| self.slices.get(slice)).collect();
        let balanced = slices.iter().any(|one| !one.headless);
        let speak = slices.iter().filter(|one| !(balanced && one.headless));
        speak.flat_map(|one| one.moments(uid)).collect()
    }
}

fn find<'a>(present: bool, listed: &'a [Listed], uid: &str) -> Option<&'a Listed> {
    let at = listed.binary_search_by(|one| one.uid.as_str().cmp(uid)).ok()?;
    listed.get(at).filter(|_| present)
}

impl SliceHistory {
    fn life(&self, uid: &str, context: Context<'_>) -> Life {
        let steps = self.versions.steps();
        let mut life =
            Life { blind: blind(&steps, context.sync, SLICES, context.last_ns), ..Life::default() };
        let mut was_ready = false;
        let mut sure_until_ns = u64::MAX;
        let mut before_ns = 0;
        for step in &steps {
            // After a hole the change may lie anywhere in it, and as far before it as a version in it reaches back.
            let hole = context.missed_slices(before_ns, step.seen_ns);
            let hole_ns = if hole { before_ns.saturating_sub(WATCH_LAG_NS) } else { u64::MAX };
            let hole_ns = hole_ns.saturating_sub(SLICE_LAG_NS);
            before_ns = step.last_ns;
            let written_ns = step.value.updated.and_then(|at| context.clock.not_before(at));
            let after_ns = written_ns.unwrap_or(step.after_ns).saturating_sub(SLICE_LAG_NS);
            let Some(one) = find(step.present, &step.value.listed, uid) else {
                if !life.runs.is_empty() && life.lost_sight_ns.is_none() {
                    life.lost_sight_ns = Some(after_ns);
                    sure_until_ns = sure_until_ns.min(after_ns).min(hole_ns);
                }
                continue;
            };
            // Listed again: what was in between is not known.
            if let Some(from) = life.lost_sight_ns.take() {
                life.blind.push((from, step.seen_ns));
            }
            let states: &'static [PodState] = if one.terminating {
                sure_until_ns = sure_until_ns.min(after_ns).min(hole_ns);
                &[PodState::Terminating]
            } else if one.serving {
                was_ready = true;
                &[PodState::Ready]
            } else if was_ready {
                &[PodState::NotReady]
            } else {
                UNREADY
            };
            if life.runs.is_empty() {
                life.created_ns = after_ns;
                life.runs.push(Run { states: LISTED, not_before_ns: 0, seen_ns: 0, id: step.id });
            }
            let same = life.runs.last().is_some_and(|run| run.states == states && run.seen_ns > 0);
            if !same {
                let not_before_ns = after_ns.min(step.seen_ns);
                life.runs.push(Run { states, not_before_ns, seen_ns: step.seen_ns, id: step.id });
            }
            for address in &one.addresses {
                if !life.claims.iter().any(|(known, _)| known == address) {
                    let claim = Claim {
                        possible_from_ns: life.created_ns,
                        sure_from_ns: step.seen_ns,
                        sure_until_ns: u64::MAX,
                        possible_until_ns: u64::MAX,
                    };
                    life.claims.push((*address, claim));
                }
            }
        }
        let cut = context.sync.blind_tail(SLICES, context.sync.scopes(SLICES));
        let tail = match lost_tail(&life.blind).min(cut) {
            u64::MAX => u64::MAX,
            tail => tail.saturating_sub(WATCH_LAG_NS + SLICE_LAG_NS),
        };
        for (_, claim) in &mut life.claims {
            claim.sure_until_ns = sure_until_ns.min(tail);
        }
        life
    }

    fn moments(&self, uid: &str) -> Vec<Moment> {
        let mut moments = Vec::new();
        let mut before: Option<&Listed> = None;
        // A change lies between the arrivals of two versions; a timeline shows what the slice said, not the pod.
        let mut not_before_ns = 0;
        for step in &self.versions.steps() {
            let now = find(step.present, &step.value.listed, uid);
            let mut say = |what| {
                let detail = self.name.clone();
                let seen_ns = step.seen_ns;
                moments.push(Moment { seen_ns, not_before_ns, what, detail, evidence: step.id });
            };
            match (before, now) {
                (None, Some(one)) => {
                    say(Happened::InSlice);
                    changes(None, one).for_each(&mut say);
                }
                (Some(old), Some(one)) => changes(Some(old), one).for_each(&mut say),
                (Some(_), None) => say(Happened::SliceRemoved),
                (None, None) => {}
            }
            before = now;
            not_before_ns = step.last_ns;
        }
        moments
    }
}

fn changes(old: Option<&Listed>, new: &Listed) -> impl Iterator<Item = Happened> {
    let was = |condition: fn(&Listed) -> bool| old.is_some_and(condition);
    let gained = [
        (new.ready && !was(|one| one.ready), Happened::SliceReady),
        (!new.ready && was(|one| one.ready), Happened::SliceNotReady),
        (new.terminating && !was(|one| one.terminating), Happened::SliceTerminating),
        (!new.serving && was(|one| one.serving), Happened::SliceNotServing),
    ];
    gained.into_iter().filter(|(happened, _)| *happened).map(|(_, what)| what)
}
