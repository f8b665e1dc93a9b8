//! The pod was ready, and nobody listened on its port yet: RST, ECONNREFUSED.
//!
//! Evidence: Ready (or the slice's ready) before the SYN, the listener's opening after it. Ruled out by a listener that had
//! been open before. Rivals: a listener that was closed.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::{When, when};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::ReadyBeforeListening,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::ListenerClosedFirst,
        needs: "listener",
        absent: "no listener of the port was closed before",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let life = hit.life.filter(|_| hit.is_refused_by_pod())?;
    let port = hit.syn?.address?.port();
    let listening = life.port(port);
    let answered = hit.ended_ns().unwrap_or(hit.time_ns());
    let not_yet = listening.opened.is_none_or(|opened| opened.seen_ns > hit.time_ns());
    let closed = listening.closed.is_some_and(|closed| closed.seen_ns <= answered);
    let ready = life.in_slice.or(life.ready);
    if !not_yet || closed || when(ready, hit.time_ns()) == When::Not {
        return None;
    }
    let blind = life.elsewhere || !case.sees("listener");
    let surety = match listening.opened {
        Some(_) if hit.is_sure() => Surety::Proven,
        _ if blind => Surety::Possible,
        _ => Surety::Likely,
    };
    let evidence = ready.into_iter().chain(listening.opened).map(|point| point.evidence).collect();
    Some(Fit { surety, evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let port = of.filter_map(|hit| Some(hit.syn?.address?.port())).next()?;
        let ready = life.in_slice.or(life.ready)?;
        let refused = number(count, "SYN");
        let (text, opened) = match life.port(port).opened {
            Some(opened) => {
                let late = duration(opened.seen_ns.saturating_sub(ready.seen_ns));
                let text = format!(
                    "{} was ready {late} before it listened on port {port}: {refused} refused by RST",
                    name(life)
                );
                (text, Some(opened.evidence))
            }
            None => {
                let text = format!(
                    "{} was ready and never listened on port {port}: {refused} refused by RST",
                    name(life)
                );
                (text, None)
            }
        };
        Some(sign(text, [ready.evidence].into_iter().chain(opened)))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("give the container a readinessProbe that connects to the port that users dial")
}
