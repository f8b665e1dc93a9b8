//! Which attempts the page shows, and where on it a record's evidence stands.
//!
//! In: a [`Report`]. Out: positions of attempts, and the anchor of a record id. Bounded, whatever the report holds.

use crate::analyse::report::Report;
use crate::analyse::report::pod::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Attempts of each group that are shown.
const OF_A_GROUP: usize = 25;
/// Groups of each kind whose attempts are shown.
pub const GROUPS: usize = 60;
/// Causes that are shown.
pub const CAUSES: usize = 60;
/// Attempts, and pods, that a cause names.
pub const CITED: usize = 8;
/// Pods that are shown with all steps.
pub const PODS: usize = 200;

/// What is on the page.
#[derive(Debug, Default)]
pub struct Anchors {
    attempts: BTreeSet<usize>,
    /// Attempts that a cause cites and that no group shows.
    apart: Vec<usize>,
    records: BTreeMap<u64, String>,
}

impl Anchors {
    /// Chooses what is shown.
    pub fn of(report: &Report) -> Anchors {
        let mut anchors = Anchors::default();
        for groups in [&report.failures, &report.slowed] {
            for group in groups.iter().take(GROUPS) {
                anchors.attempts.extend(group.attempts.iter().take(OF_A_GROUP));
            }
        }
        let shown_groups = [&report.failures, &report.slowed];
        let grouped: BTreeSet<usize> = shown_groups
            .iter()
            .flat_map(|groups| groups.iter().take(GROUPS))
            .flat_map(|group| &group.attempts)
            .copied()
            .collect();
        for cause in report.causes.iter().take(CAUSES) {
            anchors.attempts.extend(cause.attempts.iter().take(CITED));
        }
        anchors.apart = anchors.attempts.difference(&grouped).copied().collect();
        for position in &anchors.attempts {
            let Some(attempt) = report.attempts.get(*position) else { continue };
            let syns = attempt.syns.iter().flat_map(|syn| &syn.evidence);
            let choices = attempt.backends.iter().map(|backend| &backend.evidence);
            for id in attempt.evidence.iter().chain(syns).chain(choices) {
                anchors.records.entry(*id).or_insert_with(|| attempt_anchor(*position));
            }
        }
        // What a pod did is told by its row, even where an attempt cites it, too.
        for (index, row) in report.pods.iter().take(PODS).enumerate() {
            for (step, at) in row.steps.iter().enumerate() {
                if let Cell::At { evidence: Some(id), .. } = &at.cell {
                    anchors.records.insert(*id, step_anchor(index, step));
                }
            }
        }
        anchors
    }

    /// Attempts to show beside the groups.
    pub fn apart(&self) -> &[usize] {
        &self.apart
    }

    /// Where a record's evidence stands, if it does.
    pub fn of_record(&self, id: u64) -> Option<&str> {
        self.records.get(&id).map(String::as_str)
    }

    /// Whether an attempt is shown.
    pub fn shows(&self, position: usize) -> bool {
        self.attempts.contains(&position)
    }
}

/// The anchor of an attempt, by its position in the report.
pub fn attempt_anchor(position: usize) -> String {
    format!("a{position}")
}

/// The anchor of a pod's step, by their positions in the report.
pub fn step_anchor(pod: usize, step: usize) -> String {
    format!("p{pod}s{step}")
}
