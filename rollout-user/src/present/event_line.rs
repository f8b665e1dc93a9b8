//! One live event as a line: a row of a table, a wide row, or a JSON object. `docs/events.md` describes all three.
//!
//! In: a kernel record with its tags. Out: one line without its newline; everything that users supplied is escaped.

mod json;
mod row;

pub use json::json;
pub use row::{
    Tone, certainty, cut, state, table, table_head, tail_of, tone, who, wide, wide_head,
};

use crate::attribute::clock::Converted;
use crate::attribute::tag::EventTags;
use crate::record::Record;

/// How final a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Late observations may still change its tags.
    Provisional,
    /// Printed before with other tags; these are right as far as is known now.
    Correction,
    /// Nothing that comes can change it (replay).
    Final,
}

/// An event with all that a line says of it.
#[derive(Debug, Clone, Copy)]
pub struct EventLine<'a> {
    /// The event.
    pub record: &'a Record,
    /// Who was concerned.
    pub tags: &'a EventTags,
    /// Its wall clock time, where known.
    pub unix: Option<Converted>,
    /// How final it is.
    pub standing: Standing,
}
