//! An established connection was cut when its pod was taken out, though the pod still served: somebody between them did it.
//!
//! Evidence: a reset within seconds after the pod left slice or table, the pod's listener open, no RST of the pod itself.
//! Ruled out by a RST that the pod sent. Rivals: the server closing its listener or exiting.

use super::super::attempt::outcome::errno::ECONNRESET;
use super::super::facts::same_netns;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::life::{PodLife, Point};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// A cut follows the removal within this time.
const AFTER_NS: u64 = 5_000_000_000;
/// The server's RST and its arrival are at most so far apart.
const NEAR_NS: u64 = 100_000_000;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::FlowCutAtRemoval,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[
        Rival {
            cause: CauseName::UnacceptedReset,
            needs: "listener",
            absent: "the listener stayed open",
        },
        Rival {
            cause: CauseName::ExitsAtOnce,
            needs: "exit",
            absent: "the server's process lived on",
        },
    ],
};

/// What took the pod out before `ended`, the last of it.
fn removal(life: &PodLife, ended: u64) -> Option<Point> {
    let points = [life.out_of_slice, life.unprogrammed];
    let before = points.into_iter().flatten().filter(|point| point.seen_ns <= ended);
    before.max_by_key(|point| point.seen_ns)
}

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno().filter(|errno| *errno == ECONNRESET)?;
    let (life, ended) = (hit.life?, hit.ended_ns()?);
    let address = hit.syn?.address?;
    let out = removal(life, ended).filter(|out| ended - out.seen_ns <= AFTER_NS)?;
    if !life.elsewhere && !life.serves_at(address.port(), ended) {
        return None;
    }
    let client = (hit.attempt.client.address, hit.attempt.client.port?);
    let range = (ended.saturating_sub(NEAR_NS), ended.saturating_add(NEAR_NS));
    let by_pod = case.server.resets(client, address, range);
    let own = |netns| life.netns.iter().any(|own| same_netns(*own, netns));
    if by_pod.iter().any(|reset| own(reset.what.netns)) {
        return None;
    }
    let sure = hit.is_sure() && !life.elsewhere && case.sees("reset_sent") && case.sees("listener");
    let surety = if sure { Surety::Proven } else { Surety::Possible };
    Some(Fit { surety, evidence: vec![out.evidence] })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let ended = of.filter_map(Hit::ended_ns).min()?;
        let out = removal(life, ended)?;
        let all = number(count, "established connection");
        let after = duration(ended - out.seen_ns);
        let text = format!(
            "{all} to {} reset from {after} after it was taken out, while it still served and sent no RST",
            name(life)
        );
        Some(sign(text, [out.evidence]))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "find what resets open connections when an endpoint leaves (load balancer, CNI, kube-proxy's conntrack clean-up)",
    )
}
