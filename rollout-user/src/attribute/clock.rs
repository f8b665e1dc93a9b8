//! Monotonic time ↔ Unix time, from the `Clock` records of a recording; steps of the Unix clock included.
//!
//! In: pairs of readings. Out: conversions with an error, and lower bounds for API timestamps.

use crate::record::meta::{Clock, ServerClock};
use serde::Serialize;
use std::collections::BTreeMap;

/// Nanoseconds of a second.
const SECOND_NS: i64 = 1_000_000_000;

/// By how much another machine's clock (API server, remote kubelet) may be ahead of this node's where nothing else is
/// known, ns.
/// A clock that is behind makes intervals longer, never wrong.
pub const CLOCK_SKEW_NS: u64 = 250_000_000;

/// A clock that moved by more than this share of the time between two readings was set, not slewed: `adjtimex` slews by
/// at most 10 % (`tick`), and NTP by far less.
const SLEW_SHARE: u64 = 10;
/// Whatever the time between two readings, less than this is no step, ns.
const STEP_NS: u64 = 1_000_000;

/// A converted time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Converted {
    /// The converted time, ns.
    pub ns: i64,
    /// The truth is within plus or minus this, ns.
    pub error_ns: u64,
}

/// The Unix clock was set: between two readings it moved by more than any slewing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// After this monotonic time, ns…
    pub from_ns: u64,
    /// …and before this one.
    pub to_ns: u64,
    /// Forwards, or back where negative, ns.
    pub by_ns: i64,
}

/// Offsets between `CLOCK_MONOTONIC` and Unix time over a recording.
#[derive(Debug, Clone, Default)]
pub struct ClockMap {
    /// By monotonic time: Unix minus monotonic, and the reading's error; both ns.
    offsets: BTreeMap<u64, (i64, u64)>,
    /// The most by which the API server's clock was measured to be ahead of this node's, ns.
    server_ahead_ns: u64,
}

impl ClockMap {
    /// Takes in one pair of readings made at `time_ns`.
    pub fn observe(&mut self, time_ns: u64, clock: &Clock) {
        let offset = clock.unix_ns.saturating_sub(signed(time_ns));
        let reading = (offset, clock.error_ns);
        // Two readings at one time: the smaller wins, whatever the order of arrival.
        let kept = self.offsets.entry(time_ns).or_insert(reading);
        *kept = (*kept).min(reading);
    }

    /// Takes in how far the API server's clock is ahead. Only a clock that is further ahead than [`CLOCK_SKEW_NS`]
    /// matters: one that is behind makes intervals longer, never wrong.
    pub fn observe_server(&mut self, clock: &ServerClock) {
        let ahead = u64::try_from(clock.ahead_at_most_ns).unwrap_or(0);
        self.server_ahead_ns = self.server_ahead_ns.max(ahead);
    }

    /// By how much a foreign stamp can be ahead of this node's clock, ns.
    fn skew_ns(&self) -> i64 {
        signed(self.server_ahead_ns.max(CLOCK_SKEW_NS))
    }

    /// Whether a conversion is possible at all.
    pub fn is_known(&self) -> bool {
        !self.offsets.is_empty()
    }

    /// Monotonic → Unix. Between two readings whose offsets differ the clock was stepped or slewed at an unknown
    /// moment: the earlier offset is used, and the difference is part of the error. `None` without a reading.
    pub fn unix_at(&self, time_ns: u64) -> Option<Converted> {
        let before = self.offsets.range(..=time_ns).next_back().map(|(_, reading)| *reading);
        let after = self.offsets.range(time_ns..).next().map(|(_, reading)| *reading);
        let (offset, error) = before.or(after)?;
        let moved = after.map_or(0, |(next, _)| next.abs_diff(offset));
        let error_ns = error.saturating_add(moved);
        Some(Converted { ns: signed(time_ns).saturating_add(offset), error_ns })
    }

    /// Moments at which the Unix clock was set, by time. [`ClockMap::unix_at`] is off by as much between their two ends.
    pub fn steps(&self) -> Vec<Step> {
        self.moves().filter(|(step, error)| is_step(step, *error)).map(|(step, _)| step).collect()
    }

