//! The network of a terminating pod was cut while its server still ran: SYNs dropped on the way in, or SYN-ACKs on the way
//! out.
//!
//! Evidence: the pod terminating with its listener open, and a SYN that was dropped before it, or its SYN-ACK sent again.
//! Ruled out once the listener is closed or the process gone. Rivals: a SYN that the server did not answer.

use super::super::report::attempt::SynClass;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::life::When;
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::CniCutEarly,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::LateSyn,
        needs: "",
        absent: "the SYN or its answer was dropped on the way",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let (life, syn) = (hit.life?, hit.syn?);
    let time_ns = hit.time_ns();
    let terminating = life.terminating_at(time_ns);
    let address = syn.address?;
    if terminating == When::Not || !life.serves_at(address.port(), time_ns) {
        return None;
    }
    let evidence = match syn.class {
        SynClass::Undelivered => Vec::new(),
        SynClass::Pod if hit.is_silent() => {
            let client = (hit.attempt.client.address, hit.attempt.client.port?);
            let until_ns = hit.ended_ns().unwrap_or(u64::MAX);
            let again = case.server.syn_acks_again(client, address, (time_ns, until_ns));
            if again.is_empty() {
                return None;
            }
            again
        }
        _ => return None,
    };
    let sure = hit.is_sure() && terminating == When::Surely;
    let surety = if sure { Surety::Proven } else { Surety::Likely };
    Some(Fit { surety, evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let all = number(count, "attempt");
        let text = format!(
            "{} was terminating and still listened, but SYNs or SYN-ACKs of {all} were dropped between it and its clients",
            name(life)
        );
        Some(sign(text, life.deletion.map(|point| point.evidence)))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("let the CNI plugin keep policies and routes of a pod until its containers have ended")
}
