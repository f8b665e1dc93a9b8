//! How much a recording may take: its cap, and the free space that it leaves to others.

use std::fs::File;

/// Bounds of a recording.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest size of the file, bytes.
    pub max_bytes: u64,
    /// Recording stops when less than this share of the file system is free, per cent.
    pub min_free_percent: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_bytes: 512 * 1024 * 1024, min_free_percent: 15 }
    }
}

impl Limits {
    /// Why a file of `size` bytes must not grow by `more`; `None`: it may. `free_percent`: as [`free_percent`] says.
    pub fn refusal(&self, size: u64, more: u64, free_percent: Option<u8>) -> Option<String> {
        if size.saturating_add(more) > self.max_bytes {
            return Some(format!("the recording has reached its cap of {} bytes", self.max_bytes));
        }
        match free_percent {
            Some(free) if free < self.min_free_percent => Some(format!(
                "only {free} % of the file system is free, and {} % are left to others",
                self.min_free_percent
            )),
            _ => None,
        }
    }
}

/// Free share of the file system that holds `file`, per cent, as `df` counts it: of what is used and what this user may
/// still use. `None` where the kernel does not say.
pub fn free_percent(file: &File) -> Option<u8> {
    let status = rustix::fs::fstatvfs(file).ok()?;
    let used = status.f_blocks.checked_sub(status.f_bfree)?;
    let usable = used.checked_add(status.f_bavail)?;
    let percent = status.f_bavail.checked_mul(100)?.checked_div(usable)?;
    u8::try_from(percent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_cap_and_below_the_free_share() {
        let limits = Limits { max_bytes: 1000, min_free_percent: 15 };
        assert_eq!(limits.refusal(900, 100, Some(15)), None);
        assert_eq!(limits.refusal(900, 100, None), None);
        assert!(limits.refusal(900, 101, Some(50)).is_some_and(|why| why.contains("cap")));
        assert!(limits.refusal(0, 1, Some(14)).is_some_and(|why| why.contains("14 %")));
    }
}
