//! The balancer had no destination: refused by ICMP, at once or after a second (F2).
//!
//! Evidence: `ip_vs_leave`, or the node's ICMP error about the SYN. Ruled out by a choice of the same SYN. Rivals: a policy
//! `Local` that leaves out endpoints of other nodes.

use super::super::report::attempt::{Outcome, Syn, SynClass};
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rule, advice, never, number, sign};

/// The rule.
pub const RULE: Rule =
    Rule { name: CauseName::NoDestination, fits, also: never, signs, remedy, rivals: &[] };

/// The SYN for which there was nobody.
pub fn left_alone<'a>(hit: &Hit<'a>) -> Option<&'a Syn> {
    let none = |syn: &&Syn| syn.class == SynClass::NoDestination;
    hit.attempt.syns.iter().find(none).filter(|syn| {
        // Of an attempt that was slowed for another reason this is not the first trouble.
        hit.syn.is_some_and(|deciding| deciding.at.time_ns >= syn.at.time_ns)
    })
}

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let refused = hit.attempt.outcome == Outcome::RefusedByIcmp
        && hit.syn.is_some_and(|syn| !matches!(syn.class, SynClass::Pod | SynClass::NotSent));
    let evidence = match left_alone(hit) {
        Some(syn) => syn.evidence.clone(),
        None if refused => Vec::new(),
        None => return None,
    };
    let surety = if hit.attempt.uncertain { Surety::Likely } else { Surety::Proven };
    Some(Fit { surety, evidence })
}

fn signs(case: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let all = number(hits.len(), "attempt");
    let evidence = hits.iter().filter_map(|hit| left_alone(hit)?.evidence.last().copied()).take(5);
    let mut signs = vec![sign(format!("the balancer had no destination for {all}"), evidence)];
    if let Some(hit) = hits.first()
        && let Some(service) = case.service_of(hit.attempt)
    {
        let (listed, evidence) = case.endpoints.at(&service, hit.time_ns());
        let ready = listed.iter().filter(|e| e.ready).count();
        let listed = number(listed.len(), "endpoint");
        signs.push(sign(format!("the Service had {listed} then, {ready} ready"), evidence));
    }
    signs
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "keep a ready pod at all times: maxUnavailable 0, maxSurge 1 or more, and a preStop that outlives the change",
    )
}
