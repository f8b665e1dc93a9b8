//! What the report repeats of the recording's own statements: source, update, losses, gaps, data path.
//!
//! In: facts and workload. Out: the report's lines, in its time base.

use super::attempt::flow::{FlowEvent, What};
use super::base::TimeBase;
use super::facts::Facts;
use super::report::update::{Superseded, Update};
use super::report::{DataPathLine, LossLine, Source, Unmatched, WatchGap};
use super::verdict::{gap_matters, loss_matters};
use super::workload::Workload;
use crate::attribute::Histories;

/// Where the records come from.
pub fn source(facts: &Facts, workload: &Workload, base: &TimeBase) -> Option<Source> {
    let header = &facts.header.as_ref()?.what;
    let (from, to) = facts.range?;
    Some(Source {
        node: header.node.clone(),
        kernel: header.kernel.clone(),
        boot_id: header.boot_id.clone(),
        recorded_by: header.version.clone(),
        target: workload.target.clone().or_else(|| header.target.clone()),
        from: base.at(from),
        to: base.at(to),
        records: facts.records,
        left_out: header.left_out.clone(),
    })
}

/// The update.
pub fn update(workload: &Workload, base: &TimeBase) -> Option<Update> {
    let episode = workload.episode.as_ref()?;
    let last = workload.deployments.last().map(|version| &version.what);
    let rolling = last.and_then(|d| d.rolling.as_ref());
    let watching_ns = episode.start.map_or(0, |start| start.seen_ns);
    let replaced = |hash: &str| {
        hash != episode.to.template_hash
            && workload.members.values().any(|member| {
                member.hash == hash && member.gone_ns.is_none_or(|gone| gone >= watching_ns)
            })
    };
    Some(Update {
        target: workload.target.clone()?,
        from: workload.revisions().into_iter().filter(|r| replaced(&r.template_hash)).collect(),
        to: episode.to.clone(),
        start: episode.start.map(|start| base.at(start.seen_ns)),
        start_not_before_ns: episode.start.map(|start| start.not_before_ns),
        end: episode.end_ns.map(|end| base.at(end)),
        superseded: episode
            .superseded
            .iter()
            .map(|(revision, at)| Superseded { revision: revision.clone(), at: base.at(*at) })
            .collect(),
        paused: last.is_some_and(|d| d.paused),
        replicas: last.map_or(0, |d| d.desired),
        strategy: last.map(|d| d.strategy.clone()).unwrap_or_default(),
        max_unavailable: rolling.and_then(|rolling| rolling.max_unavailable.clone()),
        max_surge: rolling.and_then(|rolling| rolling.max_surge.clone()),
        partition: rolling.map_or(0, |rolling| rolling.partition),
    })
}

/// Losses by time.
pub fn losses(facts: &Facts, workload: &Workload, base: &TimeBase) -> Vec<LossLine> {
    let line = |loss: &super::stamped::Stamped<crate::record::meta::Loss>| LossLine {
        from: base.at(loss.what.since_ns.min(loss.time_ns)),
        to: base.at(loss.time_ns),
        stage: loss.what.stage,
        program: loss.what.program.clone(),
        count: loss.what.count,
        overlaps_update: loss_matters(loss.time_ns, loss.what.stage, workload),
    };
    facts.losses.iter().map(line).collect()
}

/// Gaps of watches by time.
pub fn watch_gaps(facts: &Facts, workload: &Workload, base: &TimeBase) -> Vec<WatchGap> {
    let gaps = facts.watch_gaps();
    let line = |gap: &super::facts::Gap<'_>| WatchGap {
        from: base.at(gap.from_ns),
        to: gap.to_ns.map(|to| base.at(to)),
        resource: gap.watch.0.to_owned(),
        scope: gap.watch.1.to_owned(),
        reason: gap.reason.map(str::to_owned),
        overlaps_update: gap_matters(gap.to_ns, workload),
    };
    gaps.iter().map(line).collect()
}

/// The data path that was found last.
pub fn data_path(facts: &Facts) -> Option<DataPathLine> {
    let found = &facts.data_paths.last()?.what;
    Some(DataPathLine { path: found.path, evidence: found.evidence.clone() })
}

/// Counts packet events that belong to no attempt.
pub fn unmatched(events: &[FlowEvent], workload: &Workload, histories: &Histories) -> Unmatched {
    let mut counts = Unmatched::default();
    for event in events {
        match &event.what {
            What::Choice { backend, .. } => {
                counts.choices += 1;
                let pod = histories.pod_at_address(backend.ip(), event.time_ns).pod;
                let own = pod.is_some_and(|pod| workload.has_pod(&pod.uid));
                counts.choices_of_workload += u64::from(own);
            }
            What::Drop { .. } => counts.drops += 1,
            What::NoDestination => counts.no_destination += 1,
            What::Icmp => counts.icmp += 1,
        }
    }
    counts
}
