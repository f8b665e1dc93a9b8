//! One run: made, explained, and held against its log.
//!
//! In: a plan and a seed. Out: [`Outcome`]: what was true, what was named, and every attempt that was told a wrong pod.

use crate::clients::{Clients, Log};
use crate::model::Model;
use crate::plan::Plan;
use crate::random::Random;
use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::cause::CauseName;
use rollout::attribute::tag::Certainty;
use rollout::record::Record;
use std::collections::BTreeSet;

/// What came of one run.
pub struct Outcome {
    /// What was truly a cause.
    pub truth: BTreeSet<CauseName>,
    /// What the report named.
    pub named: BTreeSet<CauseName>,
    /// Attempts of which the report surely named a pod that they were not sent to.
    pub wrong_pods: usize,
    /// Attempts that went badly, and those of them whose first reason was named rightly.
    pub attempts: (usize, usize),
}

/// Makes a run's records, and the log of what was done.
pub fn records(plan: &Plan, seed: u64) -> (Vec<Record>, Log) {
    let mut random = Random::new(seed);
    let model = Model::new(plan, &mut random);
    let old = model.pods.iter().filter(|pod| pod.old).count() as u8;
    let mut world = World::watching(old);
    model.write(&mut world);
    let log = Clients::new(&mut world, &model, &mut random).run();
    (world.records, log)
}

/// Makes and explains one run.
pub fn judge(plan: &Plan, seed: u64) -> Outcome {
    let (records, log) = records(plan, seed);
    let report = explain(&records);
    let named = report.causes.iter().map(|cause| cause.name).collect();
    Outcome {
        wrong_pods: wrong_pods(&report, &log),
        attempts: explained(&report, &log),
        truth: log.causes,
        named,
    }
}

fn wrong_pods(report: &Report, log: &Log) -> usize {
    let attempts = report.attempts.iter().filter_map(|a| Some((a, log.sent_to.get(&a.attempt?)?)));
    let wrong = attempts.filter(|(attempt, n)| {
        let first = attempt.syns.first().and_then(|syn| syn.pod.as_ref());
        let known = first.filter(|tag| tag.certainty == Certainty::Known);
        known.and_then(|tag| tag.pod.as_ref()).is_some_and(|pod| pod.uid != uid(**n))
    });
    wrong.count()
}

/// Bad attempts, and those of which a true reason was named.
fn explained(report: &Report, log: &Log) -> (usize, usize) {
    let mut right = 0;
    let mut all = 0;
    for (position, attempt) in report.attempts.iter().enumerate() {
        let Some(fates) = attempt.attempt.and_then(|number| log.fates.get(&number)) else {
            continue;
        };
        all += 1;
        let named = report.causes.iter().filter(|cause| cause.attempts.contains(&position));
        right += usize::from(named.into_iter().any(|cause| fates.contains(&cause.name)));
    }
    (all, right)
}
