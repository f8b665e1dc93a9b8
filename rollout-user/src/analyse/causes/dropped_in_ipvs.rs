//! A backend went while a connect was waiting for it: IPVS drops the next retransmit and moves the one after it (F1).
//!
//! Evidence: a choice of this very attempt, a later SYN dropped by a netfilter verdict in the balancer's namespace, another
//! choice. It always comes second: something left the first SYN without an answer.

use super::super::report::attempt::SynClass;
use super::super::report::cause::{CauseName, Sign, Surety};
use super::super::report::duration::duration;
use super::case::{Case, Hit};
use super::rule::{Fit, Rule, number, sign};

/// The rule.
pub const RULE: Rule = Rule {
    name: CauseName::DroppedInIpvs,
    fits,
    also: moved,
    signs,
    remedy: |_, _| None,
    rivals: &[],
};

/// A SYN of it was dropped in IPVS after a choice of its own.
fn moved(_: &Case<'_>, hit: &Hit<'_>) -> bool {
    let own = hit.attempt.backends.iter().filter(|b| !b.kept).map(|b| b.at.time_ns).min();
    let Some(own_ns) = own else { return false };
    let dropped = |time: u64, class| class == SynClass::DroppedInIpvs && time >= own_ns;
    hit.attempt.syns.iter().any(|syn| dropped(syn.at.time_ns, syn.class))
}

fn fits(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let first = hit.syn.is_some_and(|syn| syn.class == SynClass::DroppedInIpvs);
    let surety = if hit.is_sure() { Surety::Proven } else { Surety::Likely };
    (first && moved(case, hit)).then_some(Fit { surety, evidence: Vec::new() })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let mut lost = Vec::new();
    let mut evidence = Vec::new();
    for hit in hits {
        let syns = &hit.attempt.syns;
        for (syn, next) in syns.iter().zip(syns.iter().skip(1)) {
            if syn.class == SynClass::DroppedInIpvs {
                lost.push(next.at.time_ns.saturating_sub(syn.at.time_ns));
                evidence.extend(syn.evidence.last());
            }
        }
    }
    let wait = match (lost.iter().min(), lost.iter().max()) {
        (Some(least), Some(most)) => {
            format!(", which cost {} to {} more each", duration(*least), duration(*most))
        }
        _ => String::new(),
    };
    let all = number(hits.len(), "attempt");
    let text = format!("IPVS dropped a retransmit of {all} before it chose another backend{wait}");
    evidence.truncate(5);
    vec![sign(text, evidence)]
}
