//! The report's vocabulary: outcomes, states, places, revisions.
//!
//! In: parts of the report. Out: short plain text, names escaped.

use crate::analyse::report::attempt::{Answer, Outcome, Role, Syn, SynClass};
use crate::analyse::report::update::Revision;
use crate::analyse::report::verdict::Group;
use crate::attribute::tag::{Certainty, PodRef, PodState, StateAt};
use crate::present::errno;
use crate::present::escape::name;

/// `1 attempt`, `2 attempts`.
pub fn number(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Old or new.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Old => "old",
        Role::New => "new",
    }
}

/// A pod's state.
pub fn state(state: StateAt) -> String {
    let word = |state| match state {
        PodState::Starting => "starting",
        PodState::Ready => "ready",
        PodState::NotReady => "not ready",
        PodState::Terminating => "terminating",
        PodState::Finished => "finished",
        PodState::Gone => "gone",
    };
    match state {
        StateAt::Is(is) => word(is).to_owned(),
        StateAt::Changing { from, to } => format!("{} → {}", word(from), word(to)),
    }
}

/// What came of attempts.
pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Established => "established".to_owned(),
        Outcome::ResetAfterwards { errno } => {
            format!("reset after it was established ({})", errno::name(errno))
        }
        Outcome::RefusedByRst => "refused by RST".to_owned(),
        Outcome::RefusedByIcmp => "refused by ICMP".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Unreachable { errno } => format!("unreachable ({})", errno::name(errno)),
        Outcome::NeverSent { errno } => format!("never sent ({})", errno::name(errno)),
        Outcome::Abandoned { retransmits: 0 } => "abandoned by the client".to_owned(),
        Outcome::Abandoned { retransmits } => {
            let again = number(u64::from(retransmits), "retransmit");
            format!("abandoned by the client after {again}")
        }
        Outcome::ResetBeforeEstablished => "reset before it was established".to_owned(),
        Outcome::Failed { errno } => format!("failed ({})", errno::name(errno)),
        Outcome::InProgress => "in progress at the end".to_owned(),
        Outcome::Unknown => "outcome not seen".to_owned(),
    }
}

/// A pod with side and state: `serv-7bdc-zk9wc (old, terminating)`.
pub fn pod(pod: &PodRef, side: Option<Role>, state: Option<StateAt>, sure: Certainty) -> String {
    let mut about: Vec<String> = side.map(|side| role(side).to_owned()).into_iter().collect();
    about.push(state.map_or_else(|| "state unknown".to_owned(), self::state));
    if sure == Certainty::Stale {
        about.push("stale".to_owned());
    }
    format!("{} ({})", pod_name(pod), about.join(", "))
}

/// A pod's name; its UID where the cluster told no name.
pub fn pod_name(pod: &PodRef) -> String {
    if pod.name.is_empty() { format!("pod {}", name(&pod.uid)) } else { name(&pod.name) }
}

/// Where a group's attempts were sent.
pub fn place(group: &Group) -> String {
    let target = match (&group.pod, group.address) {
        (Some(of), _) => {
            let sure = group.certainty.unwrap_or(Certainty::Unknown);
            Some(pod(of, group.role, group.state, sure))
        }
        (None, Some(address)) => Some(match group.certainty {
            Some(Certainty::Ambiguous) => format!("{address} (one of several pods)"),
            Some(Certainty::Stale) => format!("{address} (pod not known: watch behind)"),
            _ => format!("{address} (pod not known)"),
        }),
        (None, None) => None,
    };
    let towards = |what: &str| match &target {
        Some(target) => format!("{what}, on the way to {target}"),
        None => what.to_owned(),
    };
    match group.class {
        Some(SynClass::Pod) => target.unwrap_or_else(|| "a pod".to_owned()),
        Some(SynClass::DroppedInIpvs) => towards("dropped in IPVS"),
        Some(SynClass::NoDestination) => "no destination".to_owned(),
        Some(SynClass::NotSent) => "SYN not sent".to_owned(),
        Some(SynClass::Undelivered) => towards("SYN dropped"),
        Some(SynClass::Unknown) => "backend not known".to_owned(),
        None => "no SYN left".to_owned(),
    }
}

/// One SYN of an attempt: where it went and whether it was answered.
pub fn syn(syn: &Syn) -> String {
    let known = syn.pod.as_ref().and_then(|tag| tag.pod.as_ref()).map(pod_name);
    let target = known.or_else(|| syn.address.map(|address| address.to_string()));
    let place = match (syn.class, target) {
        (SynClass::Pod, Some(target)) => format!("to {target}"),
        (SynClass::Pod, None) => "to a pod".to_owned(),
        (SynClass::DroppedInIpvs, _) => "dropped in IPVS".to_owned(),
        (SynClass::NoDestination, _) => "no destination".to_owned(),
        (SynClass::NotSent, _) => "not sent".to_owned(),
        (SynClass::Undelivered, Some(target)) => format!("dropped before {target}"),
        (SynClass::Undelivered, None) => "dropped".to_owned(),
        (SynClass::Unknown, _) => "backend not known".to_owned(),
    };
    let reason = match (syn.class, syn.reason.as_deref()) {
        (SynClass::NotSent | SynClass::Undelivered, Some(why)) => format!(" ({})", name(why)),
        _ => String::new(),
    };
    let answer = match (syn.answer, syn.class) {
        (_, SynClass::NotSent) => "",
        (Answer::SynAck, _) => ": SYN-ACK",
        (Answer::Rst, _) => ": RST",
        (Answer::Icmp, _) => ": ICMP",
        (Answer::Nothing, SynClass::Pod | SynClass::Unknown) => ": no answer",
        (Answer::Nothing, _) => "",
        (Answer::Unknown, _) => ": answer not known",
    };
    format!("{place}{reason}{answer}")
}

/// A revision: `2 (7989c475cd)`.
pub fn revision(revision: &Revision) -> String {
    let hash = name(&revision.template_hash);
    match revision.number {
        Some(number) => format!("{number} ({hash})"),
        None => hash,
    }
}
