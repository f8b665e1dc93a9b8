//! Updates in progress, as this node's pods show them: workloads of which pods of two revisions are there.
//!
//! In: the pods and the histories, at one moment. Out: a row for each update. A watch over a node sees neither Deployments
//! nor StatefulSets: what happens on other nodes is not told here.

use super::pods::{One, Pods};
use super::view::UpdateRow;
use crate::attribute::Histories;
use crate::attribute::tag::{PodState, StateAt};
use crate::present::escape::name;
use crate::present::event_line::Tone;
use std::collections::BTreeMap;

/// How long an update stays on the screen after its end, ns. Nothing that changed for as long stands still.
const LINGER_NS: u64 = 60_000_000_000;

type Workload = (String, String);

#[derive(Default)]
struct Progress {
    began_ns: u64,
    /// It was under way when it was first seen.
    in_the_middle: bool,
    ended_ns: Option<u64>,
}

/// All updates that are under way, or were a moment ago.
#[derive(Default)]
pub struct Updates {
    known: BTreeMap<Workload, Progress>,
}

/// Pods of one workload and revision.
#[derive(Debug, Clone, Default)]
struct Revision {
    number: Option<u64>,
    created: Option<i64>,
    seen_ns: u64,
    changed_ns: u64,
    there: u32,
    ready: u32,
    terminating: u32,
}

impl Revision {
    fn add(&mut self, pod: &One, number: Option<u64>, state: Option<StateAt>) {
        self.seen_ns = if self.seen_ns == 0 { pod.seen_ns } else { self.seen_ns.min(pod.seen_ns) };
        self.changed_ns = self.changed_ns.max(pod.changed_ns);
        self.number = self.number.max(number);
        self.created = self.created.max(pod.created);
        let is = |wanted| state == Some(StateAt::Is(wanted));
        if pod.gone_ns.is_none() && !is(PodState::Gone) && !is(PodState::Finished) {
            self.there += 1;
            self.ready += u32::from(is(PodState::Ready));
            self.terminating += u32::from(is(PodState::Terminating));
        }
    }
}

impl Updates {
    /// The rows at `now_ns`. `watching_ns`: since when changes are seen as they happen; what was there then may be older.
    pub fn rows(
        &mut self,
        now_ns: u64,
        watching_ns: Option<u64>,
        pods: &Pods,
        histories: &Histories,
    ) -> Vec<UpdateRow> {
        let mut rows = Vec::new();
        for (workload, revisions) in by_workload(now_ns, pods, histories) {
            let newest = newest(&revisions);
            self.judge(&workload, &revisions, newest, watching_ns);
            if let Some(progress) = self.known.get(&workload) {
                let ended = progress.ended_ns.unwrap_or(now_ns);
                if now_ns.saturating_sub(ended) <= LINGER_NS {
                    rows.push(row(&workload, &revisions, newest, progress, now_ns));
                }
            }
        }
        let is_old = |progress: &Progress| {
            progress.ended_ns.is_some_and(|ended| now_ns.saturating_sub(ended) > LINGER_NS)
        };
        self.known.retain(|_, progress| !is_old(progress));
        rows
    }

    fn judge(
        &mut self,
        workload: &Workload,
        revisions: &BTreeMap<String, Revision>,
        newest: Option<&str>,
        watching_ns: Option<u64>,
    ) {
        let several = revisions.values().filter(|revision| revision.there > 0).count() > 1;
        let newest = newest.and_then(|hash| revisions.get(hash));
        let unready = newest.is_some_and(|newest| newest.ready < newest.there);
        let goes_on = several || (unready && revisions.len() > 1);
        let changed_ns = revisions.values().map(|revision| revision.changed_ns).max();
        match self.known.get_mut(workload) {
            // A newer update of the same workload begins a row of its own.
            Some(progress) if goes_on && progress.ended_ns.is_some() => {
                *progress = begun(newest, watching_ns);
            }
            Some(progress) if !goes_on && !unready && progress.ended_ns.is_none() => {
                progress.ended_ns = changed_ns;
            }
            None if goes_on => {
                self.known.insert(workload.clone(), begun(newest, watching_ns));
            }
            _ => {}
        }
    }
}

fn begun(newest: Option<&Revision>, watching_ns: Option<u64>) -> Progress {
    let began_ns = newest.map_or(0, |newest| newest.seen_ns);
    let in_the_middle = watching_ns.is_none_or(|since| began_ns <= since);
    Progress { began_ns, in_the_middle, ended_ns: None }
}

fn by_workload(
    now_ns: u64,
    pods: &Pods,
    histories: &Histories,
) -> BTreeMap<Workload, BTreeMap<String, Revision>> {
    let mut workloads: BTreeMap<Workload, BTreeMap<String, Revision>> = BTreeMap::new();
    for (uid, pod) in pods.iter() {
        let (Some(hash), Some((_, owner))) = (&pod.hash, &pod.owner) else { continue };
        let known = histories.pod_ref(uid);
        let workload = known.workload.unwrap_or_else(|| owner.clone());
        let state = histories.pod_by_uid_at(uid, now_ns).state;
        let revisions = workloads.entry((pod.namespace.clone(), workload)).or_default();
        revisions.entry(hash.clone()).or_default().add(pod, known.revision, state);
    }
    workloads
}

/// The newest revision: by its number where all have one, else by the newest pod; `None` where that does not tell.
fn newest(revisions: &BTreeMap<String, Revision>) -> Option<&str> {
    let numbered = revisions.values().all(|revision| revision.number.is_some());
    let age = |revision: &Revision| match numbered {
        true => (revision.number, None),
        false => (None, revision.created),
    };
    let (hash, last) = revisions.iter().max_by_key(|(_, revision)| age(revision))?;
    let as_old = revisions.values().filter(|revision| age(revision) == age(last)).count();
    (as_old == 1).then_some(hash.as_str())
}

fn row(
    workload: &Workload,
    revisions: &BTreeMap<String, Revision>,
    newest: Option<&str>,
    progress: &Progress,
    now_ns: u64,
) -> UpdateRow {
    let (mut old, mut new) = (Revision::default(), Revision::default());
    for (hash, revision) in revisions {
        let side = if newest == Some(hash.as_str()) { &mut new } else { &mut old };
        side.there += revision.there;
        side.ready += revision.ready;
        side.terminating += revision.terminating;
        side.number = side.number.max(revision.number);
        side.changed_ns = side.changed_ns.max(revision.changed_ns);
    }
    let changed_ns = old.changed_ns.max(new.changed_ns);
    let (phase, tone) = match newest {
        _ if progress.ended_ns.is_some() => ("complete", Tone::Good),
        _ if now_ns.saturating_sub(changed_ns) > LINGER_NS => ("standing still", Tone::Slow),
        None => ("several revisions", Tone::Slow),
        Some(_) if new.ready < new.there => ("new pods starting", Tone::Slow),
        Some(_) if old.there == old.terminating => ("old pods ending", Tone::Slow),
        Some(_) => ("replacing pods", Tone::Slow),
    };
    let number = |side: &Revision| side.number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let (namespace, workload) = workload;
    UpdateRow {
        namespace: namespace.clone(),
        name: format!("{}/{}", name(namespace), name(workload)),
        revision: format!("{} → {}", number(&old), number(&new)),
        old: (old.there, old.ready),
        new: newest.map(|_| (new.there, new.ready)),
        phase: phase.to_owned(),
        tone,
        took_ns: progress.ended_ns.unwrap_or(now_ns).saturating_sub(progress.began_ns),
        at_least: progress.in_the_middle,
    }
}
