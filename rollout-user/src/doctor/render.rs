//! A [`DoctorReport`] as text or JSON.
//!
//! In: the report. Out: a string whose lines hold no control characters, or a JSON value.

use super::{Area, Check, DoctorReport, Status, Verdict};
use crate::present::escape;
use crate::present::paint::Paint;
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
    let _ = writeln!(out, "  {word}  {name:<width$}  {detail}");
    for (at, remedy) in check.remedy.iter().flat_map(|remedy| remedy.lines()).enumerate() {
        let mark = if at == 0 { "→ " } else { "  " };
        let _ = writeln!(out, "        {mark}{}", plain(remedy));
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
