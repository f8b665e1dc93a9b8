//! Debug messages of the programs, on standard error.
//!
//! In: the map that aya-log fills. Out: one line each. Without `Options::log` the level that is written into the
//! programs' read-only data is 0: the verifier removes their code, so they cost nothing.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// Messages that wait to be written.
pub type Messages = EbpfLogger<StandardError>;

/// Writes `kernel: message`.
pub struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("kernel: {}", record.args());
    }

    fn flush(&self) {}
}

/// Takes the map of messages.
pub fn messages(ebpf: &mut Ebpf) -> Result<Messages> {
    EbpfLogger::init_with_logger(ebpf, StandardError).context("cannot read the programs' messages")
}
