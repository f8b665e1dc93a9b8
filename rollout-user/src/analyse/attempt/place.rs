//! Where one SYN went: the class, by what was seen about its tuple until the next SYN.
//!
//! In: the events of the SYN's interval and the choice that held before it. Out: [`Place`]. Exactly one class for each SYN.

use super::super::facts::{Facts, same_netns};
use super::super::report::attempt::SynClass;
use super::flow::{FlowEvent, Flows, What};
use crate::record::kernel::{Chooser, Flow, Netns};
use std::net::SocketAddr;

/// Where a SYN went.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The class.
    pub class: SynClass,
    /// Where it went, or was going.
    pub address: Option<SocketAddr>,
    /// The kernel's reason for a drop.
    pub reason: Option<String>,
    /// An ICMP error answers it.
    pub icmp: bool,
    /// A backend was chosen for this very SYN, not kept from an earlier one.
    pub chosen: bool,
    /// Records that say so.
    pub evidence: Vec<u64>,
}

/// What is dialled, as far as that decides whether a balancer has to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialled {
    /// A Service's address: without a choice the backend is not known.
    Service,
    /// Anything else: the address itself, unless a choice is seen.
    Address,
}

/// One SYN's question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The attempt's tuple.
    pub flow: &'a Flow,
    /// The client's namespace.
    pub netns: Netns,
    /// When the SYN was sent, ns.
    pub from_ns: u64,
    /// The next SYN, or the attempt's end, ns.
    pub to_ns: u64,
    /// Until when conntrack may tell of a choice for this SYN, ns.
    pub told_ns: u64,
    /// What was dialled.
    pub dialled: Dialled,
}

/// From the try to send a SYN to its drop in the namespace that it was to leave. The next try comes a fifth of a second
/// later at the earliest.
pub const AT_ONCE_NS: u64 = 100_000_000;

/// Drop reasons of the receiving side's TCP: the SYN had reached the pod.
fn is_receivers(reason: &str) -> bool {
    reason == "NO_SOCKET" || reason.starts_with("TCP_") || reason.starts_with("SOCKET_")
}

/// Drop reasons (or, where the kernel has none, the freeing function) of a netfilter verdict; IPVS's is one.
fn is_netfilter(reason: Option<&str>, location: Option<&str>) -> bool {
    match reason {
        Some(reason) => reason == "NETFILTER_DROP",
        None => location.is_some_and(|symbol| symbol.starts_with("nf_hook_slow")),
    }
}

/// Drops that come at once with the try to send; a packet that waits for its neighbour's address is dropped later.
pub fn is_immediate(reason: Option<&str>, location: Option<&str>) -> bool {
    is_netfilter(reason, location)
        || matches!(reason, Some("BPF_CGROUP_EGRESS" | "TC_EGRESS" | "IP_OUTNOROUTES"))
}

