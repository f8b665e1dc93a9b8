//! A connect to a Service reached a pod that is not the Service's: a kept entry and a reused address, or the address of a
//! finished pod that the slice still listed.
//!
//! Evidence: the pod had the address at that moment, and no slice of the Service ever listed it. Ruled out by any slice that
//! did. It may succeed: then it went to the wrong place.

use super::super::report::attempt::SynClass;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};
use crate::attribute::tag::{Certainty, PodState};

/// The slice still listed a finished pod's address.
pub const FAILED_POD: Rule = Rule {
    name: CauseName::FailedPodIpReused,
    fits: of_failed_pod,
    also: never,
    signs,
    remedy: remedy_of_failed,
    rivals: &[],
};

/// An entry outlived the pod whose address it named.
pub const STALE: Rule = Rule {
    name: CauseName::StaleConntrack,
    fits: of_entry,
    also: never,
    signs,
    remedy: remedy_of_entry,
    rivals: &[Rival {
        cause: CauseName::FailedPodIpReused,
        needs: "",
        absent: "no finished pod was listed with that address",
    }],
};

/// The record of the choice, and whether a finished pod was listed with the address.
fn wrong(case: &Case<'_>, hit: &Hit<'_>) -> Option<(Vec<u64>, bool)> {
    let syn = hit.syn.filter(|syn| syn.class == SynClass::Pod)?;
    let tag = syn.pod.as_ref().filter(|tag| tag.certainty == Certainty::Known)?;
    let uid = tag.pod.as_ref()?.uid.as_str();
    let key = case.service_of(hit.attempt)?;
    let ever = case.endpoints.ever(&key).filter(|ever| !ever.contains(uid))?;
    // A Service without a selector, or whose slices name no pods, cannot tell.
    if ever.is_empty() {
        return None;
    }
    let address = syn.address?.ip();
    let (listed, evidence) = case.endpoints.at(&key, syn.at.time_ns);
    let finished = listed.iter().filter(|e| e.addresses.contains(&address)).any(|e| {
        e.pod_uid.as_deref().is_some_and(|uid| {
            let states = case.histories.possible_states_at(uid, syn.at.time_ns);
            states.contains(&PodState::Finished)
        })
    });
    let choices = hit.attempt.backends.iter().map(|backend| backend.evidence);
    Some((choices.chain(evidence).collect(), finished))
}

fn surety(hit: &Hit<'_>) -> Surety {
    if hit.is_sure() { Surety::Proven } else { Surety::Likely }
}

fn of_failed_pod(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let (evidence, _) = wrong(case, hit).filter(|(_, finished)| *finished)?;
    Some(Fit { surety: surety(hit), evidence })
}

fn of_entry(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let (evidence, _) = wrong(case, hit).filter(|(_, finished)| !finished)?;
    Some(Fit { surety: surety(hit), evidence })
}

fn signs(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let all = number(count, "connection");
        let of = life.pod.workload.as_deref().unwrap_or("no workload");
        let text = format!("{all} reached {} of {of}, which the Service never listed", name(life));
        let met = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        Some(sign(text, met.flat_map(|hit| hit.evidence()).take(5)))
    })
}

fn remedy_of_failed(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "delete pods that have failed or were evicted: their addresses are given to others while slices still list them",
    )
}

fn remedy_of_entry(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "let the CNI plugin keep a released address unused for longer than conntrack keeps its entries (120 s for SYN_SENT)",
    )
}
