//! What this tool could not see leaves the answer open.
//!
//! Evidence: the verdict's own doubts, where nothing bad was seen or where they overlap what was. It is always proven: the
//! tool knows what it has not seen.

use super::super::super::report::cause::{Cause, CauseName, Cost, Remedy, Surety};
use super::super::super::report::verdict::{Doubt, Finding, Verdict};
use super::super::case::Case;
use super::super::rule::sign;

/// Looks for it.
pub fn find(case: &Case<'_>, verdict: &Verdict) -> Option<Cause> {
    let own: Vec<&Doubt> = verdict.doubts.iter().filter(|doubt| is_own(doubt)).collect();
    if own.is_empty() || (verdict.result == Finding::Clean) {
        return None;
    }
    let (from_ns, to_ns) = case.facts.range.unwrap_or_default();
    let signs = own.iter().map(|doubt| sign(words(doubt), []));
    Some(Cause {
        name: CauseName::OwnBlindness,
        surety: Surety::Proven,
        pods: Vec::new(),
        attempts: Vec::new(),
        cost: Cost::default(),
        from: case.base.at(from_ns),
        to: case.base.at(to_ns),
        signs: signs.collect(),
        ruled_out: Vec::new(),
        competing: Vec::new(),
        leads_to: Vec::new(),
        remedy: Some(Remedy {
            text: "repeat the update under `rollout watch` from before its start until its end; `rollout doctor` tells what \
                   cannot be seen here"
                .to_owned(),
            patch: None,
        }),
    })
}

/// Whether the tool's own eyes are the reason, not the update.
fn is_own(doubt: &Doubt) -> bool {
    matches!(
        doubt,
        Doubt::Lost { .. }
            | Doubt::WatchCut { .. }
            | Doubt::Blind { .. }
            | Doubt::HooksUnknown
            | Doubt::DataPathNotCovered
            | Doubt::ClientsElsewhere { .. }
            | Doubt::BackendUnknown { .. }
            | Doubt::OutcomeUnknown { .. }
            | Doubt::NeverInSync
            | Doubt::NotInSyncAtStart
            | Doubt::CameInTheMiddle
            | Doubt::CutShort { .. }
            | Doubt::NoEnd
    )
}

fn words(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Lost { events, uncounted: 0 } => format!("{events} events were lost"),
        Doubt::Lost { events, .. } => format!("{events} events and more were lost"),
        Doubt::WatchCut { gaps } => format!("watches were cut {gaps} times"),
        Doubt::Blind { fact } => format!("no hook tells of `{fact}`"),
        Doubt::HooksUnknown => "the recording does not say which hooks were attached".to_owned(),
        Doubt::DataPathNotCovered => "the node's data path is not covered".to_owned(),
        Doubt::ClientsElsewhere { choices } => {
            format!("{choices} backend choices were made for clients that are not seen here")
        }
        Doubt::BackendUnknown { syns } => format!("where {syns} SYNs went is not known"),
        Doubt::OutcomeUnknown { attempts } => {
            format!("what came of {attempts} attempts is not known")
        }
        Doubt::NeverInSync => "probes and watches were never in sync".to_owned(),
        Doubt::NotInSyncAtStart => {
            "the update began before probes and watches were in sync".to_owned()
        }
        Doubt::CameInTheMiddle => "the update was under way when the trace began".to_owned(),
        Doubt::CutShort { .. } | Doubt::NoEnd => "the recording ends before the update".to_owned(),
        Doubt::NoTarget
        | Doubt::NoUpdate
        | Doubt::Incomplete
        | Doubt::Paused
        | Doubt::Superseded
        | Doubt::NoTraffic
        | Doubt::UnclearClients { .. } => String::new(),
    }
}
