//! The Service's traffic policy is `Local`, and the node had no ready endpoint, though others had.
//!
//! Evidence: no destination, the policy, ready endpoints on other nodes alone. Ruled out by a ready endpoint of this node, or
//! by none anywhere. Rivals: no endpoint at all.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::endpoints::is_local;
use super::no_destination::left_alone;
use super::rule::{Fit, Rival, Rule, advice, never, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::LocalPolicyNoEndpoint,
    fits,
    also: never,
    signs,
    remedy,
    rivals: &[Rival {
        cause: CauseName::NoDestination,
        needs: "",
        absent: "other nodes had ready endpoints",
    }],
};

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let syn = left_alone(hit)?;
    let key = case.service_of(hit.attempt)?;
    case.endpoints.service(&key).filter(|service| is_local(service))?;
    let (listed, evidence) = case.endpoints.at(&key, syn.at.time_ns);
    let ready_on = |here: bool| listed.iter().any(|e| e.ready && case.endpoints.is_here(e) == here);
    if ready_on(true) || !ready_on(false) {
        return None;
    }
    let surety = if hit.attempt.uncertain { Surety::Likely } else { Surety::Proven };
    Some(Fit { surety, evidence })
}

fn signs(case: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let Some(hit) = hits.first() else { return Vec::new() };
    let Some(key) = case.service_of(hit.attempt) else { return Vec::new() };
    let (listed, evidence) = case.endpoints.at(&key, hit.time_ns());
    let ready = number(listed.iter().filter(|e| e.ready).count(), "ready endpoint");
    let all = number(hits.len(), "attempt");
    let text =
        format!("traffic policy Local: {all} found no endpoint on this node, {ready} on others");
    vec![sign(text, evidence)]
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice("spread the pods over every node that has clients, or set the traffic policy to Cluster")
}
