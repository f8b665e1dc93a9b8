//! What the host has configured for conntrack events. Read, never written.
//!
//! In: a `sys/net/netfilter` directory of `/proc`. Out: [`Settings`]; every one `None` where conntrack is not loaded.

use std::path::Path;

/// `net.netfilter.nf_conntrack_*` of the reader's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// `nf_conntrack_events`: 0 = no events at all, 1 = always, 2 = for flows that begin while somebody listens.
    pub events: Option<u32>,
    /// `nf_conntrack_timestamp`: 1 = events carry the kernel's time.
    pub timestamp: Option<u32>,
    /// `nf_conntrack_count`: entries now.
    pub entries: Option<u32>,
    /// `nf_conntrack_max`: from here on new connections are dropped.
    pub limit: Option<u32>,
}

/// Reads the settings. `proc` is normally `/proc`.
pub fn read(proc: &Path) -> Settings {
    let directory = proc.join("sys/net/netfilter");
    let number = |name: &str| {
        std::fs::read_to_string(directory.join(name)).ok().and_then(|text| text.trim().parse().ok())
    };
    Settings {
        events: number("nf_conntrack_events"),
        timestamp: number("nf_conntrack_timestamp"),
        entries: number("nf_conntrack_count"),
        limit: number("nf_conntrack_max"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_unknown() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(read(proc.path()), Settings::default());
        let directory = proc.path().join("sys/net/netfilter");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("nf_conntrack_events"), "0\n").unwrap();
        std::fs::write(directory.join("nf_conntrack_timestamp"), "maybe\n").unwrap();
        let settings = read(proc.path());
        assert_eq!((settings.events, settings.timestamp), (Some(0), None));
    }
}
