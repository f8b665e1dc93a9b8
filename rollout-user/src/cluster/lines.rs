//! Lines of a watch, each with the moment at which its last bytes reached this process.
//!
//! In: a byte stream. Out: whole lines; a stream that ends inside a line is an error, not a line.

use crate::timeline::monotonic_ns;
use futures::{AsyncBufRead, AsyncBufReadExt};
use std::io;

/// Longest line that is read. etcd refuses objects above 1.5 MiB by default.
const LONGEST: usize = 16 * 1024 * 1024;

/// Splits a stream into lines. [`Lines::next`] may be cancelled: what was read is kept.
pub(crate) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// Bytes of the reader's current chunk that were not consumed yet.
    left: usize,
    /// When that chunk came.
    stamp_ns: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Starts with nothing read.
    pub(crate) fn new(reader: R) -> Self {
        Lines { reader, line: Vec::new(), left: 0, stamp_ns: 0 }
    }

    /// The next line with its time in ns of `CLOCK_MONOTONIC`; `None` at a regular end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            if self.left == 0 {
                self.stamp_ns = monotonic_ns();
                self.left = chunk.len();
            }
            if chunk.is_empty() {
                if self.line.is_empty() {
                    return Ok(None);
                }
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the stream ended inside a line, after {} bytes", self.line.len()),
                ));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (text, used) = match end {
                Some(end) => (chunk.get(..end), end + 1),
                None => (Some(chunk), chunk.len()),
            };
            self.line.extend_from_slice(text.unwrap_or_default());
            self.reader.consume_unpin(used);
            self.left = self.left.saturating_sub(used);
            if self.line.len() > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a line is longer than {LONGEST} bytes"),
                ));
            }
            if end.is_some() {
                return Ok(Some((self.stamp_ns, std::mem::take(&mut self.line))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    fn lines(chunks: Vec<&'static [u8]>) -> Lines<impl AsyncBufRead + Unpin> {
        let chunks = chunks.into_iter().map(Ok::<_, io::Error>);
        Lines::new(futures::stream::iter(chunks).into_async_read())
    }

    #[tokio::test]
    async fn lines_that_came_together_have_one_time_and_later_ones_a_later() {
        let mut lines = lines(vec![b"one\ntwo\nthr", b"ee\n"]);
        let (first, one) = lines.next().await.unwrap().unwrap();
        let (second, two) = lines.next().await.unwrap().unwrap();
        let (third, three) = lines.next().await.unwrap().unwrap();
        assert_eq!((one, two, three), (b"one".to_vec(), b"two".to_vec(), b"three".to_vec()));
        assert_eq!(first, second);
        assert!(third > second);
        assert!(lines.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_end_inside_a_line_is_an_error() {
        let mut lines = lines(vec![b"one\n", b"tw"]);
        assert!(lines.next().await.unwrap().is_some());
        let error = lines.next().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused() {
        static CHUNK: [u8; 1 << 20] = [b'x'; 1 << 20];
        let mut lines = lines(vec![&CHUNK; 20]);
        assert_eq!(lines.next().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
