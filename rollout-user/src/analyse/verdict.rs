//! The answer: counts, every reason for doubt, the exit code.
//!
//! In: attempts, the update, the recording's facts. Out: [`Verdict`]. A loss can add doubts, never remove one.

use super::attempt::flow::FlowEvent;
use super::base::TimeBase;
use super::facts::Facts;
use super::hooks;
use super::report::attempt::{Attempt, ClientKind, Outcome};
use super::report::verdict::{Doubt, Finding, SynCounts, Verdict};
use super::workload::Workload;
use crate::attribute::Histories;
use crate::record::meta::{DataPath, Phase, Stage};

/// A SYN is retransmitted after about a second, and each further one after twice the time at most; an attempt that shows
/// nothing for so long and two seconds more has lost its events.
fn silence_ns(attempt: &Attempt) -> u64 {
    let again = attempt.syns.len().saturating_sub(1).min(6);
    ((1_u64 << again) + 2) * 1_000_000_000
}

/// What the verdict is made of.
pub struct Evidence<'a> {
    /// Every attempt.
    pub attempts: &'a [Attempt],
    /// Packet events that belong to no attempt.
    pub unmatched: &'a [FlowEvent],
    /// The recording's statements.
    pub facts: &'a Facts,
    /// The workload and its update.
    pub workload: &'a Workload,
    /// Who had which address when.
    pub histories: &'a Histories,
    /// Time base.
    pub base: &'a TimeBase,
}

/// Judges.
pub fn verdict(evidence: &Evidence<'_>) -> Verdict {
    let Evidence { attempts, base, .. } = evidence;
    let of = |kind, baseline: Option<bool>| {
        move |a: &&Attempt| {
            a.in_scope && a.client.kind == kind && baseline.is_none_or(|b| a.baseline == b)
        }
    };
    let users: Vec<&Attempt> = attempts.iter().filter(of(ClientKind::User, Some(false))).collect();
    let before: Vec<&Attempt> = attempts.iter().filter(of(ClientKind::User, Some(true))).collect();
    let probes: Vec<&Attempt> = attempts.iter().filter(of(ClientKind::Probe, None)).collect();
    let unclear: Vec<&Attempt> = attempts.iter().filter(of(ClientKind::Unclear, None)).collect();
    let failed = |list: &[&Attempt]| list.iter().filter(|a| a.failed).count() as u64;
    let slowed = |list: &[&Attempt]| list.iter().filter(|a| a.slowed).count() as u64;
    let mut syns = SynCounts::default();
    users.iter().flat_map(|a| &a.syns).for_each(|syn| syns.add(syn.class));
    let bad = || users.iter().filter(|a| a.failed || a.slowed).map(|a| a.begun.time_ns);
    let waiting = |a: &&&Attempt| a.outcome == Outcome::InProgress && !a.slowed;
    let doubts = doubts(evidence, &users, &unclear, &syns);
    let result = match (failed(&users) + slowed(&users), doubts.is_empty()) {
        (0, true) => Finding::Clean,
        (0, false) => Finding::Inconclusive,
        _ => Finding::Failures,
    };
    Verdict {
        result,
        exit_code: match result {
            Finding::Clean => 0,
            Finding::Failures => 1,
            Finding::Inconclusive => 3,
        },
        attempts: users.len() as u64,
        failed: failed(&users),
        reset_afterwards: users
            .iter()
            .filter(|a| matches!(a.outcome, Outcome::ResetAfterwards { .. }))
            .count() as u64,
        slowed: slowed(&users),
        in_progress: users.iter().filter(waiting).count() as u64,
        from: bad().min().map(|t| base.at(t)),
        to: bad().max().map(|t| base.at(t)),
        baseline_attempts: before.len() as u64,
        baseline_failed: failed(&before),
        baseline_slowed: slowed(&before),
        probes: probes.len() as u64,
        probes_failed: failed(&probes),
        unclear: unclear.len() as u64,
        unclear_failed: failed(&unclear),
        out_of_scope: attempts.iter().filter(|a| !a.in_scope).count() as u64,
        syns,
        doubts,
    }
}

/// Every reason why something bad could have been missed, sorted.
fn doubts(
    evidence: &Evidence<'_>,
    users: &[&Attempt],
    unclear: &[&Attempt],
    syns: &SynCounts,
) -> Vec<Doubt> {
    let Evidence { facts, workload, .. } = evidence;
    let mut doubts = Vec::new();
    of_the_update(facts, workload, &mut doubts);
    of_the_recording(facts, workload, &mut doubts);
    if users.is_empty() {
        doubts.push(Doubt::NoTraffic);
    }
    if syns.unknown > 0 {
        doubts.push(Doubt::BackendUnknown { syns: syns.unknown });
    }
    let end = facts.end_ns();
    let silent = |a: &&&Attempt| {
        let last = a.syns.last().map_or(a.begun.time_ns, |syn| syn.at.time_ns);
        matches!(a.outcome, Outcome::InProgress | Outcome::Unknown)
            && end.saturating_sub(last) > silence_ns(a)
    };
    let silent = users.iter().filter(silent).count() as u64;
    if silent > 0 {
        doubts.push(Doubt::OutcomeUnknown { attempts: silent });
    }
    let choices = choices_elsewhere(evidence);
    if choices > 0 {
        doubts.push(Doubt::ClientsElsewhere { choices });
    }
    let bad = unclear.iter().filter(|a| !a.baseline && (a.failed || a.slowed)).count() as u64;
    if bad > 0 {
        doubts.push(Doubt::UnclearClients { attempts: bad });
    }
    doubts.sort();
    doubts
}

