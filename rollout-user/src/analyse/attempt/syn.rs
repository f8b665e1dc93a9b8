//! The SYNs of one connect: when, whereto, whether answered.
//!
//! In: a draft, its outcome, the events about its tuple. Out: [`Placed`] SYNs by time, one class each.

use super::super::facts::{Facts, same_netns};
use super::super::report::attempt::{Answer, Outcome, SynClass};
use super::draft::Draft;
use super::flow::{Flows, What};
use super::outcome::Ended;
use super::place::{AT_ONCE_NS, Dialled, Place, Question, is_immediate, place};
use crate::attribute::Histories;
use crate::record::kernel::{Flow, Netns};

/// One SYN of one connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// When, ns.
    pub time_ns: u64,
    /// Whereto.
    pub place: Place,
    /// Whether it was answered.
    pub answer: Answer,
}

/// A connect, for its SYNs.
pub struct Sender<'a> {
    /// Its events.
    pub draft: &'a Draft,
    /// Its tuple.
    pub flow: &'a Flow,
    /// Its namespace.
    pub netns: Netns,
    /// What it dials.
    pub dialled: Dialled,
    /// What came of it.
    pub ended: &'a Ended,
    /// Until when events about its tuple are its own, ns.
    pub until_ns: u64,
    /// The same for what conntrack tells, which comes late (F14), ns.
    pub told_ns: u64,
}

/// Lists the SYNs of a connect.
pub fn syns(
    sender: &Sender<'_>,
    flows: &Flows,
    facts: &Facts,
    histories: &Histories,
) -> Vec<Placed> {
    let tries = tries(sender, flows);
    // Only what was sent ends the interval of the SYN before it: a try that never left meets no balancer.
    let sent: Vec<u64> = tries.iter().filter(|t| t.failed.is_none()).map(|t| t.time_ns).collect();
    let mut placed: Vec<Placed> = tries
        .into_iter()
        .map(|Try { time_ns, failed, said_by }| {
            let mut place = match failed {
                Some(reason) => not_sent(reason),
                None => {
                    let (from_ns, to_ns) = interval(&sent, time_ns, sender.until_ns);
                    let (_, told_ns) = interval(&sent, time_ns, sender.told_ns);
                    let (flow, netns, dialled) = (sender.flow, sender.netns, sender.dialled);
                    place(&Question { flow, netns, from_ns, to_ns, told_ns, dialled }, flows, facts)
                }
            };
            place.evidence.extend(said_by);
            place.evidence.sort_unstable();
            place.evidence.dedup();
            let answer = if place.icmp { Answer::Icmp } else { Answer::Nothing };
            Placed { time_ns, place, answer }
        })
        .collect();
    answer_last(&mut placed, sender.ended);
    for syn in &mut placed {
        let (_, to_ns) = interval(&sent, syn.time_ns, sender.until_ns);
        lose_in_empty_pod(syn, to_ns, sender.flow, flows, facts, histories);
    }
    if facts.is_blind_to("syn_dropped") || facts.is_blind_to("no_destination") {
        placed.iter_mut().for_each(forget_silent);
    }
    placed
}

/// One try to send the SYN.
struct Try {
    time_ns: u64,
    /// Why it did not leave, where that is known at once.
    failed: Option<String>,
    said_by: Option<u64>,
}

/// Every try, by time: the connect's own, retransmits, and those that the kernel dropped before they left without saying
/// more of them: before Linux 6.13 `tcp_retransmit_skb` fires only for what was sent (F6).
fn tries(sender: &Sender<'_>, flows: &Flows) -> Vec<Try> {
    let mut tries: Vec<Try> = Vec::new();
    let never_left = matches!(sender.ended.outcome, Outcome::NeverSent { .. });
    if sender.draft.first_syn_known() && !never_left {
        let (time_ns, _) = sender.draft.begun();
        let said_by = sender.draft.connect.as_ref().map(|e| e.id).or(sender.ended.evidence);
        tries.push(Try { time_ns, failed: None, said_by });
    }
    for e in &sender.draft.retransmits {
        let failed = e.what.errno.map(|errno| format!("errno {errno}"));
        tries.push(Try { time_ns: e.time_ns, failed, said_by: Some(e.id) });
    }
    let (begun_ns, _) = sender.draft.begun();
    for e in flows.between(sender.flow, begun_ns, sender.until_ns) {
        let What::Drop { reason, location } = &e.what else { continue };
        let own = e.netns.inum != 0 && same_netns(e.netns, sender.netns);
        let told = tries.iter().any(|t| t.time_ns.abs_diff(e.time_ns) < AT_ONCE_NS);
        let immediate = is_immediate(reason.as_deref(), location.as_deref());
        if own && immediate && !told && !never_left {
            let why = reason.as_deref().or(location.as_deref()).unwrap_or("dropped");
            let failed = Some(why.to_owned());
            tries.push(Try { time_ns: e.time_ns, failed, said_by: Some(e.id) });
        }
    }
    tries.sort_by_key(|t| (t.time_ns, t.said_by));
    tries
}

