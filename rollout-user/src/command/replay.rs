//! `rollout replay`: the events of a recording again. In: a file, filters. Out: events on standard output, with final tags;
//! losses and blind spots at the end.

use crate::cli::Replay;
use crate::error::hinted;
use crate::present::escape;
use crate::recording::read::{Ending, Reader};
use crate::stream::printer::Options;
use crate::stream::replay::Learning;
use std::io::BufWriter;
use std::process::ExitCode;

/// Reads the recording and prints its events. Exits with 3 where a part of the file could not be read.
///
/// # Errors
/// When the file cannot be read as a recording, a filter needs a cluster that it does not tell of, or output fails.
pub fn run(args: &Replay, color: bool) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let options = Options { filter: args.filter.clone(), output: args.output, color };
    let mut learning = Learning::new(options);
    Reader::open(&args.file)?.for_each(|record| learning.observe(&record));
    if let Some(flag) = args.filter.needing_cluster().first().filter(|_| !learning.saw_cluster()) {
        return Err(hinted(
            format!("`{flag}` needs the cluster, and the recording `{file}` does not tell of it"),
            "filter by `--ip`, `--cidr`, `--port` or `--kind`",
        ));
    }
    let mut replay = learning.learnt();
    let mut out = BufWriter::new(std::io::stdout().lock());
    replay.head(&mut out)?;
    let mut reader = Reader::open(&args.file)?;
    for record in reader.by_ref() {
        replay.event(record, &mut out)?;
    }
    replay.end(&mut out)?;
    super::foot(args.output, &replay.footer(), &mut out)?;
    if let Ending::Damaged { frame, offset, why } = reader.ending() {
        let warning = format!(
            "warning: `{file}` is damaged in frame {frame} at byte {offset}: {why}; the events are those before\n"
        );
        eprint!("{}", escape::lines(&warning));
    }
    let whole = *reader.ending() == Ending::Whole && reader.unreadable() == 0;
    Ok(ExitCode::from(if whole { 0 } else { 3 }))
}
