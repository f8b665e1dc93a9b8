//! The library behind the `rollout` binary, in the order in which data flows:
//! `probe` → `decode` → `record` ← `cluster`, `tables`; then `recording`, `attribute`, `analyse`, `present`.

pub mod analyse;
pub mod attribute;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod decode;
pub mod doctor;
pub mod error;
pub mod live;
pub mod present;
#[cfg(feature = "probe")]
pub mod probe;
pub mod record;
pub mod recording;
pub mod stream;
pub mod tables;
pub mod timeline;
pub mod top;
