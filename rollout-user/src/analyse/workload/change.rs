//! When the update began, whereto, and when it was over.
//!
//! In: versions of the Deployment and its ReplicaSets by time, its pods. Out: [`Episode`].

use super::super::report::update::Revision;
use super::super::stamped::Stamped;
use super::Member;
use crate::record::cluster::{Deployment, Observed, ReplicaSet};
use std::collections::BTreeMap;

/// One update, from the first change of the template to the day its old pods are gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Where it leads.
    pub to: Revision,
    /// The first change; `None`: under way when the watches came in sync.
    pub start: Option<Start>,
    /// The last change, from which windows count, ns; `None` as above.
    pub last_change_ns: Option<u64>,
    /// Revisions given up on the way, and when their successors were seen, ns.
    pub superseded: Vec<(Revision, u64)>,
    /// Complete, and old pods gone, ns.
    pub end_ns: Option<u64>,
}

/// When something was seen, and since when it may have been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Seen, ns.
    pub seen_ns: u64,
    /// Not before, ns.
    pub not_before_ns: u64,
}

/// A new revision has become the current one.
struct Change {
    start: Start,
    to: Revision,
}

/// Finds the first update of a recording.
pub fn episode(
    deployments: &[Stamped<Observed<Deployment>>],
    replica_sets: &[Stamped<Observed<ReplicaSet>>],
    members: &BTreeMap<String, Member>,
    watching_ns: Option<u64>,
) -> Option<Episode> {
    // Without a moment of being in sync nothing can be told from the initial state: all of it is.
    let watching = watching_ns.unwrap_or(u64::MAX);
    let (initial, changes) = changes(deployments, replica_sets, watching);
    let mut episode = match initial {
        Some(to) if under_way(deployments, members, &to, watching) => {
            Episode { to, start: None, last_change_ns: None, superseded: Vec::new(), end_ns: None }
        }
        _ => {
            let first = changes.first()?;
            Episode {
                to: first.to.clone(),
                start: Some(first.start),
                last_change_ns: Some(first.start.seen_ns),
                superseded: Vec::new(),
                end_ns: None,
            }
        }
    };
    for change in &changes {
        if episode.last_change_ns == Some(change.start.seen_ns) {
            continue;
        }
        let since = episode.last_change_ns.unwrap_or(0);
        let seen = change.start.seen_ns;
        if over(deployments, members, &episode.to, since).is_some_and(|end| end <= seen) {
            break;
        }
        episode.superseded.push((episode.to.clone(), seen));
        episode.to = change.to.clone();
        episode.last_change_ns = Some(seen);
    }
    let since = episode.last_change_ns.unwrap_or(0);
    episode.end_ns = over(deployments, members, &episode.to, since);
    Some(episode)
}

/// The revision that was current when the watches came in sync, and every later change of it.
fn changes(
    deployments: &[Stamped<Observed<Deployment>>],
    replica_sets: &[Stamped<Observed<ReplicaSet>>],
    watching: u64,
) -> (Option<Revision>, Vec<Change>) {
    let mut numbers: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut current: Option<Revision> = None;
    let mut initial = None;
    let mut changes: Vec<Change> = Vec::new();
    for version in replica_sets {
        let set = &version.what.object;
        if version.time_ns > watching && initial.is_none() {
            initial = current.clone();
        }
        // A deleted ReplicaSet was scaled to nothing long ago; its number stays taken.
        numbers.insert(&set.meta.uid, (set.revision.unwrap_or(0), &set.template_hash));
        let Some((number, hash)) = numbers.values().max().copied() else { continue };
        let same = current.as_ref().is_some_and(|now| now.template_hash == hash);
        let number = Some(number).filter(|number| *number > 0);
        current = Some(Revision { number, template_hash: hash.to_owned() });
        if !same && version.time_ns > watching {
            let after = changes.last().map_or(watching, |change| change.start.seen_ns);
            let start = start(deployments, version, after);
            changes.extend(current.clone().map(|to| Change { start, to }));
        }
    }
    (initial.or(if changes.is_empty() { current } else { None }), changes)
}

/// The Deployment's own change of template is seen first, as a rule; the two watches may swap them.
fn start(
    deployments: &[Stamped<Observed<Deployment>>],
    set: &Stamped<Observed<ReplicaSet>>,
    after_ns: u64,
) -> Start {
    let by_set = Start { seen_ns: set.time_ns, not_before_ns: set.what.not_before_ns };
    let template = |d: &Stamped<Observed<Deployment>>| d.what.object.template_digest.clone();
    let by_template = deployments
        .iter()
        .zip(deployments.iter().skip(1))
        .filter(|(before, now)| template(before) != template(now))
        .map(|(_, now)| now)
        .filter(|now| now.time_ns > after_ns && now.time_ns <= set.time_ns)
        .map(|now| Start { seen_ns: now.time_ns, not_before_ns: now.what.not_before_ns })
        .next_back();
    by_template.unwrap_or(by_set)
}

/// Whether an update was going on when the watches came in sync.
fn under_way(
    deployments: &[Stamped<Observed<Deployment>>],
    members: &BTreeMap<String, Member>,
    to: &Revision,
    watching: u64,
) -> bool {
    let last = deployments.iter().rfind(|d| d.time_ns <= watching);
    let incomplete = last.is_some_and(|d| {
        let d = &d.what.object;
        d.observed_generation < d.generation
            || d.updated < d.desired - d.kept()
            || d.replicas > d.updated.saturating_add(d.kept())
    });
    let old_pods = members.values().any(|member| {
        member.hash != to.template_hash
            && !last.is_some_and(|d| d.what.object.keeps(&member.name))
            && member.first_ns <= watching
            && member.gone_ns.is_none_or(|gone| gone > watching)
    });
    incomplete || old_pods
}

/// When the Deployment was complete and its old pods gone, at or after `since_ns`.
fn over(
    deployments: &[Stamped<Observed<Deployment>>],
    members: &BTreeMap<String, Member>,
    to: &Revision,
    since_ns: u64,
) -> Option<u64> {
    let complete = deployments.iter().find(|version| {
        let d = &version.what.object;
        let of_revision = match (d.revision, to.number) {
            (Some(is), Some(wanted)) => is >= wanted,
            _ => true,
        };
        version.time_ns >= since_ns
            && version.what.present
            && of_revision
            && !d.counts_another(&to.template_hash)
            && d.observed_generation >= d.generation
            && d.updated >= d.desired - d.kept()
            && d.replicas <= d.updated.saturating_add(d.kept())
            && d.replicas >= d.desired
            && d.available >= d.desired
    })?;
    let mut end = complete.time_ns;
    let d = &complete.what.object;
    let goes = |member: &&Member| member.hash != to.template_hash && !d.keeps(&member.name);
    for member in members.values().filter(goes) {
        // Old pods that come into being later belong to a later change.
        if member.first_ns <= end {
            end = end.max(member.gone_ns?);
        }
    }
    Some(end)
}
