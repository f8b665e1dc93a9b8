//! A healthy proxy pod left its Service during the update, because its readiness depends on the backend that failed.
//!
//! Evidence: a client pod that is not of the workload, not deleted, its process alive, became not ready soon after attempts
//! of its own went badly. Ruled out by an exit of its process. It costs what the report cannot see: requests that never
//! reached this client.

use super::super::super::report::cause::{CauseName, Remedy, Surety};
use super::super::case::{Case, Hit};
use super::super::life::{PodLife, Point};
use super::super::rule::{name, sign};
use super::Behind;
use std::collections::BTreeMap;

/// A probe fails some periods after the backend has: three of ten seconds by default, and its time-outs.
const WITHIN_NS: u64 = 60_000_000_000;

/// The client's pod, where it is not one of the workload's.
fn client<'a>(case: &'a Case<'_>, hit: &Hit<'_>) -> Option<&'a PodLife> {
    let uid = &hit.attempt.client.tag.pod.as_ref()?.uid;
    case.lives.get(uid).filter(|life| life.role.is_none())
}

/// When it became not ready after a bad attempt, though it lived and was not deleted.
fn left(life: &PodLife, after_ns: u64) -> Option<Point> {
    let mut times = life.unready.iter().map(|(point, _)| *point);
    times.find(|point| {
        let soon = (after_ns..=after_ns.saturating_add(WITHIN_NS)).contains(&point.seen_ns);
        let deleted = life.deletion.is_some_and(|deletion| deletion.not_before_ns <= point.seen_ns);
        let ended = life.exit.is_some_and(|exit| exit.seen_ns <= point.seen_ns);
        soon && !deleted && !ended
    })
}

/// Looks for it.
pub fn find<'a>(case: &'a Case<'_>, hits: &[Hit<'a>]) -> Behind<'a> {
    let mut pods: BTreeMap<&str, (&PodLife, Point)> = BTreeMap::new();
    let mut of: Vec<Hit<'a>> = Vec::new();
    for hit in hits {
        let Some(life) = client(case, hit) else { continue };
        if let Some(point) = left(life, hit.time_ns()) {
            pods.entry(&life.pod.uid).or_insert((life, point));
            of.push(*hit);
        }
    }
    let signs = pods.values().take(5).map(|(life, point)| {
        let again = life.unready.iter().find(|(left, _)| left == point).and_then(|(_, again)| *again);
        let again = if again.is_some() { ", and ready again later" } else { "" };
        let text = format!(
            "{} was taken for not ready while its process lived, after its connects to the workload went badly{again}",
            name(life)
        );
        sign(text, [point.evidence])
    });
    let remedy = Some(Remedy {
        text: "let the proxy's readinessProbe answer for the proxy alone, not for the backend behind it".to_owned(),
        patch: None,
    });
    let name = CauseName::ReadinessCascade;
    Behind { name, surety: Surety::Likely, signs: signs.collect(), hits: of, remedy }
}
