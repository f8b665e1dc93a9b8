//! One row for each pod of the workload: every step of its life, or why it is not known.
//!
//! In: the pod's moments from the histories, users' SYNs to it. Out: [`PodRow`]s, old pods first, each by creation.

pub(super) mod process;

use super::base::TimeBase;
use super::facts::Facts;
use super::report::attempt::{Answer, Attempt, ClientKind, Syn, SynClass};
use super::report::pod::{Cell, PodRow, Step, StepAt};
use super::workload::Workload;
use crate::attribute::Histories;
use crate::attribute::timeline::{Happened, Moment, PodTimeline};
use crate::record::meta::DataPath;
use std::collections::BTreeMap;

/// Users' SYNs to one pod.
#[derive(Debug, Clone, Default)]
struct Traffic {
    first: Option<(u64, u64)>,
    last: Option<(u64, u64)>,
    syns: u64,
    unanswered: u64,
}

/// What rows are made of.
pub struct Sources<'a> {
    /// Histories of pods.
    pub histories: &'a Histories,
    /// The recording's statements.
    pub facts: &'a Facts,
    /// The workload.
    pub workload: &'a Workload,
    /// Every attempt.
    pub attempts: &'a [Attempt],
    /// Time base.
    pub base: &'a TimeBase,
}

