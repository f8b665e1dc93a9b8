//! When the watches were in sync, and where records were lost: the times at which histories cannot be trusted.
//!
//! In: `WatchState` and `Loss` records, and the arrival of every observation. Out: answers by resource, scope and time.

use super::versions::WATCH_LAG_NS;
use crate::record::cluster::{WatchChange, WatchState};
use crate::record::meta::{Loss, Stage};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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

/// The life of one watch.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// By time and record id.
    changes: BTreeMap<(u64, u64), (WatchChange, String)>,
}

/// State of all watches, and losses.
#[derive(Debug, Clone, Default)]
pub(super) struct Sync {
    watches: BTreeMap<String, BTreeMap<String, Scope>>,
    /// Arrivals by resource and scope.
    arrivals: BTreeMap<(String, String), BTreeSet<u64>>,
    /// By (since, until, record id).
    losses: BTreeMap<(u64, u64, u64), Loss>,
}

/// Stages at which an observation of the cluster can be lost; the others carry kernel events only.
fn carries_observations(stage: Stage) -> bool {
    matches!(stage, Stage::Queue | Stage::Recording | Stage::Read)
}

impl Sync {
    pub fn observe_watch(&mut self, time_ns: u64, id: u64, watch: &WatchState) {
        let scopes = self.watches.entry(watch.resource.clone()).or_default();
        let scope = scopes.entry(watch.scope.clone()).or_default();
        let reason = watch.reason.clone().unwrap_or_default();
        scope.changes.insert((time_ns, id), (watch.change, reason));
        if watch.change == WatchChange::Synced {
            self.observe_arrival(&watch.resource, &watch.scope, time_ns);
        }
    }

    pub fn observe_loss(&mut self, time_ns: u64, id: u64, loss: &Loss) {
        self.losses.insert((loss.since_ns.min(time_ns), time_ns, id), loss.clone());
    }

    /// An observation of this resource, within this scope, arrived.
    pub fn observe_arrival(&mut self, resource: &str, scope: &str, time_ns: u64) {
        self.arrivals.entry((resource.to_owned(), scope.to_owned())).or_default().insert(time_ns);
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
        if !matches!(now, Some((_, (WatchChange::Synced, _)))) {
            return false;
        }
        let next_cut = watch
            .changes
            .range((from_ns.saturating_add(1), 0)..)
            .find(|(_, (change, _))| *change == WatchChange::Cut);
        next_cut.is_none_or(|((cut_ns, _), _)| self.blind_from(resource, scope, *cut_ns) > to_ns)
    }

    /// A watch that was cut had delivered everything only up to its last record, less its lag.
    fn blind_from(&self, resource: &str, scope: &str, cut_ns: u64) -> u64 {
        let arrivals = self.arrivals.get(&(resource.to_owned(), scope.to_owned()));
        let last = arrivals.and_then(|times| times.range(..=cut_ns).next_back());
        last.copied().unwrap_or(0).saturating_sub(WATCH_LAG_NS)
    }

    /// Losses that can have held observations and overlap the time, as (since, until).
    pub fn lost_observations(&self, from_ns: u64, to_ns: u64) -> impl Iterator<Item = (u64, u64)> {
        self.losses
            .range(..=(to_ns, u64::MAX, u64::MAX))
            .filter(move |((_, until, _), loss)| {
                *until >= from_ns && carries_observations(loss.stage)
            })
            .map(|((since, until, _), _)| (*since, *until))
    }

    /// Whether an observation of something that had happened by then may have been lost.
    pub fn anything_lost_by(&self, time_ns: u64) -> bool {
        self.lost_observations(0, time_ns.saturating_add(WATCH_LAG_NS)).next().is_some()
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
                gaps.extend(self.cuts(resource, scope, watch));
            }
        }
        gaps.retain(|gap| gap.from_ns <= to_ns && gap.to_ns >= from_ns);
        gaps.sort();
        gaps
    }

    fn cuts(&self, resource: &str, scope: &str, watch: &Scope) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut open: Option<Gap> = None;
        for ((time_ns, id), (change, reason)) in &watch.changes {
            match change {
                WatchChange::Cut => {
                    open.get_or_insert_with(|| Gap {
                        from_ns: self.blind_from(resource, scope, *time_ns),
                        to_ns: u64::MAX,
                        cause: GapCause::Watch {
                            resource: resource.to_owned(),
                            scope: scope.to_owned(),
                            reason: reason.clone(),
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
