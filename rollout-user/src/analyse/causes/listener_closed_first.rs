//! The listener was closed while the balancer still chose the pod: RST, ECONNREFUSED.
//!
//! Evidence: LISTEN → CLOSE in the pod's namespace before the SYN, the RST, the balancer's change after it. Rivals: a pod
//! that was ready before it listened, a proxy that dials pods by itself.

use super::super::report::cause::{CauseName, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::{PodLife, Point, When, when};
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
    let off = off(life, hit.is_direct());
    let still_chosen = when(off, hit.time_ns()) != When::Surely;
    let deleted = life.deletion.is_some();
    let surety =
        if hit.is_sure() && still_chosen && deleted { Surety::Proven } else { Surety::Likely };
    let off = off.map(|point| point.evidence);
    Some(Fit { surety, evidence: [closed.evidence].into_iter().chain(off).collect() })
}

/// What ended the choice of a pod: the balancer's change, or the slice's for clients that dial pods by their addresses.
fn off(life: &PodLife, direct: bool) -> Option<Point> {
    if direct { life.out_of_slice } else { life.unprogrammed }
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let direct = of.clone().all(Hit::is_direct);
        let port = of.filter_map(|hit| Some(hit.syn?.address?.port())).next()?;
        let closed = life.port(port).closed?;
        let refused = number(count, "SYN");
        let off = off(life, direct);
        let whose = if direct {
            "its Service stopped listing it"
        } else {
            "the balancer stopped choosing it"
        };
        let text = match off {
            Some(off) if off.seen_ns >= closed.seen_ns => format!(
                "{} closed its listener {} before {whose}: {refused} refused by RST",
                name(life),
                duration(off.seen_ns - closed.seen_ns),
            ),
            _ => format!("{} had closed its listener: {refused} refused by RST", name(life)),
        };
        let off = off.map(|point| point.evidence);
        Some(sign(text, [closed.evidence].into_iter().chain(off)))
    })
}
