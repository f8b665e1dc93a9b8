//! Each pod's life: in full for a few pods, as a table for many.
//!
//! In: the report's rows. Out: one block a pod, or one line a pod.

use super::page::{Page, left, right};
use super::words::{number, pod_name, role};
use crate::analyse::report::Report;
use crate::analyse::report::attempt::Role;
use crate::analyse::report::pod::{Cell, PodRow, Step};
use crate::present::escape::{name, plain};
use crate::present::time;
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many pods are shown in full.
const IN_FULL: usize = 4;

/// Steps of the table, with their heads, for pods that go and for pods that come.
const GOING: [(Step, &str); 7] = [
    (Step::DeletionSeen, "deleted"),
    (Step::StopSignal, "signal"),
    (Step::ListenerClosed, "closed"),
    (Step::OutOfSlice, "unslice"),
    (Step::Unprogrammed, "unprog"),
    (Step::LastSyn, "lastSYN"),
    (Step::Gone, "gone"),
];
const COMING: [(Step, &str); 7] = [
    (Step::Created, "created"),
    (Step::IpAssigned, "IP"),
    (Step::ListenerOpen, "listens"),
    (Step::Ready, "ready"),
    (Step::InSlice, "inslice"),
    (Step::Programmed, "program"),
    (Step::FirstSyn, "1st SYN"),
];

/// Writes the pods.
pub fn write(page: &mut Page, report: &Report) {
    if report.pods.is_empty() {
        return;
    }
    let pods = number(report.pods.len() as u64, "pod");
    if page.all || report.pods.len() <= IN_FULL {
        page.heading(
            "Pods",
            &format!("{pods}; -t: it may have happened up to t before it was seen"),
        );
        report.pods.iter().for_each(|row| in_full(page, row));
        return;
    }
    page.heading(
        "Pods",
        &format!("{pods}; seconds since the update's start; --all for each in full"),
    );
    let (old, new): (Vec<&PodRow>, Vec<&PodRow>) =
        report.pods.iter().partition(|row| row.role != Some(Role::New));
    table(page, "old", &old, &GOING);
    table(page, "new", &new, &COMING);
    let hit: BTreeSet<&str> = report
        .failures
        .iter()
        .chain(&report.slowed)
        .filter_map(|group| group.pod.as_ref().map(|pod| pod.uid.as_str()))
        .take(IN_FULL)
        .collect();
    let hit: Vec<&PodRow> =
        report.pods.iter().filter(|row| hit.contains(row.pod.uid.as_str())).collect();
    if !hit.is_empty() {
        page.heading("Pods with most failures, in full", "");
        hit.into_iter().for_each(|row| in_full(page, row));
    }
}

fn table(page: &mut Page, side: &str, rows: &[&PodRow], steps: &[(Step, &str); 7]) {
    if rows.is_empty() {
        return;
    }
    let title = format!("  {}", left(&format!("{side} ({})", rows.len()), 20));
    let heads: String = steps.iter().map(|(_, head)| right(head, 8)).collect();
    let line = page.paint.dim(&format!("{title}{heads}"));
    page.line(line);
    for row in rows {
        let cells: String = steps.iter().map(|(step, _)| right(&short(row, *step), 8)).collect();
        page.line(format!("  {}{cells}", left(&tail(&pod_name(&row.pod)), 20)));
    }
    page.line(page.paint.dim("  - not yet   < before the trace   ? not seen"));
    for (why, pods) in unseen(rows, steps) {
        let line = format!("  ? of {}: not seen: {}", number(pods, "pod"), plain(why, 40));
        page.line(page.paint.dim(&line));
    }
}

/// Why cells of the table are not seen, and of how many pods.
fn unseen<'a>(rows: &[&'a PodRow], steps: &[(Step, &str); 7]) -> BTreeMap<&'a str, u64> {
    let mut whys: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        let shown = row.steps.iter().filter(|at| steps.iter().any(|(step, _)| *step == at.step));
        let of_row: BTreeSet<&str> = shown
            .filter_map(|at| match &at.cell {
                Cell::NotSeen { why } => Some(why.as_str()),
                _ => None,
            })
            .collect();
        of_row.into_iter().for_each(|why| *whys.entry(why).or_default() += 1);
    }
    whys
}

