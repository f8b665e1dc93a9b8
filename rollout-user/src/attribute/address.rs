//! Who holds an address at one moment, from everybody's claims to it.
//!
//! In: claims (possible, sure), and whether anybody else could hold it unseen. Out: one holder, several, or none.

use super::pod::{Claim, LINGER_NS};
use std::collections::BTreeSet;

/// One pod's claim to the address in question.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub uid: String,
    pub claim: Claim,
    pub host_network: bool,
    pub node: Option<String>,
}

/// Who can be meant by an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// This pod holds it.
    Sure(String),
    /// Nobody else is possible, but the pod may not have had it yet.
    Reaching(String),
    /// Any of these, or somebody unseen.
    OneOf(Vec<String>),
    /// Nobody ever claimed it.
    Nobody,
}

/// Resolves an address. `complete(node, since)` tells whether every pod on that node was watched from then until the
/// time in question, so that nobody unseen can hold it.
pub(super) fn holder(
    claimants: &[Claimant],
    time_ns: u64,
    complete: impl Fn(Option<&str>, u64) -> bool,
) -> Holder {
    let begun = || claimants.iter().filter(|one| one.claim.possible_from_ns <= time_ns);
    if claimants.iter().any(|one| one.host_network) {
        // The node's own address: shared by its host-network pods and its processes.
        let shared = begun().filter(|one| time_ns <= one.claim.possible_until_ns);
        return one_of(shared.collect());
    }
    let sure: Vec<&Claimant> = begun()
        .filter(|one| one.claim.sure_from_ns <= time_ns && time_ns < one.claim.sure_until_ns)
        .collect();
    match sure.as_slice() {
        [] => {}
        [one] => return Holder::Sure(one.uid.clone()),
        _ => return one_of(sure),
    }
    let active = || begun().filter(|one| time_ns <= one.claim.possible_until_ns);
    let reaching = || active().filter(|one| time_ns < one.claim.sure_from_ns);
    let late = begun()
        .filter(|one| one.claim.possible_until_ns < time_ns)
        .max_by_key(|one| (one.claim.possible_until_ns, one.uid.as_str()));
    // A packet in that moment may still mean the last holder, unless another one came after it.
    let releasing = active().any(|one| one.claim.sure_from_ns <= time_ns);
    let late = late.filter(|_| !releasing);
    let candidates: Vec<&Claimant> = active().chain(late).collect();
    let nodes: BTreeSet<Option<&str>> = claimants.iter().map(|one| one.node.as_deref()).collect();
    // Somebody unseen can have taken the address since the candidate gave it up; and before it had it, a sandbox
    // that outlived its pod.
    let since_ns = |one: &Claimant| match time_ns < one.claim.sure_from_ns {
        true => time_ns.saturating_sub(LINGER_NS),
        false => one.claim.sure_until_ns.min(time_ns),
    };
    let alone = match (nodes.first(), nodes.len(), candidates.as_slice()) {
        (Some(node), 1, [one]) => complete(*node, since_ns(one)),
        _ => false,
    };
    match candidates.as_slice() {
        [one] if alone && reaching().next().is_some() => Holder::Reaching(one.uid.clone()),
        [one] if alone => Holder::Sure(one.uid.clone()),
        _ => one_of(candidates),
    }
}

fn one_of(claimants: Vec<&Claimant>) -> Holder {
    let uids: BTreeSet<&str> = claimants.iter().map(|one| one.uid.as_str()).collect();
    if uids.is_empty() {
        Holder::Nobody
    } else {
        Holder::OneOf(uids.into_iter().map(str::to_owned).collect())
    }
}
