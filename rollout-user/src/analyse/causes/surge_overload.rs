//! The pod's accept queue was full: it dropped the SYN in silence (F8), and the client waited for its retransmit.
//!
//! Evidence: a SYN dropped at a full backlog, or the namespace's listen counters rising, or SYN-ACKs sent again; no answer.
//! Ruled out in a terminating pod, whose server has stopped accepting for another reason. Rivals: a path that drops.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::life::When;
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// Counters are read once a second.
const NEAR_NS: u64 = 2_000_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::SurgeOverload,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::BlackHole,
        needs: "syn_dropped",
        absent: "no SYN was dropped on its way to the pod",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let life = hit.life.filter(|_| hit.is_silent())?;
    let time_ns = hit.time_ns();
    if life.terminating_at(time_ns) == When::Surely {
        return None;
    }
    let syn = hit.syn?;
    let (address, port) = (syn.address?, hit.attempt.client.port?);
    let until_ns = hit.ended_ns().unwrap_or(u64::MAX);
    let dropped =
        case.server.backlog_drops((hit.attempt.client.address, port), address, (time_ns, until_ns));
    if !dropped.is_empty() {
        let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
        return Some(Fit { surety, evidence: dropped });
    }
    let range = (time_ns.saturating_sub(NEAR_NS), time_ns.saturating_add(NEAR_NS));
    let counted = case.server.overflows(&life.netns, range);
    (!counted.is_empty()).then_some(Fit { surety: Surety::Likely, evidence: counted })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let all = number(count, "attempt");
        let text = format!("the accept queue of {} was full: {all} lost a SYN there", name(life));
        Some(sign(text, life.in_slice.map(|point| point.evidence)))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "raise the server's listen backlog (and net.core.somaxconn), or let new pods warm up before they are ready",
    )
}
