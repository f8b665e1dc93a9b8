//! The report for programs: one JSON object, as `docs/report.md` describes it.
//!
//! In: a [`Report`]. Out: text that ends with a newline.

use super::escape;
use crate::analyse::report::Report;
use anyhow::Context;

/// Renders the report.
///
/// # Errors
/// When a value cannot be written as JSON, which no report that `explain` makes contains.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(report).context("cannot write the report as JSON")?;
    Ok(escape::json(&text) + "\n")
}

/// Reads a report that [`render`] wrote.
///
/// # Errors
/// When it is not a report, or not one of this version.
pub fn parse(text: &str) -> anyhow::Result<Report> {
    serde_json::from_str(text).context("cannot read the report")
}
