//! When the watches were in sync, and where records were lost: the times at which histories cannot be trusted.
//!
//! In: `WatchState` and `Loss` records. Out: answers by resource, scope and time.

use super::versions::WATCH_LAG_NS;
use crate::record::cluster::{WatchChange, WatchState};
use crate::record::meta::{Loss, Stage};
use serde::Serialize;
use std::collections::BTreeMap;

/// Why knowledge has a hole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// Something was lost.
    Loss {
        /// Where.
        stage: Stage,
        /// Program or queue, if named.
        program: String,
        /// How many; 0 = an unknown number.
        count: u64,
    },
    /// A watch was not in sync.
    Watch {
        /// `pods`, …
        resource: String,
        /// What it covered.
        scope: String,
        /// The error's text.
        reason: String,
    },
}

/// A hole in what is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// Its beginning, ns.
    pub from_ns: u64,
    /// Its end, ns; `u64::MAX` while it lasts.
    pub to_ns: u64,
    /// Why.
    pub cause: GapCause,
    /// The record that says so.
    pub evidence: u64,
}

/// One change of a watch.
#[derive(Debug, Clone)]
struct Change {
    change: WatchChange,
    reason: String,
    /// Of a cut: from here on it may have been blind, ns.
    blind_ns: u64,
}

/// The life of one watch.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// By time and record id.
    changes: BTreeMap<(u64, u64), Change>,
}

/// State of all watches, and losses.
#[derive(Debug, Clone, Default)]
pub(super) struct Sync {
    watches: BTreeMap<String, BTreeMap<String, Scope>>,
    /// By (since, until, record id).
    losses: BTreeMap<(u64, u64, u64), Loss>,
}

/// Whether an observation of that resource can have been lost. Queues refuse kernel events only: watches wait.
fn hits(loss: &Loss, resource: &str) -> bool {
    match loss.stage {
        Stage::Recording | Stage::Read => true,
        Stage::Watch => loss.program == resource,
        _ => false,
    }
}

impl Sync {
    pub fn observe_watch(&mut self, time_ns: u64, id: u64, watch: &WatchState) {
        let scopes = self.watches.entry(watch.resource.clone()).or_default();
        let scope = scopes.entry(watch.scope.clone()).or_default();
        let change = Change {
            change: watch.change,
            reason: watch.reason.clone().unwrap_or_default(),
            // What it had seen by its last sign of life was up to date but for its lag.
            blind_ns: watch.since_ns.min(time_ns).saturating_sub(WATCH_LAG_NS),
        };
        scope.changes.insert((time_ns, id), change);
    }

    pub fn observe_loss(&mut self, time_ns: u64, id: u64, loss: &Loss) {
        self.losses.insert((loss.since_ns.min(time_ns), time_ns, id), loss.clone());
    }

    /// Scopes of a resource that were ever watched.
    pub fn scopes(&self, resource: &str) -> impl Iterator<Item = &str> {
        self.watches.get(resource).into_iter().flat_map(|scopes| scopes.keys().map(String::as_str))
    }

    /// Whether the watch was in sync at that time, and stayed so long enough to deliver what happened then.
    pub fn in_sync(&self, resource: &str, scope: &str, time_ns: u64) -> bool {
        self.in_sync_throughout(resource, scope, time_ns, time_ns)
    }

    /// Whether the watch was in sync all the time from `from_ns` to `to_ns`.
    pub fn in_sync_throughout(
        &self,
        resource: &str,
        scope: &str,
        from_ns: u64,
        to_ns: u64,
    ) -> bool {
        let Some(watch) = self.watches.get(resource).and_then(|scopes| scopes.get(scope)) else {
            return false;
        };
        let now = watch.changes.range(..=(from_ns, u64::MAX)).next_back();
        if now.is_none_or(|(_, now)| now.change != WatchChange::Synced) {
            return false;
        }
        let next = watch.changes.range((from_ns.saturating_add(1), 0)..).next();
        // A list without a cut before it: the cut's own record was lost, and nothing tells when it was.
        next.is_none_or(|(_, next)| next.change == WatchChange::Cut && next.blind_ns > to_ns)
    }