/// The end of a long name tells pods of one workload apart.
fn tail(name: &str) -> String {
    let length = name.chars().count();
    if length <= 20 {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - 19).collect();
    format!("…{end}")
}

/// A cell of the table.
fn short(row: &PodRow, step: Step) -> String {
    match row.steps.iter().find(|at| at.step == step).map(|at| &at.cell) {
        Some(Cell::At { at, .. }) => match at.offset_ns {
            // Whole milliseconds, eight columns for updates of up to an hour.
            Some(ns) => {
                let ms = ns.div_euclid(1_000_000);
                if ms.abs() < 1_000_000 {
                    format!("{}{}.{:03}", sign(ms), ms.abs() / 1000, ms.abs() % 1000)
                } else {
                    format!("{}{}", sign(ms), ms.abs() / 1000)
                }
            }
            None => "*".to_owned(),
        },
        Some(Cell::Before) => "<".to_owned(),
        Some(Cell::NotYet) | None => "-".to_owned(),
        Some(Cell::NotSeen { .. }) => "?".to_owned(),
    }
}

fn sign(ms: i64) -> &'static str {
    if ms < 0 { "-" } else { "" }
}

/// One pod with all its steps. Steps before the trace and steps that did not come are gathered.
fn in_full(page: &mut Page, row: &PodRow) {
    page.line(format!("  {}", page.paint.bold(&pod_name(&row.pod))));
    page.text(4, 2, &about(row));
    let with = |wanted: &Cell| {
        let same = row.steps.iter().filter(|at| at.cell == *wanted).map(|at| word(at.step));
        same.collect::<Vec<_>>().join(", ")
    };
    let before = with(&Cell::Before);
    if !before.is_empty() {
        page.text(4, 2, &format!("before the trace: {before}"));
    }
    for at in &row.steps {
        match &at.cell {
            Cell::At { at: moment, not_before_ns, detail, .. } => {
                let offset = moment.offset_ns.map(|_| right(&time::offset(moment), 11));
                let when = format!("{}{}", time::absolute(moment), offset.unwrap_or_default());
                let spread = not_before_ns.map(|from| moment.time_ns.saturating_sub(from));
                let note = [plain(detail, 24), uncertainty(spread)];
                let note: Vec<&str> =
                    note.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
                let line = format!("    {} {when}  {}", left(word(at.step), 15), note.join(" "));
                page.line(line);
            }
            Cell::NotSeen { why } => {
                let why = format!("not seen: {}", plain(why, 40));
                page.line(format!("    {} {}", left(word(at.step), 15), page.paint.dim(&why)));
            }
            Cell::Before | Cell::NotYet => {}
        }
    }
    let not_yet = with(&Cell::NotYet);
    if !not_yet.is_empty() {
        page.text(4, 2, &format!("not until the end: {not_yet}"));
    }
}

/// Side, addresses, node and SYNs of a pod.
pub fn about(row: &PodRow) -> String {
    let mut about = Vec::new();
    about.extend(row.role.map(|side| role(side).to_owned()));
    about.extend(row.ips.iter().map(ToString::to_string));
    about.extend(row.pod.node.as_ref().map(|node| format!("node {}", name(node))));
    let traffic = match row.unanswered {
        0 => number(row.syns, "SYN"),
        silent => format!("{}, {silent} unanswered", number(row.syns, "SYN")),
    };
    about.push(traffic);
    about.join(", ")
}

/// How much earlier than it was seen something may have happened.
pub fn uncertainty(spread_ns: Option<u64>) -> String {
    match spread_ns {
        Some(ns) if ns >= 1_000_000 => format!("-{}", time::duration(ns)),
        _ => String::new(),
    }
}

/// A step in words.
pub fn word(step: Step) -> &'static str {
    match step {
        Step::Created => "created",
        Step::IpAssigned => "IP assigned",
        Step::ListenerOpen => "listener open",
        Step::Ready => "ready",
        Step::InSlice => "in slice",
        Step::Programmed => "programmed",
        Step::FirstSyn => "first SYN",
        Step::DeletionSeen => "deletion seen",
        Step::StopSignal => "stop signal",
        Step::ListenerClosed => "listener closed",
        Step::OutOfSlice => "out of slice",
        Step::Unprogrammed => "unprogrammed",
        Step::LastSyn => "last SYN",
        Step::Exit => "exit begins",
        Step::Gone => "gone",
    }
}
