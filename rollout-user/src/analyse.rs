//! What happened: records in, one [`Report`] out.
//!
//! In: [`Record`]s and the histories that `attribute` makes of them. Out: findings. Touches no clock, socket, file or
//! task (invariant 1), and is deterministic: the order of records does not matter, their times and ids do.

pub mod attempt;
mod base;
mod bound;
mod causes;
mod facts;
mod group;
pub mod hooks;
mod pod_timeline;
mod pre_stop;
pub mod progress;
pub mod report;
mod stamped;
mod statements;
mod verdict;
mod way_in;
mod window;
pub mod workload;

use crate::attribute::Histories;
use crate::record::Record;
use crate::record::meta::Target;
use attempt::{Context, Gatherer};
use base::TimeBase;
use bound::Bound;
use causes::Case;
use causes::endpoints::Endpoints;
use causes::server::ServerSide;
use facts::Facts;
use report::Report;
use report::attempt::{Attempt, ClientKind};
use std::collections::{BTreeMap, BTreeSet};
use workload::{Observations, Workload};

/// Makes the report of a recording that is in memory.
pub fn explain(records: &[Record]) -> Report {
    let mut observing = Explainer::new(None);
    records.iter().for_each(|record| observing.observe(record));
    let mut reading = observing.observed();
    records.iter().for_each(|record| reading.event(record));
    reading.report()
}

/// First pass over a recording: all observations become complete histories.
///
/// Two passes and two types, because recordings can be larger than memory: every record goes to [`Explainer::observe`],
/// then, from the start again, to [`Reading::event`].
#[derive(Default)]
pub struct Explainer {
    target: Option<Target>,
    bound: Bound,
    histories: Histories,
    facts: Facts,
    observations: Observations,
    endpoints: Endpoints,
}

impl Explainer {
    /// Begins. `target` is the workload to report on where it is not the one that the recording names.
    pub fn new(target: Option<Target>) -> Self {
        Self { target, ..Self::default() }
    }

    /// Takes the next record of the first pass.
    pub fn observe(&mut self, record: &Record) {
        self.facts.take(record);
        if !self.bound.admits(record) {
            return;
        }
        self.histories.observe(record);
        self.observations.take(record);
        self.endpoints.take(record);
    }

    /// Workloads that the recording tells of so far.
    pub fn targets(&self) -> BTreeSet<Target> {
        self.observations.targets()
    }

    /// Ends the first pass.
    pub fn observed(self) -> Reading {
        let Self { target, bound, mut histories, mut facts, observations, endpoints } = self;
        if let Some(loss) = bound.loss(facts.end_ns()) {
            histories.observe(&loss);
            facts.take(&loss);
        }
        facts.finish();
        let named = facts.header.as_ref().and_then(|header| header.what.target.clone());
        let workload = observations.finish(target.or(named), facts.watching_ns());
        let base = TimeBase::new(histories.clock().clone(), workload.start_ns());
        let (gatherer, server) = (Gatherer::default(), ServerSide::default());
        Reading { histories, facts, workload, base, endpoints, gatherer, server }
    }
}

/// Second pass over a recording: kernel events stream past the histories.
pub struct Reading {
    histories: Histories,
    facts: Facts,
    workload: Workload,
    base: TimeBase,
    endpoints: Endpoints,
    gatherer: Gatherer,
    server: ServerSide,
}

impl Reading {
    /// Takes the next record of the second pass.
    pub fn event(&mut self, record: &Record) {
        self.gatherer.take(record);
        self.server.take(record);
    }

    /// Ends the second pass.
    pub fn report(self) -> Report {
        let Self { histories, facts, workload, base, endpoints, gatherer, server } = self;
        let gathered = gatherer.finish(&Context {
            histories: &histories,
            facts: &facts,
            workload: &workload,
            base: &base,
        });
        let attempts = gathered.attempts;
        let verdict = verdict::verdict(&verdict::Evidence {
            attempts: &attempts,
            unmatched: &gathered.unmatched,
            facts: &facts,
            workload: &workload,
            histories: &histories,
            base: &base,
        });
        let pods = pod_timeline::rows(&pod_timeline::Sources {
            histories: &histories,
            facts: &facts,
            workload: &workload,
            attempts: &attempts,
            base: &base,
        });
        let case = Case {
            attempts: &attempts,
            histories: &histories,
            facts: &facts,
            workload: &workload,
            base: &base,
            endpoints: &endpoints,
            server: &server,
            usual_ns: 0,
            lives: BTreeMap::new(),
        }
        .with_lives();
        let pre_stop = pre_stop::pre_stop(&case.lives, &gathered.last_choices, &facts, &base);
        let causes = causes::causes(&case, &verdict, pre_stop.as_ref());
        let is = |kind| move |a: &Attempt| a.in_scope && a.client.kind == kind;
        let user = is(ClientKind::User);
        let group =
            |wanted: &dyn Fn(&Attempt) -> bool| group::groups(&attempts, &histories, wanted);
        let windows = workload.episode.as_ref().map(|episode| {
            let from_ns = episode.last_change_ns.unwrap_or(0);
            window::windows(attempts.iter().filter(|a| user(a)), from_ns, &base)
        });
        Report {
            version: report::REPORT_VERSION,
            source: statements::source(&facts, &workload, &base),
            verdict,
            causes,
            pre_stop,
            update: statements::update(&workload, &base),
            windows,
            ways_in: way_in::ways_in(&attempts),
            pods,
            failures: group(&|a| user(a) && a.failed && !a.baseline),
            slowed: group(&|a| user(a) && a.slowed && !a.baseline),
            baseline: group(&|a| user(a) && (a.failed || a.slowed) && a.baseline),
            probes: group(&is(ClientKind::Probe)),
            unclear: group(&|a| is(ClientKind::Unclear)(a) && (a.failed || a.slowed)),
            losses: statements::losses(&facts, &workload, &base),
            watch_gaps: statements::watch_gaps(&facts, &workload, &base),
            blind_spots: hooks::blind_spots(&facts),
            clock: base.clock_line(),
            data_path: statements::data_path(&facts),
            unmatched: statements::unmatched(&gathered.unmatched, &workload, &histories),
            attempts,
        }
    }
}
