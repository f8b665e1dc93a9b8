//! Each pod's life, step by step.
//!
//! In: the report's rows. Out: a section; each step with an anchor.

use super::evidence::{PODS, step_anchor};
use super::section;
use crate::analyse::report::Report;
use crate::analyse::report::pod::{Cell, PodRow, StepAt};
use crate::present::escape::{name, plain};
use crate::present::markup::Markup;
use crate::present::text::number;
use crate::present::text::pod::{about, uncertainty, word};
use crate::present::text::words::pod_name;
use crate::present::time;

/// Up to this many pods are unfolded.
const UNFOLDED: usize = 6;

/// Writes the pods.
pub fn write(page: &mut Markup, report: &Report) {
    if report.pods.is_empty() {
        return;
    }
    let pods = number(report.pods.len() as u64, "pod");
    let note = format!("{pods}; -t: it may have happened up to t before it was seen");
    section::open(page, "pods", "Pods", &note);
    let unfolded: &[_] = if report.pods.len() <= UNFOLDED { &[("open", "")] } else { &[] };
    page.open("div", &[("class", "pods")]);
    for (index, row) in report.pods.iter().enumerate().take(PODS) {
        page.open("details", unfolded);
        page.open("summary", &[]);
        page.leaf("b", &[], &pod_name(&row.pod));
        page.text(" ");
        page.leaf("small", &[], &about(row));
        page.close();
        steps(page, index, row);
        page.close();
        page.line();
    }
    page.close();
    if report.pods.len() > PODS {
        let rest = number((report.pods.len() - PODS) as u64, "more pod");
        page.leaf("p", &[("class", "dim")], &format!("{rest}: -o json"));
    }
    section::close(page);
}

fn steps(page: &mut Markup, pod: usize, row: &PodRow) {
    page.open("table", &[]);
    for (index, at) in row.steps.iter().enumerate() {
        page.open("tr", &[("id", &step_anchor(pod, index))]);
        page.open("th", &[("scope", "row")]);
        page.text(word(at.step));
        page.close();
        cell(page, at);
        page.close();
    }
    page.close();
}

fn cell(page: &mut Markup, at: &StepAt) {
    let unseen = |page: &mut Markup, text: &str| {
        page.leaf("td", &[("colspan", "2"), ("class", "dim")], text);
    };
    match &at.cell {
        Cell::At { at: moment, not_before_ns, evidence, detail } => {
            let absolute = time::absolute(moment);
            let when = match moment.offset_ns {
                Some(_) => time::offset(moment),
                None => absolute.clone(),
            };
            page.leaf("td", &[("class", "num"), ("title", &absolute)], &when);
            let spread = not_before_ns.map(|from| moment.time_ns.saturating_sub(from));
            let mut notes = vec![plain(detail, 60), uncertainty(spread)];
            notes.extend(evidence.map(|id| format!("#{id}")));
            notes.retain(|note| !note.is_empty());
            page.leaf("td", &[("class", "dim")], &notes.join(" "));
        }
        Cell::Before => unseen(page, "before the trace"),
        Cell::NotYet => unseen(page, "not until the end"),
        Cell::NotSeen { why } => unseen(page, &format!("not seen: {}", plain(&name(why), 60))),
    }
}