/// Makes the rows.
pub fn rows(sources: &Sources<'_>) -> Vec<PodRow> {
    let traffic = traffic(sources.attempts);
    let mut rows: Vec<(u64, PodRow)> = sources
        .workload
        .members
        .iter()
        .map(|(uid, member)| {
            let timeline = sources.histories.timeline_of(uid);
            let none = Traffic::default();
            let row = row(&timeline, traffic.get(uid.as_str()).unwrap_or(&none), sources);
            (member.first_ns, row)
        })
        .collect();
    // `None` (no update seen) and `Old` sort before `New`.
    rows.sort_by(|(a_ns, a), (b_ns, b)| {
        (a.role, created(a), a_ns, &a.pod.name).cmp(&(b.role, created(b), b_ns, &b.pod.name))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

fn created(row: &PodRow) -> u64 {
    row.steps.first().map_or(0, |step| match &step.cell {
        Cell::At { at, .. } => at.time_ns,
        _ => 0,
    })
}

fn traffic(attempts: &[Attempt]) -> BTreeMap<&str, Traffic> {
    let mut traffic: BTreeMap<&str, Traffic> = BTreeMap::new();
    let users = attempts.iter().filter(|a| a.client.kind == ClientKind::User);
    for syn in users.flat_map(|a| &a.syns).filter(|syn| syn.class == SynClass::Pod) {
        let Some(pod) = syn.pod.as_ref().and_then(|tag| tag.pod.as_ref()) else { continue };
        let of = traffic.entry(&pod.uid).or_default();
        let stamp = (syn.at.time_ns, evidence(syn));
        of.first = Some(of.first.map_or(stamp, |first| first.min(stamp)));
        of.last = Some(of.last.map_or(stamp, |last| last.max(stamp)));
        of.syns += 1;
        of.unanswered += u64::from(syn.answer == Answer::Nothing);
    }
    traffic
}

fn evidence(syn: &Syn) -> u64 {
    syn.evidence.first().copied().unwrap_or(0)
}

fn row(timeline: &PodTimeline, traffic: &Traffic, sources: &Sources<'_>) -> PodRow {
    let steps = Step::ALL
        .iter()
        .map(|step| StepAt { step: *step, cell: cell(*step, timeline, traffic, sources) })
        .collect();
    PodRow {
        pod: timeline.pod.clone(),
        role: sources.workload.role(&timeline.pod.uid),
        ips: timeline.addresses.clone(),
        steps,
        syns: traffic.syns,
        unanswered: traffic.unanswered,
    }
}

fn cell(step: Step, timeline: &PodTimeline, traffic: &Traffic, sources: &Sources<'_>) -> Cell {
    let computed = |stamp: Option<(u64, u64)>| match stamp {
        Some((time_ns, id)) => Cell::At {
            at: sources.base.at(time_ns),
            not_before_ns: None,
            evidence: Some(id),
            detail: String::new(),
        },
        None => Cell::NotYet,
    };
    match step {
        Step::FirstSyn => return computed(traffic.first),
        Step::LastSyn => return computed(traffic.last),
        _ => {}
    }
    match moment(step, timeline, sources.facts) {
        Some(moment) => at(moment, timeline, sources),
        None => missing(step, timeline, sources),
    }
}

/// The moment that a step of the row stands for.
pub(super) fn moment<'a>(
    step: Step,
    timeline: &'a PodTimeline,
    facts: &Facts,
) -> Option<&'a Moment> {
    use Happened as H;
    let first_of =
        |kinds: &[Happened]| timeline.moments.iter().find(|moment| kinds.contains(&moment.what));
    match step {
        Step::Created => timeline.first(H::Created),
        Step::IpAssigned => timeline.first(H::AddressAssigned),
        Step::ListenerOpen => timeline.first(H::ListenerOpened),
        Step::Ready => timeline.first(H::Ready),
        Step::InSlice => timeline.first(H::SliceReady),
        Step::Programmed => timeline.first(H::Programmed),
        Step::DeletionSeen => timeline.first(H::DeletionRequested),
        Step::StopSignal => {
            let since = timeline.first(H::DeletionRequested).map_or(0, |m| m.not_before_ns);
            let signals = timeline.moments.iter().filter(|m| m.what == H::Signal);
            signals.filter(|m| m.seen_ns >= since).find(|m| process::is_stop(m.evidence, facts))
        }
        Step::ListenerClosed => {
            let reopened = timeline.last(H::ListenerOpened).map_or(0, |m| m.seen_ns);
            timeline.last(H::ListenerClosed).filter(|m| m.seen_ns >= reopened)
        }
        Step::OutOfSlice => {
            let last_ready = timeline.last(H::SliceReady).map_or(0, |moment| moment.seen_ns);
            let out = [H::SliceNotReady, H::SliceTerminating, H::SliceRemoved];
            timeline.moments.iter().find(|m| out.contains(&m.what) && m.seen_ns >= last_ready)
        }
        // IPVS: weight 0 while connections are left, else deleted at once (F12): whichever came first.
        Step::Unprogrammed => {
            let last_on = timeline.last(H::Programmed).map_or(0, |moment| moment.seen_ns);
            let off = [H::WeightZero, H::DestinationDeleted];
            timeline.moments.iter().find(|m| off.contains(&m.what) && m.seen_ns >= last_on)
        }
        Step::Exit => timeline.last(H::Exit),
        Step::Gone => first_of(&[H::Gone]),
        Step::FirstSyn | Step::LastSyn => None,
    }
}

fn at(moment: &Moment, timeline: &PodTimeline, sources: &Sources<'_>) -> Cell {
    let first_ns = sources.facts.range.map_or(0, |(from, _)| from);
    // Seen in the initial state with no bound inside the recording: it happened before.
    let watching = sources.facts.watching_ns().unwrap_or(0);
    // Nothing happened to a pod before it was created.
    let created = timeline.first(Happened::Created).map_or(0, |m| m.not_before_ns);
    // A listing without bounds: had it been opened since, the hook would have told.
    let older = moment.not_before_ns == 0 && created < first_ns;
    if moment.not_before_ns < first_ns && (moment.seen_ns <= watching || older) {
        return Cell::Before;
    }
    let not_before_ns = moment.not_before_ns.max(created);
    Cell::At {
        at: sources.base.at(moment.seen_ns),
        not_before_ns: Some(not_before_ns).filter(|ns| *ns < moment.seen_ns),
        evidence: Some(moment.evidence),
        detail: detail(moment, sources.facts),
    }
}

fn detail(moment: &Moment, facts: &Facts) -> String {
    match moment.what {
        Happened::Signal => process::signal(moment.evidence, facts),
        Happened::Exit => process::exit(moment.evidence, facts),
        Happened::WeightZero => "weight 0".to_owned(),
        Happened::DestinationDeleted => "deleted".to_owned(),
        Happened::SliceNotReady => "not ready".to_owned(),
        Happened::SliceTerminating => "terminating".to_owned(),
        Happened::SliceRemoved => "removed".to_owned(),
        Happened::ListenerOpened | Happened::ListenerClosed => moment.detail.clone(),
        _ => String::new(),
    }
}

/// Why a step has no moment.
fn missing(step: Step, timeline: &PodTimeline, sources: &Sources<'_>) -> Cell {
    let local = sources.facts.header.as_ref().map(|header| header.what.node.as_str());
    let other_node = timeline.pod.node.as_deref().filter(|node| Some(*node) != local);
    let (from_its_kernel, fact) = match step {
        Step::ListenerOpen | Step::ListenerClosed => (true, "listener"),
        Step::StopSignal => (true, "signal"),
        Step::Exit => (true, "exit"),
        Step::Programmed | Step::Unprogrammed => (false, "ipvs_destination"),
        _ => (false, ""),
    };
    if let (true, Some(node)) = (from_its_kernel, other_node) {
        return Cell::NotSeen { why: format!("on node {node}") };
    }
    if sources.facts.is_blind_to(fact) {
        return Cell::NotSeen { why: "no hook".to_owned() };
    }
    if fact == "ipvs_destination" {
        match sources.facts.data_paths.last().map(|found| found.what.path) {
            Some(DataPath::Ipvs) => {}
            Some(_) => return Cell::NotSeen { why: "not IPVS".to_owned() },
            None => return Cell::NotSeen { why: "data path unknown".to_owned() },
        }
    }
    // Steps are in the order of a pod's life.
    let early = step <= Step::Programmed;
    let watching = sources.facts.watching_ns().unwrap_or(0);
    let older = sources
        .workload
        .members
        .get(&timeline.pod.uid)
        .is_some_and(|member| member.first_ns <= watching);
    if early && older { Cell::Before } else { Cell::NotYet }
}
