//! The report as JUnit XML, for what pipelines show of a job: one suite an update, one case for the verdict, one for each
//! cause, one for whether the update was seen whole. `docs/pipelines.md` tells how GitLab and Jenkins read it.
//!
//! In: a [`Report`]. Out: one XML document.

use super::cause::{escaped, title};
use super::markup::Markup;
use super::text::{self, doubt, group_head, number};
use super::time;
use crate::analyse::report::Report;
use crate::analyse::report::cause::{Cause, RuledOut};
use crate::analyse::report::verdict::Finding;

/// Groups that a failure's text lists.
const GROUPS: usize = 40;
/// Causes that have a case.
const CAUSES: usize = 100;

/// What a case came to.
enum Outcome {
    Passed,
    Skipped { message: String },
    Failed { kind: &'static str, message: String, lines: Vec<String> },
}

struct Case {
    name: String,
    outcome: Outcome,
}

/// Renders the report.
pub fn render(report: &Report) -> String {
    let mut cases = vec![verdict(report)];
    cases.extend(report.causes.iter().take(CAUSES).map(|one| cause(report, one)));
    cases.push(seen_whole(report));
    let count = |wanted: fn(&Outcome) -> bool| {
        cases.iter().filter(|case| wanted(&case.outcome)).count().to_string()
    };
    let tests = cases.len().to_string();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped { .. }));
    let time = seconds(took_ns(report));
    let counts = [
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", "0"),
        ("skipped", &skipped),
        ("time", &time),
    ];
    let (name, class) = names(report);
    let mut page = Markup::new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    page.open("testsuites", &[&[("name", "rollout")][..], &counts].concat());
    page.line();
    let mut about = vec![("name", name.as_str())];
    about.extend(counts);
    let begun = begun(report);
    about.extend(begun.as_deref().map(|begun| ("timestamp", begun)));
    about.extend(report.source.as_ref().map(|source| ("hostname", source.node.as_str())));
    page.open("testsuite", &about);
    page.line();
    for case in &cases {
        write(&mut page, case, &class, &time);
    }
    page.leaf("system-out", &[], &text::render(report, text::Options::default()));
    page.line();
    page.close();
    page.line();
    page.finish()
}

fn verdict(report: &Report) -> Case {
    let message = text::sentence(report);
    let outcome = match report.verdict.result {
        Finding::Clean => Outcome::Passed,
        // Neither good nor bad: why is the other case's failure.
        Finding::Inconclusive => Outcome::Skipped { message },
        Finding::Failures => {
            let groups = || report.failures.iter().chain(&report.slowed);
            let mut lines: Vec<String> = groups().take(GROUPS).map(group_head).collect();
            let all = groups().count();
            if all > GROUPS {
                lines
                    .push(format!("{} in the report", number((all - GROUPS) as u64, "more group")));
            }
            Outcome::Failed { kind: "failures", message, lines }
        }
    };
    Case { name: "no connection failed or was slowed".to_owned(), outcome }
}

fn cause(report: &Report, cause: &Cause) -> Case {
    let message = text::cause::head(cause);
    // A cause that cost nobody anything makes no pipeline red.
    let outcome = if report.verdict.result == Finding::Clean {
        Outcome::Skipped { message }
    } else {
        let mut lines: Vec<String> = cause.signs.iter().map(|sign| escaped(&sign.text)).collect();
        let out = |out: &RuledOut| format!("not: {}: {}", title(out.cause), escaped(&out.why));
        lines.extend(cause.ruled_out.iter().map(out));
        lines.extend(cause.remedy.iter().map(|remedy| format!("do: {}", escaped(&remedy.text))));
        Outcome::Failed { kind: "cause", message, lines }
    };
    Case { name: format!("cause: {}", title(cause.name)), outcome }
}

fn seen_whole(report: &Report) -> Case {
    let doubts = &report.verdict.doubts;
    let lines: Vec<String> = doubts.iter().map(doubt).collect();
    let outcome = match doubts.len() {
        0 => Outcome::Passed,
        n => Outcome::Failed {
            kind: "inconclusive",
            message: number(n as u64, "reason") + " why something could have been missed",
            lines,
        },
    };
    Case { name: "the update was seen whole".to_owned(), outcome }
}

fn write(page: &mut Markup, case: &Case, class: &str, time: &str) {
    page.open("testcase", &[("classname", class), ("name", &case.name), ("time", time)]);
    match &case.outcome {
        Outcome::Passed => {}
        Outcome::Skipped { message } => page.leaf("skipped", &[("message", message)], message),
        Outcome::Failed { kind, message, lines } => {
            // The message again: some consumers show the text alone.
            let text = format!("{message}\n{}", lines.join("\n")).replace('\u{a0}', " ");
            page.leaf("failure", &[("message", message), ("type", kind)], &text);
        }
    }
    page.close();
    page.line();
}

/// Name of the suite, and of the class under which consumers file its cases.
fn names(report: &Report) -> (String, String) {
    let update = report.update.as_ref();
    let target = update
        .map(|update| &update.target)
        .or_else(|| report.source.as_ref().and_then(|source| source.target.as_ref()));
    let Some(target) = target else { return ("no workload".to_owned(), "rollout".to_owned()) };
    // Consumers split a class at its dots.
    let part = |text: &str| super::escape::name(text).replace('.', "-");
    let class = format!("rollout.{}.{}", part(&target.namespace), part(&target.name));
    let what = text::workload(target);
    match update {
        Some(update) => (format!("{what}: {}", text::revisions(update)), class),
        None => (format!("{what}: no update seen"), class),
    }
}

fn took_ns(report: &Report) -> u64 {
    let update = report.update.as_ref();
    let whole = update.and_then(|update| Some((update.start?.time_ns, update.end?.time_ns)));
    let all = || report.source.as_ref().map(|source| (source.from.time_ns, source.to.time_ns));
    whole.or_else(all).map_or(0, |(from, to)| to.saturating_sub(from))
}

/// In UTC, without the zone, as the format has it.
fn begun(report: &Report) -> Option<String> {
    let start = report.update.as_ref().and_then(|update| update.start);
    let moment = start.or_else(|| report.source.as_ref().map(|source| source.from))?;
    let text = time::rfc3339(&moment)?;
    Some(text.split('.').next().unwrap_or_default().to_owned())
}

fn seconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}
