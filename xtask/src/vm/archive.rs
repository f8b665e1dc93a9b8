//! Writes an initramfs: a cpio archive in the `newc` format (kernel: Documentation/driver-api/early-userspace).
//! Comes in: folders, files and devices. Goes out: the bytes. Parents of a path are added by themselves.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const CHARACTER: u32 = 0o020_000;

/// An archive that is being written.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// Adds an empty folder; `path` is absolute, as all paths here.
    pub fn folder(&mut self, path: &str) {
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER | 0o755, &[], (0, 0));
        }
    }

    /// Adds a file that everybody may read and run.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.parents(path);
        self.entry(path, FILE | 0o755, content, (0, 0));
    }

    /// Adds a character device.
    pub fn character(&mut self, path: &str, major: u32, minor: u32) {
        self.parents(path);
        self.entry(path, CHARACTER | 0o600, &[], (major, minor));
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("/TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        let ancestors: Vec<_> = Path::new(path).ancestors().skip(1).collect();
        for parent in
            ancestors.into_iter().rev().filter_map(Path::to_str).filter(|path| *path != "/")
        {
            if self.folders.insert(parent.to_owned()) {
                self.entry(parent, FOLDER | 0o755, &[], (0, 0));
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let name = path.trim_start_matches('/');
        // More than 4 GiB does not fit the format, and no guest has that much memory.
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let links = 1;
        let fields =
            [self.entries, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name_size, 0];
        let mut header = String::from("070701");
        for field in fields {
            // Writing into a string cannot fail.
            let _ = write!(header, "{field:08x}");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_padding_follow_the_format() {
        let mut archive = Archive::default();
        archive.file("/init", b"abcde");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081ed");
        assert_eq!(&bytes[54..62], b"00000005");
        assert_eq!(&bytes[94..102], b"00000005");
        assert_eq!(&bytes[110..115], b"init\0");
        assert_eq!(&bytes[116..121], b"abcde");
        assert_eq!(&bytes[124..130], b"070701");
        assert!(bytes.windows(11).any(|part| part == b"TRAILER!!!\0"));
    }

    #[test]
    fn each_parent_is_written_once_and_before_its_children() {
        let mut archive = Archive::default();
        archive.file("/lib/a/one", b"1");
        archive.file("/lib/a/two", b"2");
        archive.folder("/lib/a");
        archive.character("/dev/console", 5, 1);
        let names = listed(&archive.finish());
        assert_eq!(names, ["lib", "lib/a", "lib/a/one", "lib/a/two", "dev", "dev/console"]);
    }

    fn listed(bytes: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = bytes;
        loop {
            let number = |at: usize| {
                usize::from_str_radix(std::str::from_utf8(&rest[at..at + 8]).unwrap(), 16)
            };
            let (size, name_size) = (number(54).unwrap(), number(94).unwrap());
            let name = std::str::from_utf8(&rest[110..110 + name_size - 1]).unwrap();
            if name == "TRAILER!!!" {
                return names;
            }
            names.push(name.to_owned());
            rest = &rest[(110 + name_size).next_multiple_of(4) + size.next_multiple_of(4)..];
        }
    }
}
