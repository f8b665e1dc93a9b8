//! Kernel events as attempts: one for each connect, with every SYN placed and every backend named.
//!
//! In: kernel records in any order, the histories, the recording's facts. Out: [`Attempt`]s by time.

pub mod draft;
pub mod flow;
pub mod outcome;
pub mod place;
pub mod syn;

use super::base::TimeBase;
use super::facts::Facts;
use super::report::attempt::{Attempt, Backend, Client, ClientKind, Outcome, Role, Syn, SynClass};
use super::workload::Workload;
use crate::attribute::Histories;
use crate::attribute::tag::{Certainty, HostClient, Tag};
use crate::record::Record;
use crate::record::kernel::{Chooser, Flow};
use draft::{Draft, Drafts, Key};
use flow::{CONNTRACK_SLACK_NS, FlowEvent, Flows, What};
use outcome::Ended;
use place::Dialled;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Events about a tuple come this long after the attempt's outcome at most, conntrack's aside.
const SLACK_NS: u64 = 20_000_000;

/// Gathers kernel events, then tells the attempts.
#[derive(Debug, Default)]
pub struct Gatherer {
    drafts: Drafts,
    flows: Flows,
}

/// The attempts, and which packet events belong to none.
#[derive(Debug)]
pub struct Gathered {
    /// By time.
    pub attempts: Vec<Attempt>,
    /// Events about packets that no attempt explains, by time.
    pub unmatched: Vec<FlowEvent>,
    /// The last backend choice that fell on each of the workload's pods, whoever the client was: time and record.
    pub last_choices: BTreeMap<String, (u64, u64)>,
}

/// What attempts are read against.
pub struct Context<'a> {
    /// Who had which address when.
    pub histories: &'a Histories,
    /// The recording's statements.
    pub facts: &'a Facts,
    /// The watched workload, if any.
    pub workload: &'a Workload,
    /// Time base.
    pub base: &'a TimeBase,
}

impl Gatherer {
    /// Takes a record in; others than kernel events are left alone.
    pub fn take(&mut self, record: &Record) {
        self.drafts.take(record);
        self.flows.take(record);
    }

    /// Reads all attempts out of what was gathered.
    pub fn finish(mut self, context: &Context<'_>) -> Gathered {
        self.flows.finish();
        let mut drafts: Vec<Begun> = self.drafts.finish().into_iter().filter_map(begun).collect();
        // What began while the sources were being stopped was not seen whole.
        drafts.retain(|begun| begun.time_ns <= context.facts.end_ns());
        // Where a tuple is used again, the later connect ends the earlier one's claim on events.
        let mut begins: BTreeMap<(Option<u16>, SocketAddr), Vec<u64>> = BTreeMap::new();
        for begun in &drafts {
            let tuple = (begun.flow.source_port, begun.flow.destination);
            begins.entry(tuple).or_default().push(begun.time_ns);
        }
        begins.values_mut().for_each(|times| times.sort_unstable());
        let mut claimed = BTreeSet::new();
        let mut attempts: Vec<Attempt> = drafts
            .iter()
            .map(|begun| {
                let tuple = (begun.flow.source_port, begun.flow.destination);
                let times = begins.get(&tuple).map_or(&[][..], Vec::as_slice);
                let later = times.partition_point(|time| *time <= begun.time_ns);
                let next = times.get(later).copied().unwrap_or(u64::MAX);
                read(begun, next, &self.flows, context, &mut claimed)
            })
            .collect();
        attempts.sort_by_key(|a| (a.begun.time_ns, a.evidence.first().copied(), a.attempt));
        let end_ns = context.facts.end_ns();
        let counts = |e: &&FlowEvent| {
            let own = !claimed.contains(&e.id) && !listed(e) && !e.is_copy();
            own && e.time_ns <= end_ns && !is_left_out(e, context)
        };
        let unmatched = self.flows.all().filter(counts);
        let mut unmatched: Vec<FlowEvent> = unmatched.cloned().collect();
        unmatched.sort_by_key(|e| (e.time_ns, e.id));
        let last_choices = last_choices(&self.flows, context);
        Gathered { attempts, unmatched, last_choices }
    }
}

