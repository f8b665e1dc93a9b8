//! Reads a recording back, up to its end or its first damage, with bounded memory.
//!
//! In: a file of any origin. Out: records in file order, then a [`Ending`] that says how the file ended, and a count of
//! lines that this build cannot read. A recording of a newer format is refused with a hint.

use super::frame::FrameReader;
use crate::error::{HintExt, hinted};
use crate::present::escape;
use crate::record::meta::{FORMAT_VERSION, Loss, Stage};
use crate::record::{Body, Record};
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

/// Longest line that is read, bytes; longer ones are counted as unreadable.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// How a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// At the end of a frame.
    Whole,
    /// In the middle of a frame, or at bytes that are no frame.
    Damaged {
        /// Number of the frame that could not be read whole, from 1.
        frame: u64,
        /// Where that frame begins, bytes from the start of the file.
        offset: u64,
        /// What the decoder said.
        why: String,
    },
}

/// A recording that is being read.
pub struct Reader {
    source: Option<FrameState>,
    frame: u64,
    frame_offset: u64,
    line: Vec<u8>,
    ending: Ending,
    unreadable: u64,
    last: (u64, u64),
    /// Time of the first record, ns.
    first_ns: Option<u64>,
    loss_told: bool,
}

enum FrameState {
    Between(BufReader<File>),
    Inside(Box<BufReader<FrameReader<BufReader<File>>>>),
}

impl Reader {
    /// Opens a recording and checks its header.
    ///
    /// # Errors
    /// When the file cannot be opened, is no recording, or is of a newer format.
    pub fn open(path: &Path) -> anyhow::Result<Reader> {
        let name = path.display();
        let file = File::open(path).hint(
            format!("cannot open the recording `{name}`"),
            "give the path that `rollout watch` printed, or one written with `--record`",
        )?;
        let mut probe = Reader::over(file.try_clone().context("cannot read the recording")?);
        let not_one = || {
            hinted(
                format!("`{name}` is not a recording of rollout"),
                "a recording is made by `rollout watch` or `rollout trace --record FILE`",
            )
        };
        let first = probe.next().ok_or_else(not_one)?;
        let Body::Header(header) = first.body else { return Err(not_one()) };
        if header.format > FORMAT_VERSION {
            return Err(hinted(
                format!(
                    "the recording `{name}` has format {}, and this build reads up to {FORMAT_VERSION}",
                    header.format
                ),
                format!("read it with rollout {} or newer", escape::name(&header.version)),
            ));
        }
        let mut file = file;
        file.rewind().context("cannot rewind the recording")?;
        Ok(Reader::over(file))
    }

    fn over(file: File) -> Reader {
        Reader {
            source: Some(FrameState::Between(BufReader::new(file))),
            frame: 0,
            frame_offset: 0,
            line: Vec::new(),
            ending: Ending::Whole,
            unreadable: 0,
            last: (0, 0),
            first_ns: None,
            loss_told: false,
        }
    }

    /// How the file ended; to be asked after the last record.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Lines that are no record of a kind that this build knows.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn next_line(&mut self) -> Option<()> {
        loop {
            self.line.clear();
            let mut inside = match self.source.take()? {
                FrameState::Inside(inside) => inside,
                FrameState::Between(source) => Box::new(self.begin_frame(source)?),
            };
            let read = inside.by_ref().take(LINE_MAX).read_until(b'\n', &mut self.line);
            match read {
                Ok(0) => {
                    let source = inside.into_inner().into_source();
                    self.source = Some(FrameState::Between(source));
                }
                Ok(_) => {
                    self.source = Some(FrameState::Inside(inside));
                    return Some(());
                }
                Err(error) => {
                    self.damaged(&error);
                    return None;
                }
            }
        }
    }

    /// `None` at the regular end of the file.
    fn begin_frame(
        &mut self,
        mut source: BufReader<File>,
    ) -> Option<BufReader<FrameReader<BufReader<File>>>> {
        self.frame += 1;
        self.frame_offset = source.stream_position().unwrap_or(self.frame_offset);
        let begun = match source.fill_buf() {
            Ok([]) => return None,
            Ok(_) => FrameReader::new(source),
            Err(error) => Err(error),
        };
        match begun {
            Ok(reader) => Some(BufReader::with_capacity(128 * 1024, reader)),
            Err(error) => {
                self.damaged(&error);
                None
            }
        }
    }

    fn damaged(&mut self, error: &std::io::Error) {
        self.source = None;
        self.ending = Ending::Damaged {
            frame: self.frame,
            offset: self.frame_offset,
            why: error.to_string(),
        };
    }

    /// What could not be read becomes a loss of its own at the end of the stream, so that it lowers certainty.
    fn final_loss(&mut self) -> Option<Record> {
        if self.loss_told {
            return None;
        }
        self.loss_told = true;
        let (program, count) = match &self.ending {
            Ending::Damaged { frame, offset, why } => {
                (format!("frame {frame} at byte {offset}: {why}"), 0)
            }
            Ending::Whole if self.unreadable > 0 => {
                ("lines of an unknown kind".to_owned(), self.unreadable)
            }
            Ending::Whole => return None,
        };
        let (id, time_ns) = self.last;
        // A line that was not understood may lie anywhere; what a damaged file lacks comes after its last record.
        let since_ns = match self.ending {
            Ending::Whole => self.first_ns.unwrap_or(time_ns),
            Ending::Damaged { .. } if self.unreadable > 0 => self.first_ns.unwrap_or(time_ns),
            Ending::Damaged { .. } => time_ns,
        };
        let loss = Loss { stage: Stage::Read, program, count, since_ns };
        Some(Record { id: id + 1, time_ns, body: Body::Loss(loss) })
    }
}

impl Iterator for Reader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.next_line().is_some() {
            match serde_json::from_slice::<Record>(&self.line) {
                Ok(record) => {
                    self.first_ns.get_or_insert(record.time_ns);
                    self.last = (self.last.0.max(record.id), record.time_ns);
                    return Some(record);
                }
                Err(_) => self.unreadable += 1,
            }
        }
        self.final_loss()
    }
}
