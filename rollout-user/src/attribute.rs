//! Who was it, and in which state, at that very moment: histories from observations, tags for kernel events.
//!
//! In: [`Record`](crate::record::Record)s, in any order. Out: [`tag::Tag`]s and [`timeline::PodTimeline`]s, by
//! [`Histories`]. Touches no clock, socket, file or task (invariant 1).

mod address;
pub mod backend;
mod client;
pub mod clock;
mod histories;
mod kernel;
mod pod;
mod service;
mod slice;
mod sync;
pub mod tag;
pub mod timeline;
mod versions;
pub mod workload;

pub use histories::Histories;
pub use slice::SLICE_LAG_NS;
pub use sync::{Gap, GapCause};
pub use versions::WATCH_LAG_NS;
