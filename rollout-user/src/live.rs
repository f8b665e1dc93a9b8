//! Live runs: starts the sources, records what arrives, and feeds live output without ever waiting for it.

pub mod hub;
pub mod interrupt;
pub mod provisional;
pub mod select;
pub mod tally;
