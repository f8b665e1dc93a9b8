//! Line 1: the verdict in one sentence.
//!
//! In: the verdict and its groups. Out: how many of how many attempts failed or were slowed, over which window, sent to
//! which pod in which state.

use super::page::Page;
use super::words::{number, place, pod_name};
use crate::analyse::report::Report;
use crate::analyse::report::cause::{Cause, CauseName, Surety};
use crate::analyse::report::verdict::{Doubt, Finding, Group};
use crate::present::cause::{escaped, leading, surety, title};
use crate::present::time;
use std::collections::BTreeMap;

/// Writes the first line.
pub fn write(page: &mut Page, report: &Report) {
    let sentence = sentence(report);
    let painted = match report.verdict.result {
        Finding::Clean => page.paint.green(&sentence),
        Finding::Failures => page.paint.red(&sentence),
        Finding::Inconclusive => page.paint.yellow(&sentence),
    };
    page.line(painted);
}

/// The sentence, plain.
pub fn sentence(report: &Report) -> String {
    let verdict = &report.verdict;
    match verdict.result {
        Finding::Failures => failures(report),
        Finding::Clean => {
            let old = report.update.as_ref().map_or(0, |update| update.replicas);
            let pods = number(u64::try_from(old).unwrap_or(0), "pod");
            let all = number(verdict.attempts, "attempt");
            let so_far = match verdict.in_progress {
                0 => String::new(),
                n => format!(", {n} of them still in progress at the end"),
            };
            format!("No failure: {all} during the update of {pods}, none failed or slowed{so_far}.")
        }
        Finding::Inconclusive => {
            let all = number(verdict.attempts, "attempt");
            let first = verdict.doubts.iter().find(|doubt| **doubt != Doubt::NoTraffic);
            let reason = first.or(verdict.doubts.first()).map(super::limits::doubt);
            let more = match verdict.doubts.len() {
                0 | 1 => String::new(),
                n => format!(" (and {})", number(n as u64 - 1, "more reason")),
            };
            let reason = reason.unwrap_or_default();
            format!("Inconclusive: {all} and no failure seen, but {reason}{more}.")
        }
    }
}

fn failures(report: &Report) -> String {
    let verdict = &report.verdict;
    let mut what = Vec::new();
    if verdict.failed > 0 {
        let reset = match verdict.reset_afterwards {
            0 => String::new(),
            n if n == verdict.failed => ", reset after they were established,".to_owned(),
            n => format!(" ({n} reset after they were established)"),
        };
        what.push(format!("failed{reset}"));
    }
    if verdict.slowed > 0 {
        let were = if verdict.slowed == 1 { "was" } else { "were" };
        what.push(match verdict.failed {
            0 => format!("{were} slowed"),
            _ => format!("{} {were} slowed", verdict.slowed),
        });
    }
    let counted = if verdict.failed > 0 { verdict.failed } else { verdict.slowed };
    let all = number(verdict.attempts, "attempt");
    let window = match (&verdict.from, &verdict.to) {
        (Some(from), Some(to)) if from.time_ns < to.time_ns => {
            format!(" over {}", time::duration(to.time_ns - from.time_ns))
        }
        _ => String::new(),
    };
    let counts = format!("{counted} of {all} {}{window}", what.join(" and "));
    match leading(&report.causes) {
        Some((first, behind)) => format!("{counts}: {}.", because(report, first, behind)),
        None => format!("{counts}{}.", whereto(report)),
    }
}

/// The dearest cause, what stands behind it, and what to do.
fn because(report: &Report, first: &Cause, behind: Option<&Cause>) -> String {
    let sure = match first.surety {
        Surety::Proven => String::new(),
        other => format!(" ({})", surety(other)),
    };
    let mut text = format!("{}{sure}", title(first.name));
    match first.pods.as_slice() {
        [] => {}
        [only] => text.push_str(&format!(", {}", pod_name(only))),
        pods => text.push_str(&format!(", {} pods", pods.len())),
    }
    let rest = report.causes.iter().filter(|cause| !cause.name.is_behind()).count() - 1;
    if rest > 0 {
        text.push_str(&format!(" (and {})", number(rest as u64, "other cause")));
    }
    if let Some(behind) = behind.filter(|cause| cause.name != CauseName::PreStopTooShort) {
        text.push_str(&format!("; {}", title(behind.name)));
    }
    let covered = report.causes.iter().find(|cause| {
        cause.name == CauseName::PreStopTooShort && cause.leads_to.contains(&first.name)
    });
    match (covered, &report.pre_stop, &first.remedy) {
        (Some(_), Some(found), _) => {
            text.push_str(&format!(
                "; a preStop sleep of {} s would have covered it",
                found.seconds
            ));
        }
        (_, _, Some(remedy)) => text.push_str(&format!("; {}", escaped(&remedy.text))),
        _ => {}
    }
    text
}

/// The end of the sentence: the place with most of them, and how many places there are besides.
fn whereto(report: &Report) -> String {
    let mut places: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for group in report.failures.iter().chain(&report.slowed) {
        let entry = places.entry(place(group)).or_default();
        entry.0 += group.count;
        entry.1 = has_target(group);
    }
    let most = places.iter().max_by(|a, b| a.1.0.cmp(&b.1.0).then_with(|| b.0.cmp(a.0)));
    let Some((place, (count, sent))) = most else { return String::new() };
    match (places.len(), *sent) {
        (1, true) => format!(", sent to {place}"),
        (1, false) => format!(": {place}"),
        (n, sent) => {
            let to = if sent { "sent to " } else { "" };
            let others = number(n as u64 - 1, "other place");
            format!(", most ({count}) {to}{place}, the rest in {others}")
        }
    }
}

fn has_target(group: &Group) -> bool {
    use crate::analyse::report::attempt::SynClass;
    group.class == Some(SynClass::Pod)
}
