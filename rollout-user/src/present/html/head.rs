//! The top of the page: the verdict in one sentence, what was updated, the numbers that matter most.
//!
//! In: verdict, update, windows. Out: the header.

use crate::analyse::report::Report;
use crate::analyse::report::verdict::Finding;
use crate::present::markup::Markup;
use crate::present::text::{self, update};
use crate::present::time;
use crate::record::meta::Target;

/// Lines about the update: only one that changed over and over has more.
const LINES: usize = 40;

/// Writes the header.
pub fn write(page: &mut Markup, report: &Report) {
    page.open("header", &[("class", super::class(report))]);
    page.open("p", &[("class", "badge")]);
    page.leaf("b", &[], word(report));
    page.text(&format!(" · exit code {}", report.verdict.exit_code));
    page.close();
    page.leaf("h1", &[], &text::sentence(report));
    page.open("div", &[("class", "about")]);
    let lines = update::about(report);
    for line in lines.iter().take(LINES) {
        page.leaf("p", &[], line);
    }
    if lines.len() > LINES {
        let rest = text::number((lines.len() - LINES) as u64, "more line");
        page.leaf("p", &[], &format!("{rest}: -o json"));
    }
    page.close();
    numbers(page, report);
    page.close();
    page.line();
}

/// The verdict in one word.
pub fn word(report: &Report) -> &'static str {
    match report.verdict.result {
        Finding::Clean => "no failure",
        Finding::Failures => "failures",
        Finding::Inconclusive => "inconclusive",
    }
}

/// The workload that the report is about.
pub fn target(report: &Report) -> Option<&Target> {
    let update = report.update.as_ref().map(|update| &update.target);
    update.or_else(|| report.source.as_ref().and_then(|source| source.target.as_ref()))
}

fn numbers(page: &mut Markup, report: &Report) {
    let verdict = &report.verdict;
    let mut tiles = vec![
        ("attempts", verdict.attempts.to_string(), ""),
        ("failed", verdict.failed.to_string(), if verdict.failed > 0 { "bad" } else { "" }),
        ("slowed", verdict.slowed.to_string(), if verdict.slowed > 0 { "warn" } else { "" }),
    ];
    if let Some(span) = report.windows.and_then(|windows| windows.unanswered.span) {
        tiles.push(("old pods gave no answer", time::duration(span.duration_ns), "bad"));
    }
    let update = report.update.as_ref();
    if let Some((start, end)) = update.and_then(|update| Some((update.start?, update.end?))) {
        let took = time::duration(end.time_ns.saturating_sub(start.time_ns));
        tiles.push(("the update took", took, ""));
    }
    page.open("dl", &[("class", "tiles")]);
    for (what, value, class) in tiles {
        page.open("div", &[("class", class)]);
        page.leaf("dt", &[], what);
        page.leaf("dd", &[], &value);
        page.close();
    }
    page.close();
}