/// By pod: the last choice of it that the kernel told (not one that a table listed).
fn last_choices(flows: &Flows, context: &Context<'_>) -> BTreeMap<String, (u64, u64)> {
    let end_ns = context.facts.end_ns();
    let mut last: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let own = flows.all().filter(|e| !listed(e) && e.time_ns <= end_ns);
    for event in own {
        let Some((backend, _)) = event.choice() else { continue };
        let pod = context.histories.pod_at_address(backend.ip(), event.time_ns).pod;
        let Some(pod) = pod.filter(|pod| context.workload.has_pod(&pod.uid)) else { continue };
        let stamp = (event.time_ns, event.id);
        last.entry(pod.uid).and_modify(|kept| *kept = stamp.max(*kept)).or_insert(stamp);
    }
    last
}

/// Whether the packet came from a pod whose connects are not told.
fn is_left_out(event: &FlowEvent, context: &Context<'_>) -> bool {
    let pod = event.source.map(|ip| context.histories.pod_at_address(ip, event.time_ns).pod);
    pod.flatten().is_some_and(|pod| context.facts.leaves_out(&pod.namespace))
}

fn listed(event: &FlowEvent) -> bool {
    matches!(event.what, What::Choice { listed: true, .. })
}

/// A draft whose tuple is known.
struct Begun {
    key: Key,
    draft: Draft,
    flow: Flow,
    time_ns: u64,
    seen: bool,
}

fn begun((key, draft): (Key, Draft)) -> Option<Begun> {
    let flow = draft.flow()?;
    let (time_ns, seen) = draft.begun();
    Some(Begun { key, draft, flow, time_ns, seen })
}