fn of_the_update(facts: &Facts, workload: &Workload, doubts: &mut Vec<Doubt>) {
    if workload.target.is_none() {
        doubts.push(Doubt::NoTarget);
    } else {
        match &workload.episode {
            None => doubts.push(Doubt::NoUpdate),
            Some(episode) => {
                if episode.start.is_none() {
                    doubts.push(Doubt::CameInTheMiddle);
                }
                if !episode.superseded.is_empty() {
                    doubts.push(Doubt::Superseded);
                }
                if episode.end_ns.is_none() {
                    doubts.push(Doubt::Incomplete);
                }
            }
        }
        if workload.deployments.last().is_some_and(|d| d.what.paused) {
            doubts.push(Doubt::Paused);
        }
    }
    match (facts.watching_ns(), workload.start_ns()) {
        (None, _) => doubts.push(Doubt::NeverInSync),
        (Some(watching), Some(start)) if start < watching => doubts.push(Doubt::NotInSyncAtStart),
        _ => {}
    }
    let ended = facts.phases.iter().rev().find(|phase| phase.what != Phase::Watching);
    match ended.map(|phase| &phase.what) {
        Some(Phase::CutShort { reason }) => {
            doubts.push(Doubt::CutShort { reason: reason.clone() });
        }
        Some(_) => {}
        None => doubts.push(Doubt::NoEnd),
    }
}

fn of_the_recording(facts: &Facts, workload: &Workload, doubts: &mut Vec<Doubt>) {
    let overlapping =
        facts.losses.iter().filter(|loss| loss_matters(loss.time_ns, loss.what.stage, workload));
    let (mut events, mut uncounted, mut any) = (0_u64, 0_u64, false);
    for loss in overlapping {
        any = true;
        events = events.saturating_add(loss.what.count);
        uncounted += u64::from(loss.what.count == 0);
    }
    if any {
        doubts.push(Doubt::Lost { events, uncounted });
    }
    let cut = facts.watch_gaps();
    let gaps = cut.iter().filter(|gap| gap_matters(gap.to_ns, workload)).count() as u64;
    if gaps > 0 {
        doubts.push(Doubt::WatchCut { gaps });
    }
    let data_path = facts.data_paths.last().map(|found| found.what.path);
    let covered = matches!(
        data_path,
        Some(DataPath::Ipvs | DataPath::Iptables | DataPath::Nftables | DataPath::None)
    );
    if !covered {
        doubts.push(Doubt::DataPathNotCovered);
    }
    if facts.hooks.is_empty() {
        doubts.push(Doubt::HooksUnknown);
    }
    for spot in hooks::blind_spots(facts).into_iter().filter(|spot| spot.essential) {
        doubts.push(Doubt::Blind { fact: spot.fact });
    }
}

/// Whether a loss may hide something that the verdict depends on. The update's own start may be hidden by a loss of
/// observations since the version before it; kernel events before the start belong to the baseline.
/// `until_ns`: the loss lies before this.
pub fn loss_matters(until_ns: u64, stage: Stage, workload: &Workload) -> bool {
    let Some(start) = workload.episode.as_ref().and_then(|episode| episode.start) else {
        return true;
    };
    let kernel_only = matches!(stage, Stage::Ring | Stage::Map | Stage::Skipped | Stage::Conntrack);
    let from = if kernel_only { start.seen_ns } else { start.not_before_ns.min(start.seen_ns) };
    until_ns >= from
}

/// Whether a watch's gap reaches into the update.
pub fn gap_matters(to_ns: Option<u64>, workload: &Workload) -> bool {
    match (workload.start_ns(), to_ns) {
        (Some(start), Some(to)) => to >= start,
        _ => true,
    }
}

/// Choices of the workload's pods, during the update, for clients whose connects are not seen here.
fn choices_elsewhere(evidence: &Evidence<'_>) -> u64 {
    let start = evidence.workload.start_ns().unwrap_or(0);
    let of_workload = |e: &&FlowEvent| {
        let pod =
            |a: std::net::SocketAddr| evidence.histories.pod_at_address(a.ip(), e.time_ns).pod;
        e.choice()
            .and_then(|(address, _)| pod(address))
            .is_some_and(|pod| evidence.workload.has_pod(&pod.uid))
    };
    evidence.unmatched.iter().filter(|e| e.time_ns >= start).filter(of_workload).count() as u64
}
