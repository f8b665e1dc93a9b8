//! What could not be seen: doubts, losses, gaps, blind spots, the data path.
//!
//! In: the report's statements about itself. Out: a block that is there even when there is nothing to say.

use super::page::Page;
use super::words::number;
use crate::analyse::report::verdict::{Doubt, Finding};
use crate::analyse::report::{ClockLine, Moment, Report};
use crate::present::escape::{name, plain};
use crate::present::time;
use crate::record::meta::{DataPath, LeftOut, Stage};

/// Lines of one kind, without `--all`.
const LISTED: usize = 10;

/// Writes why the verdict is not certain.
pub fn write_doubts(page: &mut Page, report: &Report) {
    let doubts = &report.verdict.doubts;
    if doubts.is_empty() {
        return;
    }
    page.heading(doubts_title(report), "");
    for reason in doubts {
        page.text(2, 2, &doubt(reason));
    }
}

/// What the doubts are about.
pub fn doubts_title(report: &Report) -> &'static str {
    match report.verdict.result {
        Finding::Failures => "There may be more than was seen",
        Finding::Inconclusive | Finding::Clean => "Why this is inconclusive",
    }
}

/// A doubt in words.
pub fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::NoTarget => "no workload was watched".to_owned(),
        Doubt::NoUpdate => "no update was seen".to_owned(),
        Doubt::CameInTheMiddle => "the update was under way when the trace began".to_owned(),
        Doubt::NeverInSync => "probes and watches were never in sync".to_owned(),
        Doubt::NotInSyncAtStart => {
            "the update began before probes and watches were in sync".to_owned()
        }
        Doubt::CutShort { reason } => format!("the trace was cut short ({})", plain(reason, 60)),
        Doubt::NoEnd => "the recording has no regular end".to_owned(),
        Doubt::Incomplete => "the end of the update was not seen".to_owned(),
        Doubt::Paused => "the workload is paused".to_owned(),
        Doubt::Superseded => "another change came before the update was complete".to_owned(),
        Doubt::NoTraffic => "no user's attempt was seen during the update".to_owned(),
        Doubt::BackendUnknown { syns } => {
            let syns = number(*syns, "SYN");
            format!("where {syns} went is not known")
        }
        Doubt::OutcomeUnknown { attempts } => {
            format!("what came of {} was not seen", number(*attempts, "attempt"))
        }
        Doubt::Lost { events: 0, .. } => {
            "an unknown number of events was lost during the update".to_owned()
        }
        Doubt::Lost { events, uncounted } => {
            let were = if *events == 1 { "was" } else { "were" };
            let more = if *uncounted > 0 { ", and more that nobody counted" } else { "" };
            format!("{} {were} lost during the update{more}", number(*events, "event"))
        }
        Doubt::WatchCut { gaps } => {
            format!("a watch was cut {} during the update", number(*gaps, "time"))
        }
        Doubt::Blind { fact } => format!("`{}` could not be seen", name(fact)),
        Doubt::HooksUnknown => "which hooks were attached was not recorded".to_owned(),
        Doubt::DataPathNotCovered => "the node's data path is not covered".to_owned(),
        Doubt::ClientsElsewhere { choices } => {
            format!("{} came from clients that are not seen here", number(*choices, "connection"))
        }
        Doubt::UnclearClients { attempts } => {
            let attempts = number(*attempts, "attempt");
            format!("{attempts} failed or slowed may be users' or kubelet's")
        }
    }
}

/// Writes losses, gaps and blind spots.
pub fn write(page: &mut Page, report: &Report) {
    page.heading("What could not be seen", "");
    let limit = if page.all { usize::MAX } else { LISTED };
    for statement in statements(report, limit) {
        match statement {
            Statement::One(text) => page.text(2, 2, &text),
            Statement::More(count) => page.text(4, 2, &format!("{count} more: --all, or -o json")),
        }
    }
}

/// One line of what could not be seen.
pub enum Statement {
    /// In words.
    One(String),
    /// So many more of the kind before it.
    More(usize),
}

