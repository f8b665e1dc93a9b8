//! Groups of attempts with examples that can be laid beside a proxy's log: client address and port, time, latency.
//!
//! In: the report's groups. Out: a block for each.

use super::page::{Page, left, right, together};
use super::words::{number, outcome, place, pod_name, syn};
use crate::analyse::report::Report;
use crate::analyse::report::attempt::{Attempt, Syn};
use crate::analyse::report::verdict::Group;
use crate::attribute::tag::HostClient;
use crate::present::escape::{name, plain};
use crate::present::time;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Examples of each group, without `--all`.
const EXAMPLES: usize = 5;
/// Groups of a section that get examples, without `--all`; the smaller ones are listed by their heads.
const DETAILED: usize = 12;
/// Groups of a section that are listed at all, without `--all`.
const LISTED: usize = 40;

/// Writes users' failed and slowed attempts.
pub fn write_all(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    let of = number(verdict.attempts, "attempt");
    section(page, report, "Failed", &format!("{} of {of}", verdict.failed), &report.failures);
    section(page, report, "Slowed", &format!("{} of {of}", verdict.slowed), &report.slowed);
}

/// Writes what is kept apart: the baseline, probes, and clients that are not known.
pub fn write_apart(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    if verdict.baseline_attempts > 0 {
        let note = format!(
            "{}, {} failed, {} slowed",
            number(verdict.baseline_attempts, "attempt"),
            verdict.baseline_failed,
            verdict.baseline_slowed
        );
        page.heading("Before the update", &note);
        heads(page, &report.baseline);
    }
    if verdict.probes > 0 {
        let note = format!("not counted: {}, {} failed", verdict.probes, verdict.probes_failed);
        page.heading("kubelet's probes", &note);
        heads(page, &report.probes);
    }
    if verdict.unclear > 0 {
        let failed = verdict.unclear_failed;
        let note = format!("not counted: {}, {failed} failed", verdict.unclear);
        page.heading("Clients not known (users' or probes)", &note);
        heads(page, &report.unclear);
    }
}

fn heads(page: &mut Page, groups: &[Group]) {
    let shown = if page.all { groups.len() } else { LISTED };
    for group in groups.iter().take(shown) {
        page.text(2, 4, &head(group));
    }
    more(page, groups.len(), shown, "group");
}

fn section(page: &mut Page, report: &Report, title: &str, note: &str, groups: &[Group]) {
    if groups.is_empty() {
        return;
    }
    page.heading(title, note);
    let shown = if page.all { groups.len() } else { LISTED };
    for (index, group) in groups.iter().enumerate().take(shown) {
        page.text(2, 4, &head(group));
        if page.all || index < DETAILED {
            clients(page, report, group);
            examples(page, report, group);
        }
    }
    more(page, groups.len(), shown, "group");
}

fn more(page: &mut Page, all: usize, shown: usize, noun: &str) {
    if all > shown {
        let rest = number((all - shown) as u64, &format!("more {noun}"));
        let line = page.paint.dim(&format!("{rest}: --all, or -o json"));
        page.line(format!("    {line}"));
    }
}

/// What a group has in common: how many, what came of them, where, when.
pub fn head(group: &Group) -> String {
    let when = if group.from.time_ns == group.to.time_ns {
        format!("at {}", time::offset(&group.from))
    } else {
        format!("{} … {}", time::offset(&group.from), time::offset(&group.to))
    };
    let when = together(&when);
    format!("{} × {}: {}; {when}", group.count, outcome(group.outcome), place(group))
}

/// Whose they were and what they dialled, most frequent first.
fn clients(page: &mut Page, report: &Report, group: &Group) {
    page.text(6, 2, &from_and_to(report, group));
}

/// `from … to …`, most frequent first.
pub fn from_and_to(report: &Report, group: &Group) -> String {
    let attempts: Vec<&Attempt> = members(report, group).collect();
    let from = tally(attempts.iter().map(|attempt| client(attempt)));
    let to = tally(attempts.iter().map(|attempt| dialled(attempt)));
    format!("from {} to {}", several(&from), several(&to))
}

