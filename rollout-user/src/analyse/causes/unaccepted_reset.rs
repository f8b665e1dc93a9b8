//! Connections that the server had not accepted were reset when it closed its listener (F7): ECONNRESET.
//!
//! Evidence: established before the listener closed, reset right after. Ruled out by an exit that closed the listener: then
//! accepted connections are cut too. Rivals: a flow cut by the network, an idle connection used once more.

use super::super::attempt::outcome::errno::ECONNRESET;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// The kernel resets what is queued in the same call; the RST then crosses a bridge.
const AFTER_NS: u64 = 300_000_000;
/// The reset is stamped by the client's side, the close by the server's: the order may be lost by this much.
const BEFORE_NS: u64 = 5_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::UnacceptedReset,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[
        Rival {
            cause: CauseName::ExitsAtOnce,
            needs: "exit",
            absent: "the server's process lived on after the listener closed",
        },
        Rival {
            cause: CauseName::FlowCutAtRemoval,
            needs: "reset_sent",
            absent: "the pod itself sent the RST",
        },
    ],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno().filter(|errno| *errno == ECONNRESET)?;
    let (life, ended) = (hit.life?, hit.ended_ns()?);
    let closed = life.port(hit.syn?.address?.port()).closed?;
    let near = closed.seen_ns.saturating_sub(BEFORE_NS)..=closed.seen_ns.saturating_add(AFTER_NS);
    if !near.contains(&ended) {
        return None;
    }
    let by_exit = life.exit.is_some_and(|exit| exit.seen_ns <= closed.seen_ns);
    let sure = hit.is_sure() && !by_exit && case.sees("exit");
    let surety = if sure { Surety::Proven } else { Surety::Likely };
    Some(Fit { surety, evidence: vec![closed.evidence] })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let port = of.filter_map(|hit| Some(hit.syn?.address?.port())).next()?;
        let closed = life.port(port).closed?;
        let all = number(count, "established connection");
        let text = format!("{all} reset when {} closed its listener on port {port}", name(life));
        Some(sign(text, [closed.evidence]))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("accept what is queued before closing the listener: drain, then close")
}
