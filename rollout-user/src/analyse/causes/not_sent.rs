//! The client's own side did not send the SYN: its firewall, its route, its neighbour table.
//!
//! Evidence: the kernel's word (F3, F6). Ruled out by nothing.

use super::super::report::attempt::{Outcome, SynClass};
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rule, advice, never, number, sign};
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule =
    Rule { name: CauseName::NotSent, fits, also: never, signs, remedy, rivals: &[] };

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let never = matches!(hit.attempt.outcome, Outcome::NeverSent { .. });
    let first = hit.attempt.syns.first().is_some_and(|syn| syn.class == SynClass::NotSent);
    let surety = if hit.attempt.uncertain { Surety::Likely } else { Surety::Proven };
    (never || first).then_some(Fit { surety, evidence: Vec::new() })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let all = number(hits.len(), "attempt");
    let reasons: BTreeSet<&str> = hits
        .iter()
        .flat_map(|hit| &hit.attempt.syns)
        .filter(|syn| syn.class == SynClass::NotSent)
        .filter_map(|syn| syn.reason.as_deref())
        .collect();
    let why = match reasons.first() {
        Some(reason) => format!(" ({reason})"),
        None => String::new(),
    };
    let evidence = hits.iter().flat_map(|hit| hit.evidence()).take(3);
    vec![sign(
        format!("SYNs of {all} did not leave the client's own network namespace{why}"),
        evidence,
    )]
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("look at the client's own firewall, routes and neighbours: the workload is not involved")
}
