//! Facts about this node and its clocks.
//!
//! In: the environment, `/proc`, the clocks. Out: the pieces of a recording's header, and [`Clock`] readings.

use crate::record::meta::Clock;
use crate::timeline::monotonic_ns;
use anyhow::{Context, Result};
use std::path::Path;

/// The clock pair is read so often; the tightest reading wins.
const CLOCK_TRIES: usize = 5;

/// The node's name: `given` (a flag), else `NODE_NAME`, else the host name, which is kubelet's default.
pub fn node_name(given: Option<&str>) -> String {
    let from_environment = || std::env::var("NODE_NAME").ok();
    given
        .map(str::to_owned)
        .or_else(from_environment)
        .filter(|name| !name.is_empty())
        // kubelet lower-cases the host name (`nodeutil.GetHostname`).
        .unwrap_or_else(|| {
            rustix::system::uname().nodename().to_string_lossy().trim().to_lowercase()
        })
}

/// `uname -r`.
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Identifies this boot; monotonic times compare only within one. `proc` is normally `/proc`.
pub fn boot_id(proc: &Path) -> Result<String> {
    let path = proc.join("sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Reads `CLOCK_REALTIME` between two readings of `CLOCK_MONOTONIC`. Gives the monotonic time in ns to which the pair
/// belongs, and the pair.
pub fn clock() -> (u64, Clock) {
    let mut best = reading();
    for _ in 1..CLOCK_TRIES {
        let next = reading();
        if next.1.error_ns < best.1.error_ns {
            best = next;
        }
    }
    best
}

fn reading() -> (u64, Clock) {
    let before = monotonic_ns();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let after = monotonic_ns();
    let error_ns = after.saturating_sub(before).div_ceil(2);
    let unix_ns = now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec);
    (before.saturating_add(error_ns), Clock { unix_ns, error_ns })
}

/// Converts a Unix time in ns to monotonic ns by a clock pair; `None` before the machine's boot.
pub fn monotonic_of(unix_ns: i64, pair: &(u64, Clock)) -> Option<u64> {
    let since_pair = i128::from(unix_ns) - i128::from(pair.1.unix_ns);
    u64::try_from(i128::from(pair.0) + since_pair).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_and_an_empty_one_does_not_count() {
        assert_eq!(node_name(Some("node-7")), "node-7");
        assert!(!node_name(Some("")).is_empty());
    }

    #[test]
    fn a_clock_pair_lies_between_two_readings() {
        let before = monotonic_ns();
        let (at, pair) = clock();
        assert!(before <= at && at <= monotonic_ns().saturating_add(pair.error_ns));
        assert!(pair.unix_ns > 1_600_000_000_000_000_000);
    }

    #[test]
    fn conversion_goes_both_sides_of_the_pair_and_stops_at_boot() {
        let pair = (1_000, Clock { unix_ns: 5_000_000, error_ns: 0 });
        assert_eq!(monotonic_of(5_000_500, &pair), Some(1_500));
        assert_eq!(monotonic_of(4_999_500, &pair), Some(500));
        assert_eq!(monotonic_of(i64::MIN, &pair), None);
    }

    #[test]
    fn this_boot_has_an_id() {
        assert_eq!(boot_id(Path::new("/proc")).unwrap().len(), 36);
        assert!(boot_id(Path::new("/no/such/proc")).is_err());
    }
}
