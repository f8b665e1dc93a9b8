//! An ingress or proxy dials pods by their addresses, and still dialled one that its Service no longer listed.
//!
//! Evidence: the dialled address is the pod's own, and the slice had it no longer as ready. Ruled out where a balancer chose.
//! Rivals: causes on the server's side, which then only say how it failed.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::when;
use super::rule::{Fit, Rule, advice, by_pod, by_then, name, never, number, sign};

/// The rule.
pub const RULE: Rule =
    Rule { name: CauseName::StaleUpstream, fits, also: never, signs, remedy, rivals: &[] };

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let life = hit.life?;
    if !hit.is_direct() {
        return None;
    }
    let fit = by_then(
        when(life.out_of_slice, hit.time_ns()),
        life.out_of_slice.map(|point| point.evidence),
    )?;
    // While the slice may still have listed it, what the server did says more.
    let surety = if fit.surety == Surety::Proven { Surety::Proven } else { Surety::Possible };
    Some(Fit { surety, ..fit })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let out = life.out_of_slice?;
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let last = of.map(Hit::time_ns).max()?;
        let all = number(count, "time");
        let text = format!(
            "clients dialled {} by its own address {all}, up to {} after its Service no longer listed it as ready",
            name(life),
            duration(last.saturating_sub(out.seen_ns))
        );
        Some(sign(text, [out.evidence]))
    })
}

fn remedy(_: &Case<'_>, hits: &[Hit<'_>]) -> Option<Remedy> {
    let late = hits
        .iter()
        .filter_map(|hit| Some(hit.time_ns().saturating_sub(hit.life?.out_of_slice?.seen_ns)));
    let late = duration(late.max()?);
    advice(format!(
        "the client learns of endpoints up to {late} late: let its pods sleep longer than that in preStop"
    ))
}
