//! The report as one HTML file: nothing is loaded, nothing is run, everything is there without a script.
//!
//! In: a [`Report`]. Out: a document whose policy forbids all but its own style sheet. Sections are those of the text report.

mod cause;
mod chart;
mod evidence;
mod group;
mod head;
mod pod;
mod section;

use super::markup::Markup;
use super::text;
use crate::analyse::report::Report;
use crate::analyse::report::verdict::Finding;
use evidence::Anchors;

/// The style sheet, and the hash under which the policy allows it: a test compares them.
const STYLE: &str = include_str!("html/style.css");
/// SHA-256 of [`STYLE`], base64.
pub const STYLE_HASH: &str = "sha256-F4odhdplPam38WY2QSNm6DjW2x9y59qjsoLoGs1GmIk=";

/// Renders the report.
pub fn render(report: &Report) -> String {
    let anchors = Anchors::of(report);
    let mut page = Markup::new("<!doctype html>\n");
    page.open("html", &[("lang", "en")]);
    page.line();
    document_head(&mut page, report);
    page.open("body", &[]);
    page.line();
    head::write(&mut page, report);
    page.open("main", &[]);
    section::doubts(&mut page, report);
    chart::write(&mut page, report);
    cause::write(&mut page, report, &anchors);
    section::windows(&mut page, report);
    group::write(&mut page, report, &anchors);
    group::write_cited(&mut page, report, &anchors);
    pod::write(&mut page, report);
    group::write_apart(&mut page, report);
    section::limits(&mut page, report);
    page.close();
    section::foot(&mut page, report);
    page.close();
    page.line();
    page.finish()
}

fn document_head(page: &mut Markup, report: &Report) {
    let policy = format!(
        "default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
    );
    page.open("head", &[]);
    page.line();
    page.void("meta", &[("charset", "utf-8")]);
    page.line();
    page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.line();
    let viewport = "width=device-width, initial-scale=1";
    page.void("meta", &[("name", "viewport"), ("content", viewport)]);
    page.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    page.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    page.line();
    let title = match head::target(report) {
        Some(target) => format!("{}: {}", text::workload(target), head::word(report)),
        None => format!("rollout: {}", head::word(report)),
    };
    page.leaf("title", &[], &title);
    page.line();
    page.open("style", &[]);
    page.raw(STYLE);
    page.close();
    page.close();
    page.line();
}

/// Class of elements that are coloured by the verdict.
fn class(report: &Report) -> &'static str {
    match report.verdict.result {
        Finding::Clean => "clean",
        Finding::Failures => "failures",
        Finding::Inconclusive => "inconclusive",
    }
}
