//! What a cause cost users: attempts, time, pods.
//!
//! In: the hits that a cause explains. Out: a [`Cause`] with its cost and bounds, still without rivals and remedy.

use super::super::report::attempt::Outcome;
use super::super::report::cause::{Cause, CauseName, Cost, Sign, Surety};
use super::case::{Case, Hit};
use crate::attribute::tag::PodRef;
use std::collections::BTreeSet;

/// A cause of these hits; `None`: there are none.
pub fn cause(
    case: &Case<'_>,
    name: CauseName,
    surety: Surety,
    hits: &[Hit<'_>],
    signs: Vec<Sign>,
) -> Option<Cause> {
    let first = hits.iter().map(|hit| hit.attempt.begun).min()?;
    let last = hits.iter().map(|hit| hit.attempt.begun).max()?;
    let pods: BTreeSet<&PodRef> = hits.iter().filter_map(|hit| Some(&hit.life?.pod)).collect();
    let mut attempts: Vec<usize> = hits.iter().map(|hit| hit.position).collect();
    attempts.sort_unstable();
    attempts.dedup();
    Some(Cause {
        name,
        surety,
        pods: pods.into_iter().cloned().collect(),
        attempts,
        cost: cost(case, hits),
        from: first,
        to: last,
        signs,
        ruled_out: Vec::new(),
        competing: Vec::new(),
        leads_to: Vec::new(),
        remedy: None,
    })
}

fn cost(case: &Case<'_>, hits: &[Hit<'_>]) -> Cost {
    let usual_ns = case.usual_ns;
    let count = |wanted: fn(&Hit<'_>) -> bool| hits.iter().filter(|hit| wanted(hit)).count() as u64;
    let bad = || hits.iter().filter(|hit| hit.attempt.failed || hit.attempt.slowed);
    Cost {
        failed: count(|hit| hit.attempt.failed),
        slowed: count(|hit| hit.attempt.slowed),
        misdirected: count(|hit| !hit.attempt.failed && !hit.attempt.slowed),
        extra_latency_ns: bad()
            .map(|hit| hit.took_ns().saturating_sub(usual_ns))
            .fold(0, u64::saturating_add),
        longest_ns: bad().map(Hit::took_ns).max().unwrap_or(0),
    }
}

/// Median time of users' attempts that went well, ns; 0 where there are none.
pub fn usual_ns<'a>(users: impl Iterator<Item = Hit<'a>>) -> u64 {
    let well = |hit: &Hit<'_>| hit.attempt.outcome == Outcome::Established && !hit.attempt.slowed;
    let mut times: Vec<u64> = users.filter(well).filter_map(|hit| hit.attempt.latency_ns).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}
