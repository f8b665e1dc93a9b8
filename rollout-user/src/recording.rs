//! The recording file: JSON Lines in independent, checksummed zstd frames, one a second.
//!
//! In: [`Record`](crate::record::Record)s. Out: a file that `zstdcat | jq` reads, and the same records again, up to the
//! first damage, whose place is named. The format is described in `docs/recording.md`.

mod frame;
pub mod read;
pub mod space;
pub mod write;
