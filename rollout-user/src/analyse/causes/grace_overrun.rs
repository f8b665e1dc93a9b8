//! The pod was still serving when its grace period ended, and was killed: connections reset.
//!
//! Evidence: SIGKILL from outside for a container's init no earlier than the grace period allows, its exit by that signal,
//! resets right after. Sandboxes, exec probes and the teardown of a pid namespace send SIGKILLs too and are left out (F22).

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::PodLife;
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

const SIGKILL: u8 = 9;
/// Resets reach their clients within this time of the kill.
const AFTER_NS: u64 = 1_000_000_000;
/// kubelet counts the grace period in whole seconds, and from its own sight of the deletion.
const EARLY_NS: u64 = 2_000_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::GraceOverrun,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::ExitsAtOnce,
        needs: "signal",
        absent: "the server lived on after its stop signal",
    }],
};

/// The time between stop signal and kill, if the kill ended the grace period.
fn overran(life: &PodLife) -> Option<u64> {
    let (killed, stop) = (life.killed?, life.stop?);
    life.exited.as_ref().filter(|exit| exit.signal == Some(SIGKILL))?;
    let took = killed.seen_ns.checked_sub(stop.seen_ns)?;
    let grace_ns = life.spec.grace_seconds?.saturating_mul(1_000_000_000);
    let left_ns = grace_ns.saturating_sub(life.pre_stop_ns());
    (took.saturating_add(EARLY_NS) >= left_ns).then_some(took)
}

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno()?;
    let (life, ended) = (hit.life?, hit.ended_ns()?);
    overran(life)?;
    let killed = life.killed?;
    if !(killed.seen_ns..=killed.seen_ns.saturating_add(AFTER_NS)).contains(&ended) {
        return None;
    }
    let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
    let evidence = life.killed.into_iter().chain(life.exit).map(|point| point.evidence).collect();
    Some(Fit { surety, evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let took = duration(overran(life)?);
        let all = number(count, "connection");
        let text = format!("{} was killed {took} after its stop signal: {all} reset", name(life));
        let points = life.stop.into_iter().chain(life.killed).chain(life.exit);
        Some(sign(text, points.map(|point| point.evidence)))
    })
}

fn remedy(_: &Case<'_>, hits: &[Hit<'_>]) -> Option<Remedy> {
    let grace = hits.iter().filter_map(|hit| hit.life?.spec.grace_seconds).max()?;
    advice(format!(
        "raise terminationGracePeriodSeconds above {grace} s, or finish requests sooner after the stop signal"
    ))
}