/// Reads one attempt.
fn read(
    begun: &Begun,
    next_ns: u64,
    flows: &Flows,
    context: &Context<'_>,
    claimed: &mut BTreeSet<u64>,
) -> Attempt {
    let Begun { key, draft, flow, time_ns, seen } = begun;
    let Context { histories, facts, workload, base } = context;
    // The outcome needs to know of ICMP, whose interval needs the outcome's time: that one does not depend on ICMP.
    let end = outcome::outcome(key, draft, false);
    let until = |slack: u64| {
        let end = end.decided_ns.map_or(u64::MAX, |decided| decided.saturating_add(slack));
        end.min(next_ns)
    };
    let until_ns = until(SLACK_NS).max(time_ns.saturating_add(1));
    let refused = |e: &FlowEvent| matches!(e.what, What::Icmp | What::NoDestination);
    let icmp_seen = flows.between(flow, *time_ns, until_ns).any(refused);
    let ended = outcome::outcome(key, draft, icmp_seen);

    let service = histories.service_at(flow.destination, *time_ns);
    let balanced = service.is_some() || facts.virtual_services.contains(&flow.destination);
    let dialled = if balanced { Dialled::Service } else { Dialled::Address };
    let (cgroup, netns, pid, comm) = draft.client();
    let told_ns = until(CONNTRACK_SLACK_NS).max(until_ns);
    let sender = syn::Sender { draft, flow, netns, dialled, ended: &ended, until_ns, told_ns };
    let placed = syn::syns(&sender, flows, facts, histories);

    let backends = backends(flow, *time_ns, until_ns, told_ns, flows, context);
    claimed.extend(flows.between(flow, *time_ns, until_ns).map(|e| e.id));
    claimed.extend(backends.iter().map(|b| b.evidence));
    claimed.extend(placed.iter().flat_map(|syn| &syn.place.evidence));

    let tag = histories.client(cgroup, netns, pid, *time_ns);
    let kubelet = pid != 0 && facts.kubelets.contains(&pid);
    let kind = client_kind(&tag, balanced, kubelet);
    let syns: Vec<Syn> = placed
        .into_iter()
        .map(|syn| {
            let pod = syn.place.address.map(|a| histories.pod_at_address(a.ip(), syn.time_ns));
            let role = pod.as_ref().and_then(|tag| role(tag, workload));
            Syn {
                at: base.at(syn.time_ns),
                class: syn.place.class,
                address: syn.place.address,
                pod,
                role,
                answer: syn.answer,
                reason: syn.place.reason,
                evidence: syn.place.evidence,
            }
        })
        .collect();
    let left_out = tag.pod.as_ref().is_some_and(|pod| facts.leaves_out(&pod.namespace));
    let concerned = workload.covers(flow.destination, service.as_ref(), &backends, &syns)
        || histories
            .pod_at_address(flow.destination.ip(), *time_ns)
            .pod
            .is_some_and(|pod| workload.has_pod(&pod.uid));
    let in_scope = concerned && !left_out;
    let first_seen = usize::from(draft.first_syn_known());
    let sent_again = syns.iter().skip(first_seen).filter(|s| s.class != SynClass::NotSent).count();
    let not_sent = syns.iter().filter(|s| s.class == SynClass::NotSent).count();
    let retransmits = count(sent_again);
    let failed = fails(&ended.outcome);
    let mut evidence: Vec<u64> = first_record(draft).into_iter().chain(ended.evidence).collect();
    evidence.dedup();
    let uncertain = facts.loses_between(*time_ns, ended.time_ns.unwrap_or(facts.end_ns()));
    Attempt {
        attempt: match key {
            Key::Numbered(attempt) => Some(*attempt),
            Key::Older(..) | Key::NeverSent(_) => None,
        },
        begun: base.at(*time_ns),
        begun_unseen: !seen,
        client: Client {
            address: flow.source,
            port: flow.source_port,
            kind,
            tag,
            comm,
            pid,
            netns,
        },
        destination: flow.destination,
        service,
        in_scope,
        baseline: baseline(*time_ns, &ended, &syns, failed, workload),
        backends,
        retransmits,
        not_sent: count(not_sent),
        failed,
        slowed: !failed && (retransmits > 0 || not_sent > 0),
        syns,
        outcome: ended.outcome,
        ended: ended.time_ns.map(|t| base.at(t)),
        latency_ns: ended.latency_ns,
        uncertain,
        evidence,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn first_record(draft: &Draft) -> Option<u64> {
    let connect = draft.connect.as_ref().map(|e| e.id);
    let returned = draft.returned.as_ref().map(|e| e.id);
    let retransmit = draft.retransmits.first().map(|e| e.id);
    connect.or(returned).or(retransmit).or(draft.closed.as_ref().map(|e| e.id))
}

/// Never established, or reset afterwards.
fn fails(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Established | Outcome::InProgress | Outcome::Unknown)
}

/// Every choice of an attempt; the one that was kept from earlier, where it made none of its own before its first SYN
/// had to go somewhere.
fn backends(
    flow: &Flow,
    from_ns: u64,
    until_ns: u64,
    told_ns: u64,
    flows: &Flows,
    context: &Context<'_>,
) -> Vec<Backend> {
    let backend = |e: &FlowEvent, kept: bool| match e.what {
        What::Choice { backend, weight, by, .. } => Some(Backend {
            at: context.base.at(e.time_ns),
            address: backend,
            weight,
            by,
            kept,
            tag: context.histories.pod_at_address(backend.ip(), e.time_ns.max(from_ns)),
            evidence: e.id,
        }),
        _ => None,
    };
    let in_time = |e: &&FlowEvent| match e.what {
        What::Choice { by: Chooser::Conntrack, .. } => true,
        _ => e.time_ns < until_ns,
    };
    let own = flows.between(flow, from_ns, told_ns).filter(in_time);
    let own: Vec<Backend> = own.filter_map(|e| backend(e, false)).collect();
    if !own.is_empty() {
        return own;
    }
    flows.choice_before(flow, from_ns).and_then(|e| backend(e, true)).into_iter().collect()
}

/// kubelet by its cgroup, or by its process where it shares a cgroup with others (F25); an unknown client of a Service is a user, because kubelet dials pods only.
fn client_kind(tag: &Tag, balanced: bool, kubelet: bool) -> ClientKind {
    match (tag.host, &tag.pod) {
        (_, None) if kubelet && !balanced => ClientKind::Probe,
        (Some(HostClient::Kubelet), _) => ClientKind::Probe,
        (Some(HostClient::Host), _) | (None, Some(_)) => ClientKind::User,
        (None, None) if balanced || tag.certainty == Certainty::Ambiguous => ClientKind::User,
        (None, None) => ClientKind::Unclear,
    }
}

fn role(tag: &Tag, workload: &Workload) -> Option<Role> {
    tag.pod.as_ref().and_then(|pod| workload.role(&pod.uid))
}

/// Whatever went wrong with it went wrong before the update began; if nothing did: it began before that.
fn baseline(begun_ns: u64, ended: &Ended, syns: &[Syn], failed: bool, workload: &Workload) -> bool {
    let Some(start) = workload.start_ns() else { return false };
    let last = match failed {
        true => ended.time_ns,
        false => syns.last().map(|syn| syn.at.time_ns),
    };
    begun_ns < start && last.is_none_or(|last| last < start)
}
