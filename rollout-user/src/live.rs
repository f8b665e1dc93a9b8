//! Live runs: starts the sources, records what arrives, and feeds live output without ever waiting for it.

pub mod footer;
pub mod hub;
pub mod interrupt;
pub mod output;
pub mod provisional;
pub mod select;
#[cfg(feature = "probe")]
pub mod session;
pub mod stream;
pub mod tagging;
pub mod tally;
