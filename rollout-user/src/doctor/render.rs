//! A [`DoctorReport`] as text or JSON.
//!
//! In: the report. Out: a string whose lines hold no control characters, or a JSON value.

use super::{Area, Check, DoctorReport, Status, Verdict};
use crate::present::escape;
use crate::present::paint::Paint;
use crate::present::text::wrap;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn json(report: &DoctorReport) -> Value {
    json!({
        "verdict": report.verdict(),
        "exit_code": report.exit_code(),
        "checks": report.checks,
    })
}

pub(super) fn text(report: &DoctorReport, color: bool) -> String {
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{}\n", headline(report));
    let mut area = None;
    for check in &report.checks {
        if area != Some(check.area) {
            area = Some(check.area);
            let _ = writeln!(out, "\n{}", title(check.area));
        }
        line(&mut out, check, width, color);
    }
    out
}

fn headline(report: &DoctorReport) -> String {
    let count = |status| report.checks.iter().filter(|check| check.status == status).count();
    let counts = format!(
        "{} ok, {} limited, {} failed, {} not checked",
        count(Status::Ok),
        count(Status::Warn),
        count(Status::Fail),
        count(Status::Unknown)
    );
    match report.verdict() {
        Verdict::Works => format!("tracing works here: {counts}"),
        Verdict::Degraded => format!("tracing works here, with limits: {counts}"),
        Verdict::Cannot => format!("tracing cannot work here: {counts}"),
    }
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Kernel => "kernel",
        Area::Permission => "permissions",
        Area::Hooks => "hooks",
        Area::Node => "node",
        Area::Cluster => "cluster",
    }
}

fn line(out: &mut String, check: &Check, width: usize, color: bool) {
    let paint = Paint { on: color };
    let word = match check.status {
        Status::Ok => paint.green("ok  "),
        Status::Warn => paint.yellow("warn"),
        Status::Fail => paint.red("FAIL"),
        Status::Unknown => paint.dim("?   "),
    };
    let (name, detail) = (plain(&check.name), plain(&check.detail));
    // Wrapped as plain text; the word with its colour takes the place of its first columns.
    let head = width + 10;
    for (at, text) in wrap(head, 0, &detail).iter().enumerate() {
        let rest = text.chars().skip(head).collect::<String>();
        let _ = match at {
            0 => writeln!(out, "  {word}  {name:<width$}  {rest}"),
            _ => writeln!(out, "{text}"),
        };
    }
    for (at, remedy) in check.remedy.iter().flat_map(|remedy| remedy.lines()).enumerate() {
        let mark = if at == 0 { "→ " } else { "  " };
        // A ClusterRole is to be copied as it is.
        let is_block = check.remedy.as_ref().is_some_and(|all| all.lines().count() > 1);
        let text = format!("{mark}{}", plain(remedy));
        let lines = if is_block { vec![format!("        {text}")] } else { wrap(8, 2, &text) };
        for text in lines {
            let _ = writeln!(out, "{text}");
        }
    }
}

/// Errors and names come from elsewhere: what a terminal would obey is shown instead.
fn plain(text: &str) -> String {
    escape::plain(text, usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> DoctorReport {
        let check = Check::new;
        DoctorReport {
            checks: vec![
                check(Area::Kernel, "BTF", Status::Ok, "the kernel's types can be read"),
                check(Area::Hooks, "reset_sent", Status::Warn, "no hook\x1b[2J")
                    .remedy("first\n  second"),
                check(Area::Cluster, "API server", Status::Unknown, "not asked"),
            ],
        }
    }

    #[test]
    fn text_is_aligned_grouped_and_harmless() {
        assert_eq!(
            text(&report(), false),
            "tracing works here, with limits: 1 ok, 1 limited, 0 failed, 1 not checked\n\
             \n\
             kernel\n  \
               ok    BTF         the kernel's types can be read\n\
             \n\
             hooks\n  \
               warn  reset_sent  no hook\\u{1b}[2J\n        \
                     → first\n            \
                         second\n\
             \n\
             cluster\n  \
               ?     API server  not asked\n"
        );
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        assert!(text(&report(), true).contains("\x1b[33mwarn\x1b[0m"));
    }

    #[test]
    fn json_has_the_verdict_and_every_check() {
        let value = json(&report());
        assert_eq!(value["verdict"], "degraded");
        assert_eq!(value["exit_code"], 3);
        assert_eq!(value["checks"][1]["status"], "warn");
        assert_eq!(value["checks"][1]["remedy"], "first\n  second");
    }
}
