//! Causes behind causes: what made it possible that SYNs went to pods that were going.
//!
//! In: the case, the causes of single attempts. Out: [`Cause`]s that lead to those. Each is told only where it cost something.

pub mod blindness;
pub mod cascade;
pub mod intended;
pub mod pre_stop;
pub mod slow_controller;
pub mod slow_proxy;
pub mod wrong_pod;

use super::super::report::cause::{Cause, CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::cost;
use super::life::PodLife;
use std::collections::BTreeSet;

/// A cause with the hits that it explains; nothing where there are none.
pub struct Behind<'a> {
    /// Which cause.
    pub name: CauseName,
    /// How sure.
    pub surety: Surety,
    /// What it had a part in.
    pub hits: Vec<Hit<'a>>,
    /// What shows it.
    pub signs: Vec<Sign>,
    /// What to do.
    pub remedy: Option<Remedy>,
}

impl Behind<'_> {
    /// The cause; `causes` are those of single attempts, to which it may have led.
    pub fn cause(self, case: &Case<'_>, causes: &[Cause]) -> Option<Cause> {
        let Self { name, surety, hits, signs, remedy } = self;
        let mut cause = cost::cause(case, name, surety, &hits, signs)?;
        let positions: BTreeSet<usize> = cause.attempts.iter().copied().collect();
        let led =
            causes.iter().filter(|other| other.attempts.iter().any(|a| positions.contains(a)));
        let led: BTreeSet<CauseName> = led.map(|other| other.name).filter(|n| *n != name).collect();
        cause.leads_to = led.into_iter().collect();
        cause.remedy = remedy;
        Some(cause)
    }
}

/// Causes of connects that a pod's going explains: it was chosen when it should not have been any more.
const OF_GOING: [CauseName; 9] = [
    CauseName::ListenerClosedFirst,
    CauseName::UnacceptedReset,
    CauseName::GraceOverrun,
    CauseName::ExitsAtOnce,
    CauseName::CniCutEarly,
    CauseName::HostUnreachable,
    CauseName::BlackHole,
    CauseName::LateSyn,
    CauseName::Unexplained,
];

/// The hits that a pod's going explains.
pub fn late<'a>(hits: &[Hit<'a>], causes: &[Cause]) -> Vec<Hit<'a>> {
    let of_going = causes.iter().filter(|cause| OF_GOING.contains(&cause.name));
    let positions: BTreeSet<usize> = of_going.flat_map(|cause| &cause.attempts).copied().collect();
    hits.iter().filter(|hit| positions.contains(&hit.position)).copied().collect()
}

/// The hits of which a SYN was on its way to the pod in a time that `span(life)` gives.
fn hits_in<'a>(hits: &[Hit<'a>], span: impl Fn(&PodLife) -> Option<(u64, u64)>) -> Vec<Hit<'a>> {
    let during = |hit: &&Hit<'_>| {
        let Some(life) = hit.life else { return false };
        let Some((from_ns, to_ns)) = span(life) else { return false };
        let to_pod = hit.attempt.syns.iter().filter(|syn| {
            let pod = syn.pod.as_ref().and_then(|tag| tag.pod.as_ref());
            pod.is_some_and(|pod| pod.uid == life.pod.uid)
        });
        let mut times = to_pod.map(|syn| syn.at.time_ns);
        times.any(|time_ns| (from_ns..=to_ns).contains(&time_ns))
    };
    hits.iter().filter(during).copied().collect()
}
