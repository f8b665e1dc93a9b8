//! Groups of attempts: what they have in common, and examples to lay beside a proxy's log.
//!
//! In: the report's groups. Out: sections, each attempt with an anchor.

use super::evidence::{Anchors, GROUPS, attempt_anchor};
use super::section;
use crate::analyse::report::Report;
use crate::analyse::report::attempt::Attempt;
use crate::analyse::report::verdict::Group;
use crate::present::markup::Markup;
use crate::present::text::group::{from_and_to, head, runs, source};
use crate::present::text::number;
use crate::present::time;

/// Groups of a section that are listed by their heads.
const LISTED: usize = 200;
/// What became of an attempt's SYNs: so many changes are shown.
const CHANGES: usize = 12;

/// Writes users' failed and slowed attempts.
pub fn write(page: &mut Markup, report: &Report, anchors: &Anchors) {
    let verdict = &report.verdict;
    let of = number(verdict.attempts, "attempt");
    let sections = [
        ("failed", "Failed", verdict.failed, &report.failures),
        ("slowed", "Slowed", verdict.slowed, &report.slowed),
    ];
    for (id, title, count, groups) in sections {
        if groups.is_empty() {
            continue;
        }
        section::open(page, id, title, &format!("{count} of {of}"));
        for (index, group) in groups.iter().enumerate().take(LISTED) {
            page.open("article", &[("class", id)]);
            page.leaf("h3", &[], &head(group));
            if index < GROUPS {
                page.leaf("p", &[("class", "dim")], &from_and_to(report, group));
                examples(page, report, group, anchors);
            }
            page.close();
            page.line();
        }
        more(page, groups.len(), LISTED, "group");
        section::close(page);
    }
}

/// Writes attempts that a cause cites and that are in no group above.
pub fn write_cited(page: &mut Markup, report: &Report, anchors: &Anchors) {
    if anchors.apart().is_empty() {
        return;
    }
    section::open(page, "cited", "Other connections that a cause cites", "");
    page.open("ul", &[("class", "attempts")]);
    for position in anchors.apart() {
        if let Some(attempt) = report.attempts.get(*position) {
            self::attempt(page, *position, attempt);
        }
    }
    page.close();
    section::close(page);
}

/// Writes what is kept apart: the baseline, probes, and clients that are not known.
pub fn write_apart(page: &mut Markup, report: &Report) {
    let verdict = &report.verdict;
    let baseline = format!(
        "{}, {} failed, {} slowed",
        number(verdict.baseline_attempts, "attempt"),
        verdict.baseline_failed,
        verdict.baseline_slowed
    );
    let probes = format!("not counted: {}, {} failed", verdict.probes, verdict.probes_failed);
    let unclear = format!("not counted: {}, {} failed", verdict.unclear, verdict.unclear_failed);
    for (count, id, title, note, groups) in [
        (verdict.baseline_attempts, "baseline", "Before the update", baseline, &report.baseline),
        (verdict.probes, "probes", "kubelet's probes", probes, &report.probes),
        (
            verdict.unclear,
            "unclear",
            "Clients not known (users' or probes)",
            unclear,
            &report.unclear,
        ),
    ] {
        if count == 0 {
            continue;
        }
        section::open(page, id, title, &note);
        page.open("ul", &[]);
        for group in groups.iter().take(LISTED) {
            page.leaf("li", &[], &head(group));
        }
        page.close();
        more(page, groups.len(), LISTED, "group");
        section::close(page);
    }
}

fn examples(page: &mut Markup, report: &Report, group: &Group, anchors: &Anchors) {
    let shown = || group.attempts.iter().filter(|position| anchors.shows(**position));
    page.open("details", &[]);
    let all = number(group.attempts.len() as u64, "attempt");
    let summary = match shown().count() {
        n if n < group.attempts.len() => format!("{n} of {all}"),
        _ => all,
    };
    page.leaf("summary", &[], &summary);
    page.open("ul", &[("class", "attempts")]);
    for position in shown() {
        if let Some(attempt) = report.attempts.get(*position) {
            self::attempt(page, *position, attempt);
        }
    }
    page.close();
    page.close();
}

/// One attempt: client, time, offset, SYNs, latency; and what became of each SYN.
fn attempt(page: &mut Markup, position: usize, attempt: &Attempt) {
    page.open("li", &[("id", &attempt_anchor(position))]);
    page.leaf("code", &[], &source(attempt));
    page.leaf("span", &[("class", "num dim")], &time::absolute(&attempt.begun));
    if attempt.begun.offset_ns.is_some() {
        page.leaf("span", &[("class", "num")], &time::offset(&attempt.begun));
    }
    page.leaf("span", &[], &number(attempt.syns.len() as u64, "SYN"));
    let took = attempt.latency_ns.map_or_else(|| "-".to_owned(), time::duration);
    page.leaf("span", &[("class", "num")], &took);
    let runs = runs(&attempt.syns);
    page.open("ol", &[("class", "syns")]);
    for (what, first, last, count) in runs.iter().take(CHANGES) {
        let from = time::offset(&first.at);
        page.leaf(
            "li",
            &[],
            &match count {
                1 => format!("{from}  {what}"),
                n => format!("{from} … {}  {n} × {what}", time::offset(&last.at)),
            },
        );
    }
    page.close();
    more(page, runs.len(), CHANGES, "change");
    page.close();
    page.line();
}

fn more(page: &mut Markup, all: usize, shown: usize, noun: &str) {
    if all > shown {
        let rest = number((all - shown) as u64, &format!("more {noun}"));
        page.leaf("p", &[("class", "dim")], &format!("{rest}: -o json"));
    }
}
