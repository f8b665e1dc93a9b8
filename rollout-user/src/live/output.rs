//! Standard output whose reader may have stopped: a pager that waits, a terminal that is held.
//!
//! In: bytes, and a question whether the run is to end. Out: the bytes, as fast as they are taken; an error of kind
//! `TimedOut` when the run is to end and nobody takes them.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long one wait for the reader takes before the question is asked again.
const TICK_MS: i64 = 50;
/// A reader that takes nothing for so long after the run is to end has stopped.
const PATIENCE: Duration = Duration::from_secs(1);
/// Until a terminal that was writable and took nothing is asked again.
const AGAIN: Duration = Duration::from_millis(5);
/// A pipe that is writable takes so many bytes without blocking (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// A writer that waits for its reader only as long as the run goes on.
pub struct Output<F> {
    file: OwnedFd,
    is_over: F,
    over_since: Option<Instant>,
}

impl<F: Fn() -> bool> Output<F> {
    /// Writes to `file`; `is_over` tells whether the run is to end.
    pub fn new(file: OwnedFd, is_over: F) -> Output<F> {
        let file = unblocked(&file).unwrap_or(file);
        Output { file, is_over, over_since: None }
    }

    /// What was written, if the reader took something within a tick.
    fn attempt(&self, bytes: &[u8]) -> std::io::Result<Option<usize>> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: TICK_MS * 1_000_000 };
        let mut watched = [PollFd::new(&self.file, PollFlags::OUT)];
        match poll(&mut watched, Some(&timeout)) {
            // Ready, or closed at the other end, which the write will say.
            Ok(1..) => {}
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        match rustix::io::write(&self.file, bytes) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN | Errno::INTR) => {
                std::thread::sleep(AGAIN);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A terminal counts as writable when it has room for one byte, and a longer write then waits for the rest: it is opened
/// once more, for writes that do not wait. Others who hold it are not concerned.
fn unblocked(file: &OwnedFd) -> Option<OwnedFd> {
    if !rustix::termios::isatty(file) {
        return None;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

impl<F: Fn() -> bool> Write for Output<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let part = bytes.get(..AT_ONCE).unwrap_or(bytes);
        loop {
            if let Some(count) = self.attempt(part)? {
                self.over_since = None;
                return Ok(count);
            }
            if (self.is_over)() {
                let since = *self.over_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_reader_that_stopped_does_not_keep_a_run_from_its_end() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut output = Output::new(writer, || over.load(Ordering::Relaxed));
                // More than any pipe holds.
                output.write_all(&vec![b'x'; 4 << 20]).map_err(|error| error.kind())
            });
            over.store(true, Ordering::Relaxed);
            assert_eq!(thread.join().expect("no panic"), Err(ErrorKind::TimedOut));
        });
        drop(reader);
    }

    #[test]
    fn a_terminal_that_nobody_reads_does_not_keep_a_run_from_its_end() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("its other end");
        unlockpt(&master).expect("its other end");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(name, flags, Mode::empty()).expect("its other end");
        let written = Output::new(terminal, || true).write_all(&vec![b'x'; 4 << 20]);
        assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }

    #[test]
    fn a_slow_reader_gets_everything_even_after_the_end() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        std::thread::scope(|scope| {
            let sent = bytes.clone();
            let thread = scope.spawn(move || {
                Output::new(writer, || true).write_all(&sent).map_err(|error| error.kind())
            });
            let mut received = Vec::new();
            std::fs::File::from(reader).read_to_end(&mut received).expect("bytes");
            assert_eq!(thread.join().expect("no panic"), Ok(()));
            assert!(received == bytes);
        });
    }

    #[test]
    fn a_reader_that_is_gone_is_a_broken_pipe() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let error = Output::new(writer, || false).write_all(b"x").map_err(|error| error.kind());
        assert_eq!(error, Err(ErrorKind::BrokenPipe));
    }
}