/// `tcp_retransmit_skb` fires after the segment was handed down; on a path without a queue the balancer has already
/// seen it by then. SYNs are at least a fifth of a second apart, so this much reaches no earlier one.
const FIRED_LATE_NS: u64 = 50_000_000;

/// The stretch of time whose events belong to the SYN sent at `time_ns`.
fn interval(sent: &[u64], time_ns: u64, until_ns: u64) -> (u64, u64) {
    let start = |time: u64| match sent.iter().copied().filter(|t| *t < time).max() {
        Some(previous) => time.saturating_sub(FIRED_LATE_NS).max(previous.saturating_add(1)),
        None => time,
    };
    let next = sent.iter().copied().filter(|t| *t > time_ns).min();
    let from_ns = start(time_ns);
    (from_ns, next.map_or(until_ns, start).max(from_ns))
}

/// A pod without a process has no listener: as long as its namespace lives it answers with RST. Its interface goes last, and
/// a bridge that has lost it floods the SYN to everybody else: that SYN found nobody. One that is not flooded went in.
fn lose_in_empty_pod(
    syn: &mut Placed,
    to_ns: u64,
    flow: &Flow,
    flows: &Flows,
    facts: &Facts,
    histories: &Histories,
) {
    let silent = syn.place.class == SynClass::Pod && syn.answer == Answer::Nothing;
    let Some(address) = syn.place.address.filter(|_| silent && syn.place.reason.is_none()) else {
        return;
    };
    let pod = histories.pod_at_address(address.ip(), syn.time_ns).pod;
    let Some((_, exit)) = pod
        .and_then(|pod| histories.emptied_at(&pod.uid))
        .filter(|(emptied_ns, _)| *emptied_ns <= syn.time_ns)
    else {
        return;
    };
    let after_nat = Flow { destination: address, ..*flow };
    let copy = flows.between(&after_nat, syn.time_ns, to_ns).find(|e| e.is_copy()).map(|e| e.id);
    if let Some(copy) = copy {
        syn.place.class = SynClass::Undelivered;
        syn.place.reason = Some(EMPTY_POD.to_owned());
        syn.place.evidence.extend([exit, copy]);
        syn.place.evidence.sort_unstable();
    } else if facts.is_blind_to("syn_dropped") || facts.loses_way_between(syn.time_ns, to_ns) {
        syn.place.class = SynClass::Unknown;
        syn.place.address = None;
    }
}

/// Why a SYN to a pod without a process was not delivered.
const EMPTY_POD: &str = "no process is left in the pod";

/// Without the hooks that tell drops, silence says nothing of where a SYN without a choice of its own went.
fn forget_silent(syn: &mut Placed) {
    let silent = syn.place.class == SynClass::Pod && syn.answer == Answer::Nothing;
    if silent && !syn.place.chosen {
        syn.place.class = SynClass::Unknown;
        syn.place.address = None;
    }
}

fn not_sent(reason: String) -> Place {
    let reason = Some(reason);
    let (class, address) = (SynClass::NotSent, None);
    Place { class, address, reason, icmp: false, chosen: false, evidence: Vec::new() }
}

/// The kernel's answer belongs to the last SYN that was sent before it; the earlier ones stay unanswered.
fn answer_last(placed: &mut [Placed], ended: &Ended) {
    let answer = match ended.outcome {
        Outcome::Established | Outcome::ResetAfterwards { .. } => Answer::SynAck,
        Outcome::RefusedByRst | Outcome::ResetBeforeEstablished => Answer::Rst,
        Outcome::RefusedByIcmp => Answer::Icmp,
        Outcome::Refused | Outcome::Unreachable { .. } | Outcome::InProgress | Outcome::Unknown => {
            Answer::Unknown
        }
        Outcome::TimedOut
        | Outcome::Abandoned { .. }
        | Outcome::Failed { .. }
        | Outcome::NeverSent { .. } => Answer::Nothing,
    };
    let decided = ended.decided_ns.unwrap_or(u64::MAX);
    let sent = |syn: &Placed| syn.place.class != SynClass::NotSent && syn.time_ns <= decided;
    let arrived = |syn: &Placed| matches!(syn.place.class, SynClass::Pod | SynClass::Unknown);
    // A pod's answer can come late: where the last SYN was dropped, an earlier one must have arrived.
    let by_pod = matches!(answer, Answer::SynAck | Answer::Rst);
    let last = placed.iter().rposition(|syn| sent(syn) && (!by_pod || arrived(syn)));
    let last = last.or_else(|| placed.iter().rposition(sent));
    let Some(syn) = last.and_then(|at| placed.get_mut(at)) else { return };
    match (answer, syn.answer) {
        (Answer::Nothing, _) | (Answer::Unknown, Answer::Icmp) => {}
        _ => syn.answer = answer,
    }
}
