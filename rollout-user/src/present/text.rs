//! The report for a terminal: the answer first, then windows, pods, failures, and what could not be seen.
//!
//! In: a [`Report`]. Out: text whose lines (the first, which is one sentence, apart) fit 80 columns for IPv4 addresses
//! and names of usual length. Readable without colours.

pub mod cause;
pub mod group;
pub mod limits;
mod page;
pub mod pod;
mod sentence;
pub mod update;
mod way_in;
pub mod words;

use crate::analyse::report::Report;
pub use group::head as group_head;
pub use limits::{doubt, stage};
use page::Page;
pub use page::wrap;
pub use update::{revisions, workload};
pub use words::number;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// With colours.
    pub color: bool,
    /// Every attempt and every pod in full, not five examples and a table.
    pub all: bool,
}

/// Renders the report.
pub fn render(report: &Report, options: Options) -> String {
    let mut page = Page::new(options);
    sentence::write(&mut page, report);
    update::write(&mut page, report);
    limits::write_doubts(&mut page, report);
    cause::write(&mut page, report);
    cause::write_pre_stop(&mut page, report);
    update::write_windows(&mut page, report);
    group::write_all(&mut page, report);
    pod::write(&mut page, report);
    group::write_apart(&mut page, report);
    limits::write(&mut page, report);
    page.finish()
}

/// Renders the verdict's sentence alone, without colours.
pub fn sentence(report: &Report) -> String {
    sentence::sentence(report)
}
