//! Who was it, and in which state, at that very moment: histories from observations, tags for kernel events.
//!
//! In: [`Record`](crate::record::Record)s. Out: [`tag::Tag`]s. Touches no clock, socket, file or task (invariant 1).

pub mod tag;
