//! One time base: monotonic times of the recording as moments with a wall clock and an offset from the update's start.
//!
//! In: the recording's own clock calibrations and the update's start. Out: [`Moment`]s.

use super::report::{ClockLine, ClockStep, Moment};
use crate::attribute::clock::{ClockMap, Step};

/// Turns times into moments.
#[derive(Debug, Clone, Default)]
pub struct TimeBase {
    clock: ClockMap,
    start_ns: Option<u64>,
}

impl TimeBase {
    /// From the clock calibrations, and the update's start where it is known.
    pub fn new(clock: ClockMap, start_ns: Option<u64>) -> Self {
        Self { clock, start_ns }
    }

    /// How well times of day are known.
    pub fn clock_line(&self) -> Option<ClockLine> {
        let steps = self.clock.steps();
        let step = |step: &Step| ClockStep {
            from: self.at(step.from_ns),
            to: self.at(step.to_ns),
            by_ns: step.by_ns,
        };
        Some(ClockLine {
            error_ns: self.clock.error_ns()?,
            steps: steps.iter().map(step).collect(),
        })
    }

    /// The moment at `time_ns`. A stepped wall clock counts from the calibration that saw the step.
    pub fn at(&self, time_ns: u64) -> Moment {
        Moment {
            time_ns,
            unix_ns: self.clock.unix_at(time_ns).map(|unix| unix.ns),
            offset_ns: self.start_ns.map(|start| distance(start, time_ns)),
        }
    }
}

/// `to − from` in ns, saturating.
fn distance(from: u64, to: u64) -> i64 {
    let limit = if to > from { i64::MAX } else { i64::MIN };
    i64::try_from(i128::from(to) - i128::from(from)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::meta::Clock;

    #[test]
    fn a_stepped_clock_counts_from_the_calibration_that_saw_the_step() {
        let mut clock = ClockMap::default();
        clock.observe(1_000, &Clock { unix_ns: 90_000, error_ns: 0 });
        clock.observe(500, &Clock { unix_ns: 10_500, error_ns: 0 });
        let base = TimeBase::new(clock, Some(700));
        let at = |time| (base.at(time).unix_ns, base.at(time).offset_ns);
        assert_eq!(at(400), (Some(10_400), Some(-300)));
        assert_eq!(at(999), (Some(10_999), Some(299)));
        assert_eq!(at(1_001), (Some(90_001), Some(301)));
    }

    #[test]
    fn hostile_times_saturate() {
        let base = TimeBase::new(ClockMap::default(), Some(0));
        assert_eq!(base.at(u64::MAX).offset_ns, Some(i64::MAX));
        let alone = TimeBase::default().at(5);
        assert_eq!((alone.unix_ns, alone.offset_ns), (None, None));
    }
}
