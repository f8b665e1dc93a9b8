//! A packet of the server lost its translation (conntrack INVALID): the client's kernel did not know the connection and
//! answered it with a RST, which killed it on the server.
//!
//! Evidence: a RST without a socket that the client's namespace sent to the pod's own address. Rivals: resets by the server.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};
use std::net::SocketAddr;

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::ConntrackInvalid,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::FlowCutAtRemoval,
        needs: "reset_sent",
        absent: "the client's own kernel sent a RST to the pod's address",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    hit.reset_errno()?;
    let client = &hit.attempt.client;
    let own = SocketAddr::new(client.address?, client.port?);
    let pod = hit.syn?.address.filter(|address| *address != hit.attempt.destination)?;
    let range = (hit.attempt.begun.time_ns, hit.ended_ns().unwrap_or(u64::MAX));
    let strays = case.server.stray_resets(pod, own, client.netns, range);
    let evidence: Vec<u64> = strays.iter().map(|reset| reset.id).collect();
    let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
    (!evidence.is_empty()).then_some(Fit { surety, evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let all = number(count, "connection");
        let text = format!(
            "packets of {} reached the client untranslated, whose kernel answered with RST: {all} lost",
            name(life)
        );
        Some(sign(text, []))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "drop packets in conntrack state INVALID (kube-proxy's nftables and iptables modes do), or set nf_conntrack_tcp_be_liberal=1",
    )
}
