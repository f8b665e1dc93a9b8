//! kube-proxy of this node took long from the slice's change to its own table.
//!
//! Evidence: the slice that made it leave the pod on this node's watch, and the balancer's change more than a second later.
//! While no endpoint is ready, terminating ones are chosen by intent, and no time counts (KEP-1669). Ruled out where the slice
//! itself was late. Rival: the controller that writes slices.

use super::super::super::report::cause::{CauseName, Remedy, Surety};
use super::super::super::report::duration::duration;
use super::super::case::{Case, Hit};
use super::super::life::PodLife;
use super::super::rule::{by_pod, name, number, sign};
use super::{Behind, hits_in};

/// kube-proxy syncs at once, or after its `minSyncPeriod` of a second.
pub const SLOW_NS: u64 = 1_000_000_000;

/// From the slice's change to the balancer's, if that is long.
fn lag(life: &PodLife) -> Option<(u64, u64)> {
    let (out, off) = (life.had_to_leave?, life.unprogrammed?);
    let lag = off.not_before_ns.checked_sub(out.seen_ns)?;
    (lag > SLOW_NS).then_some((out.seen_ns, off.seen_ns))
}

/// Looks for it.
pub fn find<'a>(_: &Case<'_>, hits: &[Hit<'a>]) -> Behind<'a> {
    let hits = hits_in(hits, lag);
    let signs = by_pod(&hits, |life, count| {
        let (from, to) = lag(life)?;
        let all = number(count, "bad attempt");
        let text = format!(
            "kube-proxy stopped choosing {} {} after its slice had changed: {all} in between",
            name(life),
            duration(to - from)
        );
        let points = life.had_to_leave.into_iter().chain(life.unprogrammed);
        Some(sign(text, points.map(|point| point.evidence)))
    });
    let sure = hits.iter().any(Hit::is_sure);
    let longest = hits.iter().filter_map(|hit| lag(hit.life?)).map(|(from, to)| to - from).max();
    let remedy = longest.map(|longest| Remedy {
        text: format!(
            "find why kube-proxy lags by {} (minSyncPeriod, CPU limits, size of its table); until then preStop has to cover it",
            duration(longest)
        ),
        patch: None,
    });
    let surety = if sure { Surety::Proven } else { Surety::Likely };
    Behind { name: CauseName::SlowProxy, surety, hits, signs, remedy }
}
