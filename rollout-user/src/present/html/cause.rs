//! Why: each cause with its signs linked to their evidence on the page, what was ruled out, what to do; then the
//! `preStop` sleep.
//!
//! In: the report's causes. Out: sections.

use super::evidence::{Anchors, CAUSES, CITED, attempt_anchor};
use super::section;
use crate::analyse::report::Report;
use crate::analyse::report::cause::{Cause, CauseName, Sign};
use crate::present::cause::{cost, escaped, surety, title};
use crate::present::markup::Markup;
use crate::present::text::cause::{command, no_findings, pre_stop};
use crate::present::text::number;
use crate::present::text::words::pod_name;

/// Signs of a cause that are shown.
const SIGNS: usize = 60;
/// Records of a sign that are cited.
const RECORDS: usize = 12;

/// Writes the causes.
pub fn write(page: &mut Markup, report: &Report, anchors: &Anchors) {
    if report.causes.is_empty() {
        if let Some(rests) = no_findings(report) {
            section::open(page, "why", "Why", "no findings");
            page.leaf("p", &[], &rests);
            section::close(page);
        }
        return;
    }
    section::open(page, "why", "Why", "dearest first; numbers lead to the evidence");
    for (index, cause) in report.causes.iter().enumerate().take(CAUSES) {
        one(page, report, anchors, (index, cause));
    }
    if report.causes.len() > CAUSES {
        let rest = number((report.causes.len() - CAUSES) as u64, "more cause");
        page.leaf("p", &[("class", "dim")], &format!("{rest}: -o json"));
    }
    section::close(page);
    write_pre_stop(page, report);
}

fn one(page: &mut Markup, report: &Report, anchors: &Anchors, (index, cause): (usize, &Cause)) {
    page.open("article", &[("class", "cause"), ("id", &anchor(index))]);
    page.open("h3", &[]);
    page.text(title(cause.name));
    let sure = surety(cause.surety);
    page.leaf("span", &[("class", &format!("chip {sure}"))], sure);
    page.close();
    let pods: Vec<String> = cause.pods.iter().take(CITED).map(pod_name).collect();
    let mut about = vec![cost(&cause.cost)];
    about.push(match cause.pods.len().saturating_sub(CITED) {
        0 => pods.join(", "),
        rest => format!("{} and {rest} more pods", pods.join(", ")),
    });
    about.retain(|part| !part.is_empty());
    page.leaf("p", &[("class", "dim")], &about.join(" · "));
    if let Some(remedy) = &cause.remedy {
        page.open("p", &[("class", "remedy")]);
        page.leaf("b", &[], "Do: ");
        page.text(&escaped(&remedy.text));
        page.close();
    }
    page.open("ul", &[]);
    for sign in cause.signs.iter().take(SIGNS) {
        self::sign(page, anchors, sign);
    }
    if cause.signs.len() > SIGNS {
        let rest = number((cause.signs.len() - SIGNS) as u64, "more sign");
        page.leaf("li", &[("class", "dim")], &format!("{rest}: -o json"));
    }
    page.close();
    attempts(page, anchors, cause);
    related(page, report, "Could also be: ", &cause.competing);
    related(page, report, "Leads to: ", &cause.leads_to);
    if !cause.ruled_out.is_empty() {
        page.open("details", &[]);
        let ruled_out = number(cause.ruled_out.len() as u64, "other cause");
        page.leaf("summary", &[], &format!("{ruled_out} ruled out"));
        page.open("ul", &[]);
        for out in &cause.ruled_out {
            page.leaf("li", &[], &format!("{}: {}", title(out.cause), escaped(&out.why)));
        }
        page.close();
        page.close();
    }
    page.close();
    page.line();
}

fn sign(page: &mut Markup, anchors: &Anchors, sign: &Sign) {
    page.open("li", &[]);
    page.text(&escaped(&sign.text));
    for id in sign.evidence.iter().take(RECORDS) {
        page.text(" ");
        let label = format!("#{id}");
        match anchors.of_record(*id) {
            Some(anchor) => {
                let target = format!("#{anchor}");
                page.leaf("a", &[("class", "num"), ("href", &target)], &label);
            }
            None => page.leaf("span", &[("class", "num dim")], &label),
        }
    }
    if sign.evidence.len() > RECORDS {
        let rest = sign.evidence.len() - RECORDS;
        page.leaf("span", &[("class", "dim")], &format!(" and {rest} more"));
    }
    page.close();
}

/// Links to connections that the cause explains.
fn attempts(page: &mut Markup, anchors: &Anchors, cause: &Cause) {
    let shown: Vec<usize> =
        cause.attempts.iter().copied().filter(|at| anchors.shows(*at)).take(CITED).collect();
    if shown.is_empty() {
        return;
    }
    page.open("p", &[("class", "dim")]);
    page.text(&format!("{}: ", number(cause.attempts.len() as u64, "connection")));
    for (place, position) in (1..).zip(&shown) {
        let target = format!("#{}", attempt_anchor(*position));
        page.leaf("a", &[("class", "num"), ("href", &target)], &format!("no. {place}"));
        page.text(" ");
    }
    if cause.attempts.len() > shown.len() {
        page.text("…");
    }
    page.close();
}

/// Names of causes, linked where the page has them.
fn related(page: &mut Markup, report: &Report, words: &str, names: &[CauseName]) {
    if names.is_empty() {
        return;
    }
    page.open("p", &[("class", "dim")]);
    page.text(words);
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            page.text("; ");
        }
        match report.causes.iter().take(CAUSES).position(|cause| cause.name == *name) {
            Some(at) => page.leaf("a", &[("href", &format!("#{}", anchor(at)))], title(*name)),
            None => page.text(title(*name)),
        }
    }
    page.close();
}

fn anchor(index: usize) -> String {
    format!("c{index}")
}

fn write_pre_stop(page: &mut Markup, report: &Report) {
    let Some(found) = &report.pre_stop else { return };
    let said = pre_stop(found);
    section::open(page, "prestop", "preStop", &said.has);
    for line in said.lines {
        page.leaf("p", &[], &line);
    }
    let target = report.update.as_ref().map(|update| &update.target);
    if let Some(command) = target.and_then(|target| command(target, found)) {
        page.leaf("pre", &[], &command.join("\n"));
    }
    section::close(page);
}
