//! Pauses between attempts: doubling, capped, spread, so that no failure becomes a fast loop.
//!
//! In: how long the last attempt lived. Out: how long to wait before the next one.

use super::Timing;
use std::time::Duration;

/// The pauses of one watch.
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts with the first pause.
    pub(crate) fn new(timing: &Timing) -> Self {
        Backoff { first: timing.pause_first, most: timing.pause_most, next: timing.pause_first }
    }

    /// The pause after an attempt that lived for `lived`. An attempt that outlived the longest pause starts the row
    /// anew. `noise` spreads the pause over 75–125 % so that nodes do not come back in step.
    pub(crate) fn pause(&mut self, lived: Duration, noise: u64) -> Duration {
        if lived > self.most {
            self.next = self.first;
        }
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        pause * (75 + (noise % 51) as u32) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_start_anew_after_a_long_life() {
        let timing = Timing {
            pause_first: Duration::from_millis(200),
            pause_most: Duration::from_secs(1),
            ..Timing::default()
        };
        let mut backoff = Backoff::new(&timing);
        let at = |backoff: &mut Backoff, lived| backoff.pause(lived, 25).as_millis();
        let short = Duration::from_millis(10);
        let pauses: Vec<_> = (0..5).map(|_| at(&mut backoff, short)).collect();
        assert_eq!(pauses, [200, 400, 800, 1000, 1000]);
        assert_eq!(at(&mut backoff, Duration::from_secs(60)), 200);
    }

    #[test]
    fn noise_stays_within_a_quarter() {
        for noise in [0, 50, 51, u64::MAX] {
            let pause = Backoff::new(&Timing::default()).pause(Duration::ZERO, noise).as_millis();
            assert!((150..=250).contains(&pause), "{pause}");
        }
    }
}
