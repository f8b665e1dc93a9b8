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
    for line in about(report) {
        page.text(0, 2, &line);
    }
}

/// What was updated, when, seen from where, and the sum of SYNs: a line each.
pub fn about(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(update) = &report.update {
        lines.push(format!("{}: {}", workload(&update.target), revisions(update)));
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
        lines.push(format!("{start}, {end}"));
        lines.extend(manner(update));
        for given_up in &update.superseded {
            let of = revision(&given_up.revision);
            let at = time::offset(&given_up.at);
            lines.push(format!("revision {of} was given up at {at}, before it was complete"));
        }
    } else if let Some(target) = report.source.as_ref().and_then(|s| s.target.as_ref()) {
        lines.push(format!("{}: no update seen", workload(target)));
    }
    if let Some(source) = &report.source {
        let span = source.to.time_ns.saturating_sub(source.from.time_ns);
        lines.push(format!(
            "seen on node {} (kernel {}) for {}, {}",
            name(&source.node),
            name(&source.kernel),
            time::duration(span),
            number(source.records, "record")
        ));
    }
    lines.extend(syns(report));
    lines.extend(super::way_in::line(report));
    lines
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

/// How a StatefulSet or a DaemonSet replaces its pods; a Deployment's way goes without saying.
pub fn manner(update: &Update) -> Option<String> {
    let mut parts = Vec::new();
    let text = crate::present::escape::name;
    if update.strategy == "OnDelete" {
        parts.push("OnDelete: a pod is replaced when somebody deletes it".to_owned());
    }
    parts.extend(update.max_unavailable.as_ref().map(|it| format!("maxUnavailable {}", text(it))));
    parts.extend(update.max_surge.as_ref().map(|it| format!("maxSurge {}", text(it))));
    if update.partition > 0 {
        parts.push(format!(
            "partition {}: the pods of lower ordinals keep their revision",
            update.partition
        ));
    }
    (!parts.is_empty()).then(|| format!("strategy: {}", parts.join(", ")))
}

/// Users' SYNs by class, as a sum.
fn syns(report: &Report) -> Option<String> {
    let counts = &report.verdict.syns;
    // Without a cluster nothing says that it was a pod that it reached.
    let reached = if report.update.is_some() { "to pods" } else { "delivered" };
    let classes = [
        (counts.pod, reached),
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
    let sum = format!("{} of users = {}", number(counts.tried, "SYN"), parts.join(" + "));
    (!parts.is_empty()).then_some(sum)
}

/// Writes the three windows.
pub fn write_windows(page: &mut Page, report: &Report) {
    let Some(windows) = &report.windows else { return };
    page.heading("Windows", &window_note(report));
    for (number, window) in (1..).zip(rows(windows)) {
        row(page, &format!("{number}  {}", window.what), window.span.as_ref(), &window.syns);
    }
    if let Some(note) = elsewhere(windows) {
        page.text(2, 2, &note);
    }
}

/// What the windows leave out: what was before the trace, and what came after the recording's end.
pub fn window_note(report: &Report) -> String {
    let update = report.update.as_ref();
    let early =
        update.is_none_or(|update| update.start.is_none()).then_some("since the trace began");
    let late = update
        .is_none_or(|update| update.end.is_none())
        .then_some("so far: the end of the update was not seen");
    early.into_iter().chain(late).collect::<Vec<_>>().join("; ")
}

/// A window in words.
pub struct WindowRow {
    /// Which.
    pub what: &'static str,
    /// From when to when; `None`: empty.
    pub span: Option<Span>,
    /// Its SYNs.
    pub syns: String,
}

/// The three windows in words, in order.
pub fn rows(windows: &Windows) -> [WindowRow; 3] {
    let Windows { unanswered, both, only_new, .. } = windows;
    let silent = number(unanswered.syns, "SYN");
    let both = match both {
        Both::Overlap { span, syns_to_old, syns_to_new } => {
            let syns = format!("{syns_to_old} old + {syns_to_new} new");
            WindowRow { what: "old and new pods", span: Some(*span), syns }
        }
        Both::Gap { span, syns } => {
            let syns = format!("{} in between", number(*syns, "SYN"));
            WindowRow { what: "gap, old to new", span: Some(*span), syns }
        }
        Both::None => WindowRow { what: "old and new pods", span: None, syns: "0 SYNs".to_owned() },
    };
    let late = number(only_new.syns, "SYN");
    [
        WindowRow { what: "old pods, no answer", span: unanswered.span, syns: silent },
        both,
        WindowRow { what: "new pods only", span: only_new.span, syns: late },
    ]
}

/// What no window counts.
pub fn elsewhere(windows: &Windows) -> Option<String> {
    let syns = number(windows.syns_elsewhere, "more SYN");
    let note = format!(
        "{syns} reached no pod (dropped, without a destination, not sent), or one that is not known"
    );
    (windows.syns_elsewhere > 0).then_some(note)
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
