//! Live progress on standard error: one line that is rewritten on a terminal, a line for each change elsewhere.

use crate::analyse::progress::{Progress, State};
use crate::live::tally::Counts;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is rewritten on a terminal.
const REFRESH: Duration = Duration::from_millis(200);
/// How often a line is written elsewhere when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The progress display.
pub struct Status {
    terminal: bool,
    shown: Option<Instant>,
    state: Option<State>,
    begun: Instant,
}

impl Status {
    /// Writes over its own line only on a terminal that may have colours.
    pub fn new(color: bool) -> Status {
        let terminal =
            std::io::stderr().is_terminal() && (color || std::env::var_os("TERM").is_some());
        Status { terminal, shown: None, state: None, begun: Instant::now() }
    }

    /// Shows how far the update is. `changed`: its phase is another one than before.
    pub fn show(&mut self, progress: &Progress, counts: Counts, changed: bool) {
        let every = if self.terminal { REFRESH } else { HEARTBEAT };
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= every);
        let first = self.state != Some(progress.state());
        if !(changed || due || first) {
            return;
        }
        self.shown = Some(Instant::now());
        self.state = Some(progress.state());
        let line = line(progress, counts, self.begun.elapsed());
        if !takes_more() {
            return;
        }
        let mut stderr = std::io::stderr().lock();
        // A terminal that is gone must not end the recording.
        let _gone = if self.terminal && !first {
            write!(stderr, "\r\x1b[K{line}")
        } else if self.terminal {
            write!(stderr, "\r\x1b[K{line}\n\x1b[1A")
        } else {
            writeln!(stderr, "{line}")
        };
        let _gone = stderr.flush();
    }

    /// Leaves the line behind.
    pub fn end(&mut self) {
        if self.terminal {
            eprintln!();
        }
    }
}

/// Whether standard error takes a line now: a terminal that is held must not hold up the watch.
fn takes_more() -> bool {
    let stderr = std::io::stderr();
    let mut watched = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

fn phase(progress: &Progress) -> &'static str {
    match progress.state() {
        State::Unknown => "waiting for the workload",
        State::Waiting if progress.paused() => "watching (paused)",
        State::Waiting => "watching",
        State::Updating if progress.came_in_the_middle() => "updating (came in the middle)",
        State::Updating if progress.rolled_back() => "updating (rolled back)",
        State::Updating => "updating",
        State::Draining => "old pods are leaving",
        State::Complete => "complete",
        State::Deleted => "deleted",
    }
}

fn line(progress: &Progress, counts: Counts, elapsed: Duration) -> String {
    let pods = progress.pods();
    let mut line = format!(
        "{:>4}s {}: pods {} old {} new, {} user SYNs, {} failed",
        elapsed.as_secs(),
        phase(progress),
        pods.old.there(),
        pods.new.there(),
        counts.syns,
        counts.failed,
    );
    if counts.lost > 0 {
        line.push_str(&format!(", {} events lost", counts.lost));
    }
    // A line that wraps could not be rewritten.
    crate::present::escape::plain(&line, 79)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::meta::Target;

    #[test]
    fn the_line_fits_eighty_columns() {
        let progress = Progress::new(Target {
            kind: "Deployment".into(),
            namespace: "default".into(),
            name: "serv".into(),
        });
        let counts = Counts { syns: 123_456, attempts: 100_000, failed: 999, lost: 0 };
        let many = Counts { syns: u64::MAX, lost: u64::MAX, ..counts };
        let long = super::line(&progress, many, Duration::from_secs(3599));
        assert!(long.chars().count() < 80, "{long}");
        let line = line(&progress, counts, Duration::from_secs(3599));
        assert!(line.chars().count() < 80, "{line}");
        assert!(line.contains("waiting for the workload"), "{line}");
    }
}
