//! SYNs vanished: the pod was gone and nothing answered for it, or the path to it dropped them.
//!
//! Evidence: no RST and no ICMP; the pod's processes gone, its object deleted, or the kernel's own word that the SYN was
//! dropped on its way. Rivals: a terminating pod that does not accept, a full accept queue.

use super::super::report::attempt::{Answer, SynClass};
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::life::{PodLife, When, when};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::BlackHole,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::HostUnreachable,
        needs: "outcome",
        absent: "no error told the client that the host is unreachable",
    }],
};

/// The record that tells that nothing was left of the pod at a time, and how sure that is.
fn gone(life: &PodLife, time_ns: u64) -> Option<(Surety, u64)> {
    if let Some((_, exit)) = life.emptied.filter(|(emptied_ns, _)| *emptied_ns <= time_ns) {
        return Some((Surety::Proven, exit));
    }
    let object = life.gone.filter(|_| when(life.gone, time_ns) == When::Surely);
    let object = object.map(|point| (Surety::Proven, point.evidence));
    // Another node's processes are not seen: after the deletion request the pod may be gone already.
    let elsewhere = || {
        let deletion = life.deletion.filter(|point| life.elsewhere && point.seen_ns <= time_ns)?;
        Some((Surety::Possible, deletion.evidence))
    };
    object.or_else(elsewhere)
}

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let syn = hit.syn?;
    let dropped = syn.class == SynClass::Undelivered && syn.answer == Answer::Nothing;
    if !(hit.is_silent() || dropped) {
        return None;
    }
    let gone = hit.life.and_then(|life| gone(life, hit.time_ns()));
    let (surety, evidence) = match gone {
        Some((surety, evidence)) => (surety, vec![evidence]),
        None if dropped => (Surety::Proven, Vec::new()),
        None => return None,
    };
    let surety = if hit.is_sure() { surety } else { surety.max(Surety::Likely) };
    Some(Fit { surety, evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let mut signs = by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let all = number(count, "attempt");
        match of.filter_map(|hit| gone(life, hit.time_ns())).next() {
            Some((_, evidence)) => {
                let text = format!("{} was gone when {all} sent a SYN there", name(life));
                Some(sign(text, [evidence]))
            }
            None => {
                Some(sign(format!("SYNs of {all} to {} were dropped on their way", name(life)), []))
            }
        }
    });
    let reasons: std::collections::BTreeSet<&str> =
        hits.iter().filter_map(|hit| hit.syn?.reason.as_deref()).collect();
    if !reasons.is_empty() {
        let reasons: Vec<&str> = reasons.into_iter().take(3).collect();
        let evidence = hits.iter().filter_map(|hit| hit.syn?.evidence.first().copied()).take(3);
        signs.push(sign(format!("the kernel's reason: {}", reasons.join(", ")), evidence));
    }
    signs
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "keep the pod until no balancer sends to it (preStop), and look at what drops packets on that path",
    )
}