/// Places one SYN that was sent.
pub fn place(question: &Question<'_>, flows: &Flows, facts: &Facts) -> Place {
    let Question { flow, from_ns, to_ns, told_ns, dialled, .. } = *question;
    let here = seen(flows, flow, from_ns, to_ns);
    // IPVS's own word counts before conntrack's, which repeats it and is stamped later (F14). Where the kernel skipped
    // the probe of IPVS, conntrack's is all there is.
    let late = seen(flows, flow, to_ns, told_ns.max(to_ns));
    let by_ipvs = here.iter().rev().copied().find(|e| chosen_by(e, Chooser::Ipvs));
    let by_conntrack =
        || here.iter().rev().chain(&late).copied().find(|e| chosen_by(e, Chooser::Conntrack));
    let own = by_ipvs.or_else(by_conntrack);
    let choice = own.or_else(|| flows.choice_before(flow, from_ns));
    let backend = choice.and_then(|e| Some((e.choice()?, e)));

    // The packet after NAT has the backend as its destination.
    let target = match (backend, dialled) {
        (Some(((backend, _), _)), _) => Some(backend),
        (None, Dialled::Address) => Some(flow.destination),
        (None, Dialled::Service) => None,
    };
    let translated: Vec<&FlowEvent> = match target {
        Some(backend) if backend != flow.destination => {
            let after_nat = Flow { destination: backend, ..*flow };
            seen(flows, &after_nat, from_ns, to_ns)
        }
        _ => Vec::new(),
    };
    let icmp = here.iter().chain(&translated).find(|e| e.what == What::Icmp);
    let made = |class, address, reason, because: &[Option<u64>]| {
        let mut evidence: Vec<u64> = because.iter().flatten().copied().collect();
        evidence.extend(icmp.map(|e| e.id));
        evidence.sort_unstable();
        evidence.dedup();
        let (icmp, chosen) = (icmp.is_some(), own.is_some());
        Place { class, address, reason, icmp, chosen, evidence }
    };
    let choice_id = choice.map(|e| e.id);

    if let Some(e) = here.iter().rev().find(|e| e.what == What::NoDestination)
        && own.is_none_or(|own| own.time_ns < e.time_ns)
    {
        return made(SynClass::NoDestination, None, None, &[Some(e.id)]);
    }
    for e in here.iter().rev() {
        let What::Drop { reason, location } = &e.what else { continue };
        let own = e.netns.inum != 0 && same_netns(e.netns, question.netns);
        let later = e.time_ns >= from_ns.saturating_add(AT_ONCE_NS);
        if own && later && is_immediate(reason.as_deref(), location.as_deref()) {
            // A later try of the same SYN, which never left.
            continue;
        }
        if target == Some(flow.destination) && received(e, reason.as_deref(), question, facts) {
            return made(SynClass::Pod, target, reason.clone(), &[Some(e.id)]);
        }
        let in_ipvs = backend.filter(|((_, by), choice)| {
            *by == Chooser::Ipvs
                && is_netfilter(reason.as_deref(), location.as_deref())
                && choice.time_ns <= e.time_ns
                && e.may_be_in(choice.netns)
        });
        let why = reason.clone().or_else(|| location.clone());
        return match in_ipvs {
            Some(((address, _), choice)) => {
                let because = [Some(choice.id), Some(e.id)];
                made(SynClass::DroppedInIpvs, Some(address), why, &because)
            }
            // In the namespace that it was to leave: it was never on a wire.
            None if own => made(SynClass::NotSent, None, why, &[Some(e.id)]),
            None => made(SynClass::Undelivered, target, why, &[choice_id, Some(e.id)]),
        };
    }
    for e in translated.iter().rev() {
        match &e.what {
            What::Drop { reason, .. } if received(e, reason.as_deref(), question, facts) => {
                let because = [choice_id, Some(e.id)];
                return made(SynClass::Pod, target, reason.clone(), &because);
            }
            What::Drop { reason, location } => {
                let why = reason.clone().or_else(|| location.clone());
                return made(SynClass::Undelivered, target, why, &[choice_id, Some(e.id)]);
            }
            What::Icmp if !facts.is_pod_netns(e.netns) => {
                return made(SynClass::Undelivered, target, None, &[choice_id, Some(e.id)]);
            }
            _ => {}
        }
    }
    if let (Some(e), None) = (icmp, own)
        && !facts.is_pod_netns(e.netns)
    {
        // kube-proxy rejects a Service without endpoints; elsewhere a router or a firewall of this node refuses.
        return match dialled {
            Dialled::Service => made(SynClass::NoDestination, None, None, &[Some(e.id)]),
            Dialled::Address => made(SynClass::Undelivered, target, None, &[Some(e.id)]),
        };
    }
    // Nothing speaks against the last choice. Where something was lost, an event that does may be missing.
    if own.is_none() && facts.loses_way_between(from_ns, to_ns) {
        return made(SynClass::Unknown, None, None, &[]);
    }
    match target {
        Some(_) => made(SynClass::Pod, target, None, &[choice_id]),
        None => made(SynClass::Unknown, None, None, &[]),
    }
}

fn chosen_by(event: &FlowEvent, chooser: Chooser) -> bool {
    event.choice().is_some_and(|(_, by)| by == chooser)
}

/// What was said of a tuple's own packets, copies left out.
fn seen<'a>(flows: &'a Flows, flow: &Flow, from_ns: u64, to_ns: u64) -> Vec<&'a FlowEvent> {
    flows.between(flow, from_ns, to_ns).filter(|e| !e.is_copy()).collect()
}

/// Whether the packet had reached the pod's own stack when it was dropped.
fn received(event: &FlowEvent, reason: Option<&str>, q: &Question<'_>, facts: &Facts) -> bool {
    let in_other_pod = facts.is_pod_netns(event.netns) && !same_netns(event.netns, q.netns);
    in_other_pod || reason.is_some_and(is_receivers)
}
