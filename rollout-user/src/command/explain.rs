//! `rollout explain`: a report from a recording. In: a file. Out: the report on standard output, and its exit code.

use crate::cli::Explain;
use crate::recording::read::Reader;
use std::process::ExitCode;

/// Reads the recording and prints its report.
///
/// # Errors
/// When the file cannot be read as a recording.
pub fn run(args: &Explain, _color: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&args.file)?;
    println!("{} records", reader.count());
    Ok(ExitCode::SUCCESS)
}
