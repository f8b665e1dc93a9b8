//! The client closed the socket before an answer came (F3): its own connect time-out.
//!
//! Evidence: SYN_SENT → CLOSE without an error. It needs a reason for the silence; where a rule names one, that one comes
//! first, and this tells why the attempt failed instead of being slowed.

use super::super::report::attempt::Outcome;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::rule::{Fit, Rule, advice, number, sign};

/// The rule.
pub const RULE: Rule =
    Rule { name: CauseName::ClientGaveUp, fits, also: abandoned, signs, remedy, rivals: &[] };

fn abandoned(_: &Case<'_>, hit: &Hit<'_>) -> bool {
    matches!(hit.attempt.outcome, Outcome::Abandoned { .. })
}

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let surety = if hit.attempt.uncertain { Surety::Likely } else { Surety::Proven };
    abandoned(case, hit).then_some(Fit { surety, evidence: Vec::new() })
}

fn waited(hits: &[Hit<'_>]) -> (u64, u64) {
    let times = || hits.iter().map(Hit::took_ns);
    (times().min().unwrap_or(0), times().max().unwrap_or(0))
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let (least, most) = waited(hits);
    let all = number(hits.len(), "attempt");
    let evidence = hits.iter().filter_map(|hit| hit.attempt.evidence.last().copied()).take(5);
    let text = format!(
        "the client closed {all} without an answer, after {} to {}",
        duration(least),
        duration(most)
    );
    vec![sign(text, evidence)]
}

fn remedy(_: &Case<'_>, hits: &[Hit<'_>]) -> Option<Remedy> {
    let (_, most) = waited(hits);
    advice(format!(
        "a lost SYN is sent again after a second at the earliest: a connect time-out of {} leaves little or no room for that; \
         let the proxy try another upstream when it is over",
        duration(most)
    ))
}