/// Losses, gaps and blind spots, at most `limit` of a kind.
pub fn statements(report: &Report, limit: usize) -> Vec<Statement> {
    let mut said = Vec::new();
    if report.losses.is_empty() {
        said.push(Statement::One("no event was lost".to_owned()));
    }
    for loss in report.losses.iter().take(limit) {
        let count = match loss.count {
            0 => "an unknown number of events".to_owned(),
            n => number(n, "event"),
        };
        let by = match loss.program.as_str() {
            "" => String::new(),
            program => format!(" ({})", name(program)),
        };
        let range = range(&loss.from, Some(&loss.to));
        let when = relevance(loss.overlaps_update);
        let stage = stage(loss.stage);
        said.push(Statement::One(format!("lost: {count} {stage}{by}, {range}{when}")));
    }
    rest(&mut said, report.losses.len(), limit);
    for gap in report.watch_gaps.iter().take(limit) {
        let scope = match gap.scope.as_str() {
            "" => String::new(),
            scope => format!(" of {}", name(scope)),
        };
        let reason = gap.reason.as_ref().map(|r| format!(": {}", plain(r, 120)));
        let text = format!(
            "watch of {}{scope} cut, {}{}{}",
            name(&gap.resource),
            range(&gap.from, gap.to.as_ref()),
            relevance(gap.overlaps_update),
            reason.unwrap_or_default()
        );
        said.push(Statement::One(text));
    }
    rest(&mut said, report.watch_gaps.len(), limit);
    for spot in &report.blind_spots {
        let instead = match &spot.attached {
            Some(hook) => format!(" (by {})", plain(hook, 60)),
            None => String::new(),
        };
        let (fact, blind) = (name(&spot.fact), plain(&spot.blind, 160));
        said.push(Statement::One(format!("{fact}{instead}: {blind}")));
    }
    said.extend(unmatched(report).map(Statement::One));
    said.extend(report.clock.iter().flat_map(clock).map(Statement::One));
    let path = match &report.data_path {
        Some(line) => format!("{} ({})", data_path(line.path), plain(&line.evidence, 120)),
        None => "not recorded".to_owned(),
    };
    said.push(Statement::One(format!("data path: {path}")));
    if let Some(source) = &report.source {
        said.extend(left_out(&source.left_out).map(Statement::One));
    }
    if report.verdict.out_of_scope > 0 {
        let others = number(report.verdict.out_of_scope, "attempt");
        said.push(Statement::One(format!("left out: {others} at other destinations")));
    }
    said
}

fn left_out(what: &LeftOut) -> impl Iterator<Item = String> {
    let of_pods = what.namespaces.iter().map(|n| format!("pods of namespace {}", name(n)));
    let inside = what.netns.iter().map(|path| format!("network namespace {}", plain(path, 120)));
    of_pods
        .chain(inside)
        .map(|whose| format!("left out by the user's wish: connections of {whose}"))
}

fn clock(line: &ClockLine) -> Vec<String> {
    let error = time::duration(line.error_ns);
    let mut said = vec![format!("times of day: within {error} of the node's clock")];
    for step in &line.steps {
        let way = if step.by_ns < 0 { "back" } else { "forward" };
        let by = time::duration(step.by_ns.unsigned_abs());
        let range = range(&step.from, Some(&step.to));
        let so = "times of day in between may be off by so much, offsets are right";
        said.push(format!("the node's clock was set {way} by {by}, {range}: {so}"));
    }
    said
}

fn unmatched(report: &Report) -> Option<String> {
    let counts = &report.unmatched;
    let parts: Vec<String> = [
        (counts.choices, "backend choice"),
        (counts.drops, "drop"),
        (counts.no_destination, "packet without destination"),
        (counts.icmp, "ICMP error"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, noun)| match *noun {
        "packet without destination" => format!("{count} without a destination"),
        noun => number(*count, noun),
    })
    .collect();
    if parts.is_empty() {
        return None;
    }
    let own = match counts.choices_of_workload {
        0 => String::new(),
        n => format!(" ({n} of this workload)"),
    };
    Some(format!("of clients not traced here: {}{own}", parts.join(", ")))
}

fn rest(said: &mut Vec<Statement>, all: usize, shown: usize) {
    if all > shown {
        said.push(Statement::More(all - shown));
    }
}

fn range(from: &Moment, to: Option<&Moment>) -> String {
    match to {
        Some(to) => format!("{} … {}", time::offset(from), time::offset(to)),
        None => format!("from {} to the end", time::offset(from)),
    }
}

fn relevance(overlaps: bool) -> &'static str {
    if overlaps { "" } else { " (before the update)" }
}

/// Where a loss happened, to follow “lost”.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Ring => "at the ring buffer",
        Stage::Map => "at a full kernel map",
        Stage::Decode => "in decoding",
        Stage::Queue => "at a full queue",
        Stage::Recording => "in recording",
        Stage::Conntrack => "by conntrack's socket",
        Stage::Read => "in reading the recording",
        Stage::Table => "in reading a kernel table",
        Stage::Skipped => "by programs that the kernel skipped",
        Stage::Watch => "in reading what the API server said",
    }
}

fn data_path(path: DataPath) -> &'static str {
    match path {
        DataPath::Ipvs => "IPVS",
        DataPath::Iptables => "iptables",
        DataPath::Nftables => "nftables",
        DataPath::SocketLb => "socket load balancer, which is not covered",
        DataPath::None => "none",
        DataPath::Unknown => "not known",
    }
}