    /// Whether a first list was completed between two times: objects that it brings may have skipped versions.
    pub fn listed_between(&self, resource: &str, scope: &str, from_ns: u64, to_ns: u64) -> bool {
        let watch = self.watches.get(resource).and_then(|scopes| scopes.get(scope));
        let mut changes = watch
            .into_iter()
            .flat_map(|watch| watch.changes.range((from_ns, 0)..=(to_ns, u64::MAX)));
        changes.any(|(_, change)| change.change == WatchChange::Synced)
    }

    /// From here on nothing of these watches was delivered up to the end, ns; `u64::MAX` if one is in sync then.
    pub fn blind_tail<'a>(&self, resource: &str, scopes: impl Iterator<Item = &'a str>) -> u64 {
        scopes.map(|scope| self.scope_tail(resource, scope)).max().unwrap_or(0)
    }

    fn scope_tail(&self, resource: &str, scope: &str) -> u64 {
        let Some(watch) = self.watches.get(resource).and_then(|scopes| scopes.get(scope)) else {
            return 0;
        };
        let mut changes = watch.changes.values().rev();
        let cuts = changes.by_ref().take_while(|change| change.change == WatchChange::Cut);
        cuts.map(|change| change.blind_ns).min().unwrap_or(u64::MAX)
    }

    /// The end of the last loss, ns.
    pub fn last_loss(&self) -> Option<u64> {
        self.losses.keys().map(|(_, until, _)| *until).max()
    }

    /// Losses that can have held observations and overlap the time, as (since, until).
    pub fn lost_observations(
        &self,
        resource: &str,
        from_ns: u64,
        to_ns: u64,
    ) -> impl Iterator<Item = (u64, u64)> {
        self.losses
            .range(..=(to_ns, u64::MAX, u64::MAX))
            .filter(move |((_, until, _), loss)| *until >= from_ns && hits(loss, resource))
            .map(|((since, until, _), _)| (*since, *until))
    }

    /// Whether an observation of something that had happened by then may have been lost.
    pub fn anything_lost_by(&self, resource: &str, time_ns: u64) -> bool {
        let to_ns = time_ns.saturating_add(WATCH_LAG_NS);
        self.lost_observations(resource, 0, to_ns).next().is_some()
    }

    /// Every hole that overlaps the time, sorted.
    pub fn gaps(&self, from_ns: u64, to_ns: u64) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self
            .losses
            .range(..=(to_ns, u64::MAX, u64::MAX))
            .filter(|((_, until, _), _)| *until >= from_ns)
            .map(|((since, until, id), loss)| Gap {
                from_ns: *since,
                to_ns: *until,
                cause: GapCause::Loss {
                    stage: loss.stage,
                    program: loss.program.clone(),
                    count: loss.count,
                },
                evidence: *id,
            })
            .collect();
        for (resource, scopes) in &self.watches {
            for (scope, watch) in scopes {
                gaps.extend(watch.cuts(resource, scope));
            }
        }
        gaps.retain(|gap| gap.from_ns <= to_ns && gap.to_ns >= from_ns);
        gaps.sort();
        gaps
    }
}

impl Scope {
    fn cuts(&self, resource: &str, scope: &str) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut open: Option<Gap> = None;
        for ((time_ns, id), change) in &self.changes {
            match change.change {
                WatchChange::Cut => {
                    open.get_or_insert_with(|| Gap {
                        from_ns: change.blind_ns,
                        to_ns: u64::MAX,
                        cause: GapCause::Watch {
                            resource: resource.to_owned(),
                            scope: scope.to_owned(),
                            reason: change.reason.clone(),
                        },
                        evidence: *id,
                    });
                }
                WatchChange::Synced => {
                    gaps.extend(open.take().map(|gap| Gap { to_ns: *time_ns, ..gap }));
                }
            }
        }
        gaps.extend(open);
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_could_not_be_read_hits_its_resource_alone() {
        let loss = Loss { stage: Stage::Watch, program: "pods".into(), count: 1, since_ns: 0 };
        assert!(hits(&loss, "pods"));
        assert!(!hits(&loss, "endpointslices"));
        assert!(!hits(&Loss { stage: Stage::Ring, ..loss }, "pods"));
    }
}
