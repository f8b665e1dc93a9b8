//! The EndpointSlice followed the pod's deletion late.
//!
//! Evidence: the deletion on one watch, the slice's change on another more than a second later. Ruled out by a watch that was
//! cut in between (the slice's change may then have come earlier). Rival: a slow proxy, whose time begins where this ends.

use super::super::super::report::cause::{CauseName, Remedy, Surety};
use super::super::super::report::duration::duration;
use super::super::case::{Case, Hit};
use super::super::life::PodLife;
use super::super::rule::{by_pod, name, number, sign};
use super::{Behind, hits_in};

/// The controller batches changes for up to a second.
pub const SLOW_NS: u64 = 1_500_000_000;

/// From the deletion to the slice's change, if that is long.
fn lag(life: &PodLife) -> Option<(u64, u64)> {
    let (deletion, out) = (life.deletion?, life.out_of_slice?);
    let lag = out.seen_ns.checked_sub(deletion.seen_ns)?;
    (lag > SLOW_NS).then_some((deletion.seen_ns, out.seen_ns))
}

/// Looks for it.
pub fn find<'a>(case: &Case<'_>, hits: &[Hit<'a>]) -> Behind<'a> {
    let until = |life: &PodLife| {
        let (from, out) = lag(life)?;
        Some((from, life.unprogrammed.map_or(out, |off| off.seen_ns)))
    };
    let hits = hits_in(hits, until);
    let signs = by_pod(&hits, |life, count| {
        let (from, to) = lag(life)?;
        let all = number(count, "bad attempt");
        let text = format!(
            "the slice listed {} as ready for {} after its deletion was seen: {all} from then on",
            name(life),
            duration(to - from)
        );
        let points = life.deletion.into_iter().chain(life.out_of_slice);
        Some(sign(text, points.map(|point| point.evidence)))
    });
    // Two watches: each may lag by itself. A cut in between leaves the order open.
    let cut = hits
        .iter()
        .filter_map(|hit| lag(hit.life?))
        .any(|(from, to)| !case.histories.gaps(from, to).is_empty());
    let surety = if cut { Surety::Possible } else { Surety::Likely };
    let remedy = Some(Remedy {
        text: "find why the EndpointSlice controller lags (API server, controller-manager, its QPS limits); until then \
               preStop has to cover it"
            .to_owned(),
        patch: None,
    });
    Behind { name: CauseName::SlowController, surety, hits, signs, remedy }
}
