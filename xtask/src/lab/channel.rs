//! The command channel between host and guest: one TCP connection for each command, any bytes both ways.
//! Comes in and goes out: frames of a kind (1 byte), a length (4 bytes, big endian) and that many bytes.
//! Both ends share this file; the guest's program includes it by path.

use std::io::{self, Read, Write};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To the guest, once and first: the command as JSON list of words.
    Command,
    /// To the guest: bytes for standard input; none: its end.
    Input,
    /// To the host: bytes of standard output.
    Output,
    /// To the host: bytes of standard error.
    Error,
    /// To the host, once and last: the exit code, 4 bytes, big endian; 128 + n for a signal n.
    Exit,
}

const KINDS: [(u8, Kind); 5] = [
    (b'C', Kind::Command),
    (b'I', Kind::Input),
    (b'O', Kind::Output),
    (b'E', Kind::Error),
    (b'X', Kind::Exit),
];

/// Largest payload; both ends cut their data into pieces of this size.
pub const LARGEST: usize = 64 * 1024;

/// Writes a frame.
///
/// # Errors
/// When the connection is gone, or the payload is larger than [`LARGEST`].
pub fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let size = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= LARGEST);
    let size = size.ok_or_else(|| io::Error::other("frame too large"))?;
    let letter = KINDS.iter().find(|(_, known)| *known == kind).map_or(0, |(letter, _)| *letter);
    let mut frame = Vec::with_capacity(payload.len() + 5);
    frame.push(letter);
    frame.extend_from_slice(&size.to_be_bytes());
    frame.extend_from_slice(payload);
    to.write_all(&frame)?;
    to.flush()
}

/// Reads a frame; `None` at the end of the stream between two frames.
///
/// # Errors
/// When the connection breaks, or what comes is no frame.
pub fn read(from: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut letter = [0];
    if from.read(&mut letter)? == 0 {
        return Ok(None);
    }
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    let kind = KINDS.iter().find(|(known, _)| *known == letter[0]).map(|(_, kind)| *kind);
    let Some(kind) = kind.filter(|_| size <= LARGEST) else {
        return Err(io::Error::other("not a frame"));
    };
    let mut payload = vec![0; size];
    from.read_exact(&mut payload)?;
    Ok(Some((kind, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_written() {
        let mut bytes = Vec::new();
        for (kind, payload) in [(Kind::Output, &b"\0\xff\n"[..]), (Kind::Input, b"")] {
            write(&mut bytes, kind, payload).unwrap();
        }
        let mut from = &bytes[..];
        assert_eq!(read(&mut from).unwrap(), Some((Kind::Output, b"\0\xff\n".to_vec())));
        assert_eq!(read(&mut from).unwrap(), Some((Kind::Input, Vec::new())));
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn a_cut_or_foreign_stream_is_an_error_and_allocates_nothing_large() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Exit, &[0, 0, 0, 3]).unwrap();
        assert!(read(&mut &bytes[..7]).is_err());
        assert!(read(&mut &b"GET / HTTP/1.0\r\n"[..]).is_err());
        assert!(read(&mut &b"O\xff\xff\xff\xff"[..]).is_err());
        assert!(write(&mut Vec::new(), Kind::Output, &vec![0; LARGEST + 1]).is_err());
    }
}
