//! The server had closed an idle connection when the client used it once more: RST to data after a FIN.
//!
//! Evidence: the client's socket was in CLOSE_WAIT when the RST came; the pod's namespace sent it. Rivals: connections that
//! were never accepted (their clients are reset without a FIN).

use super::super::attempt::outcome::errno::EPIPE;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// The server's RST and its arrival are at most so far apart.
const NEAR_NS: u64 = 100_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::KeepAliveRace,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::UnacceptedReset,
        needs: "",
        absent: "the server had closed its side in order before the RST",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno().filter(|errno| *errno == EPIPE)?;
    let ended = hit.ended_ns()?;
    let client = (hit.attempt.client.address, hit.attempt.client.port?);
    let address = hit.syn.and_then(|syn| syn.address);
    let range = (ended.saturating_sub(NEAR_NS), ended.saturating_add(NEAR_NS));
    let sent: Vec<u64> = address
        .map(|address| case.server.resets(client, address, range))
        .unwrap_or_default()
        .iter()
        .map(|reset| reset.id)
        .collect();
    let surety = if !sent.is_empty() && hit.is_sure() { Surety::Proven } else { Surety::Likely };
    Some(Fit { surety, evidence: sent })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let all = number(count, "connection");
        let text = format!("{} had closed {all} when the client sent on it once more", name(life));
        Some(sign(text, life.stop.map(|point| point.evidence)))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "let the proxy's keep-alive time-out be shorter than the server's, or let it retry idempotent requests",
    )
}
