//! Sections without parts of their own: doubts, windows, what could not be seen, the end of the page.
//!
//! In: parts of the report. Out: sections.

use crate::analyse::report::Report;
use crate::present::markup::Markup;
use crate::present::text::limits::{Statement, doubt, doubts_title, statements};
use crate::present::text::update::{elsewhere, rows, window_note};
use crate::present::time;

/// Losses, and gaps, that are listed.
const LISTED: usize = 100;

/// Opens a section with its heading.
pub fn open(page: &mut Markup, id: &'static str, title: &str, note: &str) {
    page.open("section", &[("id", id)]);
    page.open("h2", &[]);
    page.text(title);
    if !note.is_empty() {
        page.text(" ");
        page.leaf("small", &[], note);
    }
    page.close();
    page.line();
}

/// Closes it.
pub fn close(page: &mut Markup) {
    page.close();
    page.line();
}

/// Why the verdict is not certain.
pub fn doubts(page: &mut Markup, report: &Report) {
    if report.verdict.doubts.is_empty() {
        return;
    }
    open(page, "doubts", doubts_title(report), "");
    page.open("ul", &[("class", "doubts")]);
    for reason in &report.verdict.doubts {
        page.leaf("li", &[], &doubt(reason));
    }
    page.close();
    close(page);
}

/// The three windows.
pub fn windows(page: &mut Markup, report: &Report) {
    let Some(windows) = &report.windows else { return };
    let note = window_note(report);
    open(page, "windows", "Windows", &note);
    page.open("ol", &[("class", "windows")]);
    for (row, class) in rows(windows).iter().zip(["w1", "w2", "w3"]) {
        page.open("li", &[("class", class)]);
        page.leaf("b", &[], row.what);
        match &row.span {
            Some(span) => {
                page.leaf("span", &[("class", "num")], &time::duration(span.duration_ns));
                let range = format!("{} … {}", time::offset(&span.from), time::offset(&span.to));
                page.leaf("span", &[("class", "num dim")], &range);
            }
            None => page.leaf("span", &[("class", "dim")], "none"),
        }
        page.leaf("span", &[], &row.syns);
        page.close();
    }
    page.close();
    if let Some(note) = elsewhere(windows) {
        page.leaf("p", &[("class", "dim")], &note);
    }
    close(page);
}

/// What could not be seen.
pub fn limits(page: &mut Markup, report: &Report) {
    open(page, "limits", "What could not be seen", "");
    page.open("ul", &[]);
    for statement in statements(report, LISTED) {
        match statement {
            Statement::One(text) => page.leaf("li", &[], &text),
            Statement::More(count) => page.leaf("li", &[], &format!("{count} more: -o json")),
        }
    }
    page.close();
    close(page);
}

/// Where all this comes from, and how to look a record up.
pub fn foot(page: &mut Markup, report: &Report) {
    page.open("footer", &[]);
    if let Some(source) = &report.source {
        let by = crate::present::escape::name(&source.recorded_by);
        page.leaf(
            "p",
            &[],
            &format!("Recorded by rollout {by}, report version {}.", report.version),
        );
    }
    page.open("p", &[]);
    page.text("A number such as #9120 is the id of a record of the recording: ");
    page.leaf("code", &[], "zstdcat FILE | jq 'select(.id == 9120)'");
    page.close();
    page.close();
    page.line();
}
