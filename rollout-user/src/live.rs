//! Live runs: starts the sources, records what arrives, and feeds live output without ever waiting for it.

pub mod exclude;
pub mod hub;
pub mod interrupt;
pub mod output;
pub mod provisional;
pub mod screen;
#[cfg(feature = "probe")]
pub mod session;
pub mod stream;
pub mod tally;
