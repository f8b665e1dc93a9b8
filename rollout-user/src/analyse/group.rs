//! Attempts that have backend, state and outcome in common.
//!
//! In: attempts and their positions. Out: [`Group`]s, largest first.

use super::report::attempt::{Attempt, Outcome, Role, Syn, SynClass};
use super::report::verdict::Group;
use crate::attribute::Histories;
use crate::attribute::tag::{Certainty, PodRef, StateAt, Tag};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What the attempts of one group have in common. Its order is that of groups of equal size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kin {
    role: Option<Role>,
    pod: Option<PodRef>,
    address: Option<SocketAddr>,
    class: Option<SynClass>,
    state: Option<StateAt>,
    certainty: Option<Certainty>,
    outcome: Outcome,
}

/// Groups those of `attempts` that `wanted` accepts.
pub fn groups(
    attempts: &[Attempt],
    histories: &Histories,
    wanted: impl Fn(&Attempt) -> bool,
) -> Vec<Group> {
    let mut by_kin: BTreeMap<Kin, Vec<(usize, &Attempt)>> = BTreeMap::new();
    for (position, attempt) in attempts.iter().enumerate().filter(|(_, a)| wanted(a)) {
        by_kin.entry(kin(attempt, histories)).or_default().push((position, attempt));
    }
    let mut groups: Vec<Group> =
        by_kin.into_iter().filter_map(|(kin, members)| group(kin, &members)).collect();
    // Stable: groups of equal size stay in the order of their kin.
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn group(kin: Kin, members: &[(usize, &Attempt)]) -> Option<Group> {
    let first = members.iter().map(|(_, a)| a.begun).min()?;
    let last = members.iter().map(|(_, a)| a.begun).max()?;
    let most = members.iter().map(|(_, a)| a.retransmits).max().unwrap_or(0);
    let outcome = match kin.outcome {
        Outcome::Abandoned { .. } => Outcome::Abandoned { retransmits: most },
        other => other,
    };
    Some(Group {
        class: kin.class,
        pod: kin.pod,
        address: kin.address,
        role: kin.role,
        state: kin.state,
        certainty: kin.certainty,
        outcome,
        count: members.len() as u64,
        from: first,
        to: last,
        longest_ns: members.iter().filter_map(|(_, a)| a.latency_ns).max(),
        attempts: members.iter().map(|(position, _)| *position).collect(),
    })
}

fn kin(attempt: &Attempt, histories: &Histories) -> Kin {
    let outcome = match attempt.outcome {
        Outcome::Abandoned { .. } => Outcome::Abandoned { retransmits: 0 },
        other => other,
    };
    let Some(syn) = deciding(attempt) else {
        let (role, pod, address, class, state, certainty) = (None, None, None, None, None, None);
        return Kin { role, pod, address, class, state, certainty, outcome };
    };
    let tag = at_the_moment(attempt, syn, histories);
    Kin {
        role: syn.role,
        pod: tag.as_ref().and_then(|tag| tag.pod.clone()),
        address: syn.address,
        class: Some(syn.class),
        state: tag.as_ref().and_then(|tag| tag.state),
        certainty: tag.as_ref().map(|tag| tag.certainty),
        outcome,
    }
}

/// The SYN that decided what came of an attempt: the last one where a pod or a router answered it, else the first,
/// because from then on the client waited.
pub fn deciding(attempt: &Attempt) -> Option<&Syn> {
    let sent = |syn: &&Syn| syn.class != SynClass::NotSent;
    match attempt.outcome {
        Outcome::ResetAfterwards { .. }
        | Outcome::RefusedByRst
        | Outcome::RefusedByIcmp
        | Outcome::Refused
        | Outcome::ResetBeforeEstablished => attempt.syns.iter().rfind(sent),
        _ => attempt.syns.iter().find(sent).or(attempt.syns.first()),
    }
}

/// The pod's state when it mattered: when the SYN was sent, or when the connection was reset afterwards.
fn at_the_moment(attempt: &Attempt, syn: &Syn, histories: &Histories) -> Option<Tag> {
    let sent = syn.pod.clone();
    let (Outcome::ResetAfterwards { .. }, Some(ended), Some(address)) =
        (attempt.outcome, attempt.ended, syn.address)
    else {
        return sent;
    };
    let then = histories.pod_at_address(address.ip(), ended.time_ns);
    // Another pod may have the address by now: the connection is still with the first.
    let same = |tag: &Tag| tag.pod.as_ref().map(|pod| pod.uid.clone());
    if sent.as_ref().and_then(same) == same(&then) { Some(then) } else { sent }
}
