//! A SYN to a terminating pod, not answered: the balancer still chose it, and nobody there accepted.
//!
//! Evidence: the choice after the deletion request, no answer until the next SYN. Rivals: a full accept queue of a pod
//! that is not terminating, a network that was cut under a pod that still serves, a pod that is gone.

use super::super::report::cause::{CauseName, Sign};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, by_pod, by_then, name, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::LateSyn,
    fits,
    also: never,
    signs,
    remedy: |_, _| None,
    rivals: &[
        Rival {
            cause: CauseName::CniCutEarly,
            needs: "syn_ack_retransmit",
            absent: "the pod sent no SYN-ACK that was lost",
        },
        Rival {
            cause: CauseName::BlackHole,
            needs: "exit",
            absent: "a process was left in the pod",
        },
    ],
};

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let life = hit.life.filter(|_| hit.is_silent())?;
    by_then(life.terminating_at(hit.time_ns()), life.deletion.map(|point| point.evidence))
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let deletion = life.deletion?;
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let last = of.map(Hit::time_ns).max()?;
        let syns = number(count, "SYN");
        let late = duration(last.saturating_sub(deletion.seen_ns));
        let text = match life.unprogrammed {
            Some(off) if off.seen_ns >= deletion.seen_ns => format!(
                "{syns} to {} up to {late} after its deletion was seen; the balancer stopped choosing it after {}",
                name(life),
                duration(off.seen_ns - deletion.seen_ns),
            ),
            _ => format!("{syns} to {} up to {late} after its deletion was seen", name(life)),
        };
        let off = life.unprogrammed.map(|point| point.evidence);
        Some(sign(text, [deletion.evidence].into_iter().chain(off)))
    })
}
