//! One zstd frame: compressing a second's lines, and reading one back with bounded memory.

use std::io::{self, BufRead, Read};
use zstd::stream::raw::CParameter;

/// Compression level: fast enough for the ring reader's rate, and within a few per cent of the default's size.
const LEVEL: i32 = 3;
/// Largest window that a reader accepts, as a power of two: bounds memory against hostile files (8 MiB).
const WINDOW_LOG_MAX: u32 = 23;

/// Compresses whole frames; keeps its context between them.
pub struct FrameWriter {
    compressor: zstd::bulk::Compressor<'static>,
}

impl FrameWriter {
    /// # Errors
    /// When zstd cannot allocate its context.
    pub fn new() -> io::Result<FrameWriter> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(FrameWriter { compressor })
    }

    /// Compresses `lines` into one independent frame with a checksum.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn frame(&mut self, lines: &[u8]) -> io::Result<Vec<u8>> {
        self.compressor.compress(lines)
    }
}

/// A reader of exactly one frame that leaves `source` at the next one.
pub struct FrameReader<R: BufRead> {
    decoder: zstd::stream::read::Decoder<'static, R>,
}

impl<R: BufRead> FrameReader<R> {
    /// # Errors
    /// When zstd cannot allocate its context.
    pub fn new(source: R) -> io::Result<FrameReader<R>> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?.single_frame();
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(FrameReader { decoder })
    }

    /// Gives the source back, behind the frame that was read.
    pub fn into_source(self) -> R {
        self.decoder.finish()
    }
}

impl<R: BufRead> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}
