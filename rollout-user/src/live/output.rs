//! Standard output whose reader may have stopped: a pager that waits, a terminal that is held.
//!
//! In: bytes, and a question whether the run is to end. Out: the bytes, as fast as they are taken; an error of kind
//! `TimedOut` when the run is to end and nobody takes them.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long one wait for the reader takes before the question is asked again.
const TICK_MS: i64 = 50;
/// A reader that takes nothing for so long after the run is to end has stopped.
const PATIENCE: Duration = Duration::from_secs(1);
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
        Output { file, is_over, over_since: None }
    }

    fn wait(&mut self) -> std::io::Result<()> {
        loop {
            let timeout = Timespec { tv_sec: 0, tv_nsec: TICK_MS * 1_000_000 };
            let mut watched = [PollFd::new(&self.file, PollFlags::OUT)];
            match poll(&mut watched, Some(&timeout)) {
                // Ready, or closed at the other end, which the write will say.
                Ok(1..) => {
                    self.over_since = None;
                    return Ok(());
                }
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if (self.is_over)() {
                let since = *self.over_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
        }
    }
}

impl<F: Fn() -> bool> Write for Output<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.wait()?;
        let part = bytes.get(..AT_ONCE).unwrap_or(bytes);
        Ok(rustix::io::write(&self.file, part)?)
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
