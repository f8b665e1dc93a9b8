//! The listener was closed while the balancer still chose the pod: RST, ECONNREFUSED.
//!
//! Evidence: LISTEN → CLOSE in the pod's namespace before the SYN, the RST, the balancer's change after it. Rivals: a pod
//! that was ready before it listened, a proxy that dials pods by itself.

use super::super::report::cause::{CauseName, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::{When, when};
use super::rule::{Fit, Rival, Rule, by_pod, name, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::ListenerClosedFirst,
    fits,
    also: never,
    signs,
    remedy: |_, _| None,
    rivals: &[
        Rival {
            cause: CauseName::ReadyBeforeListening,
            needs: "listener",
            absent: "the pod had listened before",
        },
        Rival { cause: CauseName::StaleUpstream, needs: "", absent: "a balancer chose the pod" },
    ],
};

fn fits(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let life = hit.life.filter(|_| hit.is_refused_by_pod())?;
    let port = hit.syn?.address?.port();
    let closed = life.port(port).closed?;
    // The RST may answer a SYN that left just before.
    let answered = hit.ended_ns().unwrap_or(hit.time_ns());
    if closed.seen_ns > answered {
        return None;
    }
    let still_chosen = when(life.unprogrammed, hit.time_ns()) != When::Surely;
    let deleted = life.deletion.is_some();
    let surety =
        if hit.is_sure() && still_chosen && deleted { Surety::Proven } else { Surety::Likely };
    let off = life.unprogrammed.map(|point| point.evidence);
    Some(Fit { surety, evidence: [closed.evidence].into_iter().chain(off).collect() })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let port = of.filter_map(|hit| Some(hit.syn?.address?.port())).next()?;
        let closed = life.port(port).closed?;
        let refused = number(count, "SYN");
        let text = match life.unprogrammed {
            Some(off) if off.seen_ns >= closed.seen_ns => format!(
                "{} closed its listener {} before the balancer stopped choosing it: {refused} refused by RST",
                name(life),
                duration(off.seen_ns - closed.seen_ns),
            ),
            _ => format!("{} had closed its listener: {refused} refused by RST", name(life)),
        };
        let off = life.unprogrammed.map(|point| point.evidence);
        Some(sign(text, [closed.evidence].into_iter().chain(off)))
    })
}
