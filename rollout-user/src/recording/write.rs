//! Writes a recording: buffers lines, writes one frame a second, and ends in good order when space runs out.
//!
//! In: records. Out: a file. What it cannot write it counts, and the count is the last thing in the file: a small
//! reserve behind the end is always allocated, so that this last frame fits on a full disk too.

use super::frame::FrameWriter;
use super::space::{Limits, free_percent};
use crate::error::{HintExt, hinted};
use crate::record::meta::{Loss, Stage};
use crate::record::{Body, Record};
use anyhow::Context;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A frame is written when this long has passed since the first line in it, ns.
const FRAME_NS: u64 = 1_000_000_000;
/// … or when it has grown to this many bytes before compression.
const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Allocated behind the end for the last frame.
const RESERVE_BYTES: u64 = 64 * 1024;

/// What became of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Where it is.
    pub path: PathBuf,
    /// Records in it.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// Records that could not be written.
    pub lost: u64,
    /// Why recording stopped early, if it did.
    pub stopped: Option<String>,
}

/// An open recording.
pub struct Writer {
    file: File,
    frames: FrameWriter,
    limits: Limits,
    lines: Vec<u8>,
    buffered: u64,
    first_in_frame_ns: u64,
    first_lost_ns: u64,
    last_id: u64,
    last_time_ns: u64,
    summary: Summary,
}

impl Writer {
    /// Creates the file.
    ///
    /// # Errors
    /// When it cannot be created, or holds something already: a recording is never replaced.
    pub fn create(path: &Path, limits: Limits) -> anyhow::Result<Writer> {
        if std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() > 0) {
            return Err(hinted(
                format!("the recording `{}` exists already", path.display()),
                "move it away, or name another file with --record",
            ));
        }
        let file = File::create(path).hint(
            format!("cannot create the recording `{}`", path.display()),
            "name a file in a folder that exists and may be written to, with --record",
        )?;
        let writer = Writer {
            file,
            frames: FrameWriter::new().context("cannot set up compression")?,
            limits,
            lines: Vec::with_capacity(FRAME_BYTES / 4),
            buffered: 0,
            first_in_frame_ns: 0,
            first_lost_ns: 0,
            last_id: 0,
            last_time_ns: 0,
            summary: Summary { path: path.to_owned(), ..Summary::default() },
        };
        if let Some(why) = limits.refusal(0, RESERVE_BYTES, free_percent(&writer.file)) {
            return Err(hinted(
                format!("cannot record to `{}`: {why}", path.display()),
                "record elsewhere with --record, or change --record-min-free or --record-max",
            ));
        }
        writer.reserve(0).with_context(|| format!("no space to record to `{}`", path.display()))?;
        Ok(writer)
    }

    /// Takes one record. `now_ns` (CLOCK_MONOTONIC) decides when the frame is due.
    pub fn write(&mut self, record: &Record, now_ns: u64) {
        self.last_id = self.last_id.max(record.id);
        self.last_time_ns = now_ns;
        if self.summary.stopped.is_some() {
            self.summary.lost += 1;
            return;
        }
        if self.buffered == 0 {
            self.first_in_frame_ns = now_ns;
        }
        let before = self.lines.len();
        match serde_json::to_writer(&mut self.lines, record) {
            Ok(()) => {
                self.lines.push(b'\n');
                self.buffered += 1;
            }
            Err(error) => {
                self.lines.truncate(before);
                self.stop(format!("a record could not be encoded: {error}"), 1);
            }
        }
        self.flush_if_due(now_ns);
    }

    /// Writes the frame if it is due; to be called when nothing arrives, too.
    pub fn flush_if_due(&mut self, now_ns: u64) {
        let due = now_ns.saturating_sub(self.first_in_frame_ns) >= FRAME_NS;
        if self.buffered > 0 && (due || self.lines.len() >= FRAME_BYTES) {
            self.flush();
        }
    }

    /// Writes what is buffered and the count of what was lost, and closes the file.
    pub fn finish(mut self) -> Summary {
        if self.summary.stopped.is_none() {
            self.flush();
        }
        if self.summary.lost > 0 {
            self.write_last_frame();
        }
        if let Err(error) = self.file.set_len(self.summary.bytes) {
            self.summary.stopped.get_or_insert(format!("cannot trim the recording: {error}"));
        }
        self.summary
    }

    fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let frame = match self.frames.frame(&self.lines) {
            Ok(frame) => frame,
            Err(error) => return self.drop_frame(format!("cannot compress: {error}")),
        };
        let free = free_percent(&self.file);
        if let Some(why) = self.limits.refusal(self.summary.bytes, frame.len() as u64, free) {
            return self.drop_frame(why);
        }
        let written = self.reserve(frame.len() as u64).and_then(|()| self.file.write_all(&frame));
        if let Err(error) = written {
            return self.drop_frame(format!("cannot write: {error}"));
        }
        self.summary.bytes += frame.len() as u64;
        self.summary.records += self.buffered;
        self.lines.clear();
        self.buffered = 0;
    }

    /// Gives the current frame up, and all that follows: a file with a hole in the middle would read as complete.
    fn drop_frame(&mut self, why: String) {
        let lost = self.buffered;
        self.lines.clear();
        self.buffered = 0;
        self.stop(why, lost);
    }

    fn stop(&mut self, why: String, lost: u64) {
        self.first_lost_ns = self.first_in_frame_ns;
        self.summary.lost += lost;
        self.summary.stopped.get_or_insert(why);
    }

    fn write_last_frame(&mut self) {
        let loss = Loss {
            stage: Stage::Recording,
            program: self.summary.stopped.clone().unwrap_or_default(),
            count: self.summary.lost,
            since_ns: self.first_lost_ns,
        };
        let record =
            Record { id: self.last_id + 1, time_ns: self.last_time_ns, body: Body::Loss(loss) };
        let Ok(mut line) = serde_json::to_vec(&record) else { return };
        line.push(b'\n');
        let written = self.frames.frame(&line).and_then(|frame| {
            self.file.seek(SeekFrom::Start(self.summary.bytes))?;
            self.file.write_all(&frame)?;
            Ok(frame.len() as u64)
        });
        if let Ok(bytes) = written {
            self.summary.bytes += bytes;
            self.summary.records += 1;
        }
    }

    /// Allocates room for a frame of `more` bytes and for the last frame behind it, so that the last one always fits.
    /// File systems without `fallocate` only lose that certainty.
    fn reserve(&self, more: u64) -> std::io::Result<()> {
        let keep_size = rustix::fs::FallocateFlags::KEEP_SIZE;
        let room = more.saturating_add(RESERVE_BYTES);
        match rustix::fs::fallocate(&self.file, keep_size, self.summary.bytes, room) {
            Err(rustix::io::Errno::NOSPC) => Err(rustix::io::Errno::NOSPC.into()),
            _ => Ok(()),
        }
    }
}
