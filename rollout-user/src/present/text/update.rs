//! The update and its windows.
//!
//! In: `update`, `windows`, `source`, `verdict`. Out: the head of the page and the table of windows.

use super::page::{Page, left};
use super::words::{number, revision};
use crate::analyse::report::Report;
use crate::analyse::report::update::{Both, Span, Update, Windows};
use crate::present::escape::name;
use crate::present::time;
use crate::record::meta::Target;

/// Writes what was updated, when, and seen from where.
pub fn write(page: &mut Page, report: &Report) {
    page.line("");
    if let Some(update) = &report.update {
        page.text(0, 2, &format!("{}: {}", workload(&update.target), revisions(update)));
        let start = match &update.start {
            Some(start) => format!("started {}", time::absolute(start)),
            None => "started before the trace".to_owned(),
        };
        let end = match (&update.start, &update.end) {
            (Some(start), Some(end)) => {
                format!("took {}", time::duration(end.time_ns.saturating_sub(start.time_ns)))
            }
            (None, Some(end)) => format!("ended {}", time::absolute(end)),
            (_, None) => "its end was not seen".to_owned(),
        };
        page.text(0, 2, &format!("{start}, {end}"));
        for given_up in &update.superseded {
            let of = revision(&given_up.revision);
            let at = time::offset(&given_up.at);
            page.text(0, 2, &format!("revision {of} was given up at {at}, before it was complete"));
        }
    } else if let Some(target) = report.source.as_ref().and_then(|s| s.target.as_ref()) {
        page.text(0, 2, &format!("{}: no update seen", workload(target)));
    }
    if let Some(source) = &report.source {
        let span = source.to.time_ns.saturating_sub(source.from.time_ns);
        let seen = format!(
            "seen on node {} (kernel {}) for {}, {}",
            name(&source.node),
            name(&source.kernel),
            time::duration(span),
            number(source.records, "record")
        );
        page.text(0, 2, &seen);
    }
    syns(page, report);
}

/// A workload: `Deployment shop/web`.
pub fn workload(target: &Target) -> String {
    format!("{} {}/{}", name(&target.kind), name(&target.namespace), name(&target.name))
}

/// Revisions of an update: `revision 1 (…) → 2 (…)`.
pub fn revisions(update: &Update) -> String {
    let from: Vec<String> = update.from.iter().map(revision).collect();
    let from = if from.is_empty() { "?".to_owned() } else { from.join(", ") };
    format!("revision {from} → {}", revision(&update.to))
}

/// Users' SYNs by class, as a sum.
fn syns(page: &mut Page, report: &Report) {
    let counts = &report.verdict.syns;
    let classes = [
        (counts.pod, "to pods"),
        (counts.dropped_in_ipvs, "dropped in IPVS"),
        (counts.no_destination, "without a destination"),
        (counts.not_sent, "not sent"),
        (counts.undelivered, "dropped elsewhere"),
        (counts.unknown, "not known"),
    ];
    let parts: Vec<String> = classes
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, class)| format!("{count} {class}"))
        .collect();
    if !parts.is_empty() {
        let sum = format!("{} of users = {}", number(counts.tried, "SYN"), parts.join(" + "));
        page.text(0, 2, &sum);
    }
}

/// Writes the three windows.
pub fn write_windows(page: &mut Page, report: &Report) {
    let Some(windows) = &report.windows else { return };
    let since = match report.update.as_ref().and_then(|update| update.start) {
        Some(_) => "",
        None => "since the trace began",
    };
    page.heading("Windows", since);
    let Windows { unanswered, both, only_new, .. } = windows;
    let silent = number(unanswered.syns, "SYN");
    row(page, "1  old pods, no answer", unanswered.span.as_ref(), &silent);
    match both {
        Both::Overlap { span, syns_to_old, syns_to_new } => {
            let syns = format!("{syns_to_old} old + {syns_to_new} new");
            row(page, "2  old and new pods", Some(span), &syns);
        }
        Both::Gap { span, syns } => {
            let syns = format!("{} in between", number(*syns, "SYN"));
            row(page, "2  gap, old to new", Some(span), &syns);
        }
        Both::None => row(page, "2  old and new pods", None, "0 SYNs"),
    }
    let late = number(only_new.syns, "SYN");
    row(page, "3  new pods only", only_new.span.as_ref(), &late);
    if windows.syns_elsewhere > 0 {
        let syns = number(windows.syns_elsewhere, "more SYN");
        page.text(2, 2, &format!("{syns} reached no pod, or one that is not known"));
    }
}

fn row(page: &mut Page, what: &str, span: Option<&Span>, syns: &str) {
    let what = left(what, 23);
    let line = match span {
        Some(span) => {
            let range = format!("{} … {}", time::offset(&span.from), time::offset(&span.to));
            let took = left(&time::duration(span.duration_ns), 9);
            format!("  {what}{took} {} {syns}", left(&range, 22))
        }
        None => format!("  {what}{} {syns}", page.paint.dim("none,")),
    };
    page.line(line);
}
