//! No route or no neighbour for the pod's address: EHOSTUNREACH, ENETUNREACH.
//!
//! Evidence: the client's error; the pod's processes or object gone where that is the reason. Ruled out by nothing: the error
//! is the client kernel's own. Rivals: SYNs that vanish without an error.

use super::super::report::attempt::Outcome;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rule, advice, by_pod, name, never, number, sign};

/// The rule.
pub const RULE: Rule =
    Rule { name: CauseName::HostUnreachable, fits, also: never, signs, remedy, rivals: &[] };

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let Outcome::Unreachable { .. } = hit.attempt.outcome else { return None };
    let gone = hit.life.and_then(|life| life.emptied).filter(|(at, _)| *at <= hit.time_ns());
    let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
    Some(Fit { surety, evidence: gone.map(|(_, exit)| exit).into_iter().collect() })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let all = number(hits.len(), "attempt");
    let evidence = hits.iter().flat_map(|hit| hit.attempt.evidence.last().copied()).take(3);
    let mut signs = vec![sign(format!("{all} told that the host is unreachable"), evidence)];
    signs.extend(by_pod(hits, |life, _| {
        let (_, exit) = life.emptied?;
        Some(sign(format!("no process was left in {}", name(life)), [exit]))
    }));
    signs
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "keep the pod until no balancer sends to it (preStop); else look at the node's routes and neighbours",
    )
}