    /// The largest error of a conversion, steps apart, ns. `None` without a reading.
    pub fn error_ns(&self) -> Option<u64> {
        let readings = self.offsets.values().map(|(_, error)| *error);
        let slewed = self
            .moves()
            .filter(|(step, error)| !is_step(step, *error))
            .map(|(step, error)| step.by_ns.unsigned_abs().saturating_add(error));
        readings.chain(slewed).max()
    }

    /// What the offset did from each reading to the next, and the earlier one's error.
    fn moves(&self) -> impl Iterator<Item = (Step, u64)> + '_ {
        let later = self.offsets.iter().skip(1);
        self.offsets.iter().zip(later).map(|((from, (before, error)), (to, (after, _)))| {
            let by_ns = after.saturating_sub(*before);
            (Step { from_ns: *from, to_ns: *to, by_ns }, *error)
        })
    }

    /// The earliest monotonic time, ns, at which a moment stamped `unix_seconds` (rounded down) by the API server
    /// or a kubelet can have been: less the readings' error and [`CLOCK_SKEW_NS`]. `None` without a reading.
    pub fn not_before(&self, unix_seconds: i64) -> Option<u64> {
        let unix_ns = unix_seconds.saturating_mul(SECOND_NS);
        let readings: Vec<_> = self.offsets.iter().collect();
        let mut fitting: Option<i64> = None;
        let mut lowest: Option<i64> = None;
        for (index, (_, (offset, error))) in readings.iter().enumerate() {
            let moment = unix_ns.saturating_sub(*offset).saturating_sub(signed(*error));
            lowest = Some(lowest.map_or(moment, |known| known.min(moment)));
            // An offset may hold from just after the previous reading until just before the next.
            let from =
                index.checked_sub(1).and_then(|i| readings.get(i)).map_or(0, |(time, _)| **time);
            let to = readings.get(index + 1).map_or(u64::MAX, |(time, _)| **time);
            let slack = self.skew_ns().saturating_add(SECOND_NS);
            let starts_in_time = index == 0 || moment.saturating_add(slack) >= signed(from);
            if starts_in_time && moment <= signed(to) {
                fitting = Some(fitting.map_or(moment, |known| known.min(moment)));
            }
        }
        let moment = fitting.or(lowest)?;
        Some(u64::try_from(moment.saturating_sub(self.skew_ns())).unwrap_or(0))
    }
}

fn is_step(step: &Step, error_ns: u64) -> bool {
    let slewed = (step.to_ns - step.from_ns) / SLEW_SHARE;
    step.by_ns.unsigned_abs() > slewed.max(STEP_NS).saturating_add(error_ns)
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_is_slewed() {
        const S: u64 = 1_000_000_000;
        let mut map = ClockMap::default();
        assert_eq!((map.error_ns(), map.steps()), (None, Vec::new()));
        let offsets = [(0, 700), (S, 700), (2 * S, 500_700), (3 * S, -60_000_000_000)];
        for (at, offset) in offsets {
            map.observe(at, &Clock { unix_ns: signed(at) + offset, error_ns: 50 });
        }
        assert_eq!(map.error_ns(), Some(500_050));
        let by_ns = -60_000_500_700;
        assert_eq!(map.steps(), [Step { from_ns: 2 * S, to_ns: 3 * S, by_ns }]);
    }

    #[test]
    fn a_server_whose_clock_is_far_ahead_stamps_earlier_moments() {
        let mut map = ClockMap::default();
        map.observe(1_000, &Clock { unix_ns: 10_000_001_000, error_ns: 0 });
        let before = map.not_before(20);
        map.observe_server(&ServerClock { ahead_at_least_ns: -5, ahead_at_most_ns: 100 });
        assert_eq!(map.not_before(20), before);
        let ahead = 3_000_000_000;
        map.observe_server(&ServerClock { ahead_at_least_ns: ahead, ahead_at_most_ns: ahead });
        let shift = before.zip(map.not_before(20)).map(|(before, after)| before - after);
        assert_eq!(shift, Some(3_000_000_000 - CLOCK_SKEW_NS));
    }
}
