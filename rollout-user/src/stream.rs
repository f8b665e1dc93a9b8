//! The event stream: which events, tagged with what, printed how. `trace` feeds it live, `replay` from a recording.
//!
//! In: records. Out: lines on any writer, and the [`footer::Footer`]. Pure: touches no clock, socket or file.

pub mod footer;
pub mod printer;
pub mod replay;
pub mod select;
pub mod tagging;
pub mod waiting;