/// Whose connect it was.
pub fn client(attempt: &Attempt) -> String {
    let tag = &attempt.client.tag;
    match (&tag.pod, tag.host) {
        (Some(pod), _) => pod_name(pod),
        (None, Some(HostClient::Kubelet)) => "kubelet".to_owned(),
        (None, Some(HostClient::Host)) => {
            format!("{} on the node", plain(&attempt.client.comm, 15))
        }
        (None, None) if attempt.client.comm.is_empty() => "a client not known".to_owned(),
        (None, None) => plain(&attempt.client.comm, 15),
    }
}

/// What was dialled.
pub fn dialled(attempt: &Attempt) -> String {
    match attempt.service.as_ref().filter(|service| !service.name.is_empty()) {
        Some(service) => {
            let (namespace, of) = (name(&service.namespace), name(&service.name));
            format!("Service {namespace}/{of} ({})", attempt.destination)
        }
        None => attempt.destination.to_string(),
    }
}

fn tally(names: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn several(names: &[(String, usize)]) -> String {
    let shown: Vec<String> = match names {
        [(only, _)] => vec![only.clone()],
        _ => names.iter().take(3).map(|(name, count)| format!("{name} ×{count}")).collect(),
    };
    let rest = names.len().saturating_sub(3);
    let rest = if rest > 0 { format!(" and {rest} others") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn examples(page: &mut Page, report: &Report, group: &Group) {
    let shown = if page.all { group.attempts.len() } else { EXAMPLES };
    for attempt in members(report, group).take(shown) {
        example(page, attempt);
    }
    more(page, group.attempts.len(), shown, "attempt");
}

/// One attempt: client, time, offset, SYNs, latency; and, where it had several SYNs, what became of each.
fn example(page: &mut Page, attempt: &Attempt) {
    let client = source(attempt);
    let begun = &attempt.begun;
    let when = match begun.offset_ns {
        Some(_) => format!("{} {}", time::absolute(begun), right(&time::offset(begun), 11)),
        None => time::absolute(begun),
    };
    let syns = match attempt.syns.len() {
        1 => "1 SYN".to_owned(),
        n => format!("{n} SYNs"),
    };
    let took = attempt.latency_ns.map_or_else(|| "-".to_owned(), time::duration);
    if client.chars().count() > 21 {
        page.line(format!("      {client}"));
        page.line(format!("      {} {when} {syns} {}", " ".repeat(21), right(&took, 7)));
    } else {
        page.line(format!("      {} {when} {syns} {}", left(&client, 21), right(&took, 7)));
    }
    if attempt.syns.len() > 1 {
        let runs = runs(&attempt.syns);
        let limit = if page.all { runs.len() } else { 8 };
        for (what, first, last, count) in runs.iter().take(limit) {
            let from = right(&time::offset(&first.at), 11);
            let row = match count {
                1 => format!("{from}  {what}"),
                n => format!("{from} … {}  {n} × {what}", time::offset(&last.at)),
            };
            page.text(8, 4, &row);
        }
        more(page, runs.len(), limit, "change");
    }
}

/// SYNs in a row of which the same became: the words, the first, the last, how many.
pub fn runs(syns: &[Syn]) -> Vec<(String, &Syn, &Syn, usize)> {
    let mut runs: Vec<(String, &Syn, &Syn, usize)> = Vec::new();
    for one in syns {
        let what = syn(one);
        match runs.last_mut().filter(|run| run.0 == what) {
            Some(run) => (run.2, run.3) = (one, run.3 + 1),
            None => runs.push((what, one, one, 1)),
        }
    }
    runs
}

/// The client's address and port, as a proxy's log has them.
pub fn source(attempt: &Attempt) -> String {
    match (attempt.client.address, attempt.client.port) {
        (Some(address), Some(port)) => SocketAddr::new(address, port).to_string(),
        (Some(address), None) => format!("{address}:?"),
        (None, Some(port)) => format!("?:{port}"),
        (None, None) => "?".to_owned(),
    }
}

/// The attempts of a group.
pub fn members<'a>(report: &'a Report, group: &'a Group) -> impl Iterator<Item = &'a Attempt> {
    group.attempts.iter().filter_map(|position| report.attempts.get(*position))
}
