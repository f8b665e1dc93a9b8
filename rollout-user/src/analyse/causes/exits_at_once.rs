//! The server exits at once on its stop signal: what it had not finished is cut, and what comes later is refused.
//!
//! Evidence: stop signal and exit within a second; resets at the exit, or SYNs after the signal. Ruled out by a server that
//! lives on after the signal. Rivals: a kill at the end of the grace period.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::PodLife;
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, number, sign};

/// A server that drains needs longer than this.
const AT_ONCE_NS: u64 = 1_000_000_000;
/// Sockets are closed and RSTs delivered within this time of an exit's beginning.
const AFTER_NS: u64 = 500_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::ExitsAtOnce,
    fits,
    also,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::GraceOverrun,
        needs: "signal",
        absent: "the grace period was not over",
    }],
};

/// Stop signal and exit, if the one followed the other at once.
fn at_once(life: &PodLife) -> Option<(u64, u64)> {
    let (stop, exit) = (life.stop?, life.exit?);
    let took = exit.seen_ns.checked_sub(stop.seen_ns)?;
    (took < AT_ONCE_NS).then_some((stop.seen_ns, exit.seen_ns))
}

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno()?;
    let (life, ended) = (hit.life?, hit.ended_ns()?);
    let (_, exit_ns) = at_once(life)?;
    if !(exit_ns..=exit_ns.saturating_add(AFTER_NS)).contains(&ended) {
        return None;
    }
    let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
    let evidence = life.stop.into_iter().chain(life.exit).map(|point| point.evidence).collect();
    Some(Fit { surety, evidence })
}

/// Whatever was sent to the pod after its stop signal met a server that had gone or was going.
fn also(_: &Case<'_>, hit: &Hit<'_>) -> bool {
    let after = |life: &PodLife| {
        at_once(life).is_some_and(|(stop_ns, _)| {
            hit.time_ns() >= stop_ns || hit.ended_ns().is_some_and(|ended| ended >= stop_ns)
        })
    };
    hit.life.is_some_and(after) && (hit.is_refused_by_pod() || hit.reset_errno().is_some())
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let (stop, exit) = (life.stop?, life.exit?);
        let took = duration(exit.seen_ns.saturating_sub(stop.seen_ns));
        let all = number(count, "connection");
        let text =
            format!("{} exited {took} after its stop signal: {all} cut or refused", name(life));
        Some(sign(text, [stop.evidence, exit.evidence]))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("handle the stop signal: finish what is open, then exit")
}
