//! What users see: one [`Report`](crate::analyse::report::Report) as text or JSON, one event as a line.
//!
//! In: values. Out: strings. Decides nothing about meaning; escapes everything that users supplied (invariant 7).

pub mod cause;
pub mod errno;
pub mod escape;
pub mod event_line;
pub mod html;
pub mod json;
pub mod junit;
pub mod markup;
pub mod paint;
pub mod schema;
pub mod text;
pub mod time;
