//! What happened: records in, one [`report::Report`] out.
//!
//! In: [`Record`](crate::record::Record)s and the histories that `attribute` makes of them. Out: findings. Touches no
//! clock, socket, file or task (invariant 1), and is deterministic: the order of records does not matter, their times do.

pub mod progress;
pub mod report;
