//! Counts of the last minute, second by second, by the events' own times.
//!
//! In: events with their times, ns. Out: sums over the last seconds before a given time. Memory: one minute, whatever comes.

use std::collections::BTreeMap;

/// Seconds that are kept.
pub const KEPT: u64 = 60;
const SECOND_NS: u64 = 1_000_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// SYNs, first ones and those sent again.
    pub syns: u64,
    /// Connects that ended without a connection.
    pub failed: u64,
    /// Connects that succeeded only after their SYN was sent again.
    pub slowed: u64,
    /// SYNs sent again.
    pub resent: u64,
    /// Events of any kind.
    pub events: u64,
}

impl Sums {
    /// Adds another sum.
    pub fn add(&mut self, more: Sums) {
        self.syns += more.syns;
        self.failed += more.failed;
        self.slowed += more.slowed;
        self.resent += more.resent;
        self.events += more.events;
    }
}

/// One thing's last minute, and its total.
#[derive(Debug, Clone, Default)]
pub struct Window {
    seconds: BTreeMap<u64, Sums>,
    total: Sums,
}

impl Window {
    /// Counts what happened at `time_ns`.
    pub fn count(&mut self, time_ns: u64, what: Sums) {
        self.total.add(what);
        self.seconds.entry(time_ns / SECOND_NS).or_default().add(what);
        while self.seconds.len() as u64 > KEPT {
            self.seconds.pop_first();
        }
    }

    /// What happened in the `seconds` up to `now_ns`, the second that has begun included.
    pub fn last(&self, now_ns: u64, seconds: u64) -> Sums {
        let now = now_ns / SECOND_NS;
        let first = (now + 1).saturating_sub(seconds.min(KEPT));
        let mut sums = Sums::default();
        self.seconds.range(first..=now).for_each(|(_, one)| sums.add(*one));
        sums
    }

    /// All that was ever counted.
    pub fn total(&self) -> Sums {
        self.total
    }

    /// The last second in which something was counted.
    pub fn newest(&self) -> u64 {
        self.seconds.last_key_value().map_or(0, |(second, _)| *second)
    }
}

/// Windows by key, at most so many: the one that is silent for longest makes room, and that is counted.
#[derive(Debug, Clone)]
pub struct Windows<K> {
    most: usize,
    by_key: BTreeMap<K, Window>,
    dropped: u64,
}

impl<K: Ord + Clone> Windows<K> {
    /// None yet.
    pub fn new(most: usize) -> Windows<K> {
        Windows { most, by_key: BTreeMap::new(), dropped: 0 }
    }

    /// Counts for `key`.
    pub fn count(&mut self, key: K, time_ns: u64, what: Sums) {
        self.by_key.entry(key).or_default().count(time_ns, what);
        if self.by_key.len() > self.most {
            self.make_room();
        }
    }

    /// The window of `key`, if anything was counted for it.
    pub fn get(&self, key: &K) -> Option<&Window> {
        self.by_key.get(key)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Window)> {
        self.by_key.iter()
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) {
        self.by_key.remove(key);
    }

    /// How many had to make room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// An eighth goes at once, so that this is rare.
    fn make_room(&mut self) {
        let mut newest: Vec<u64> = self.by_key.values().map(Window::newest).collect();
        newest.sort_unstable();
        let leaving = (self.most / 8).max(1);
        let limit = newest.get(leaving.saturating_sub(1)).copied().unwrap_or(u64::MAX);
        let mut left = leaving;
        self.by_key.retain(|_, window| {
            let goes = left > 0 && window.newest() <= limit;
            left -= usize::from(goes);
            !goes
        });
        self.dropped += (leaving - left) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Sums = Sums { syns: 1, failed: 0, slowed: 0, resent: 0, events: 0 };

    #[test]
    fn sums_are_by_event_time_and_forget_after_a_minute() {
        let mut window = Window::default();
        for second in [100, 95, 91, 90, 41, 40] {
            window.count(second * SECOND_NS + 5, SYN);
        }
        let syns = |now, seconds| window.last(now * SECOND_NS, seconds).syns;
        assert_eq!((syns(100, 10), syns(100, 60), syns(100, 600)), (3, 5, 5));
        assert_eq!((syns(105, 10), syns(200, 60)), (1, 0));
        assert_eq!(syns(99, 10), 3, "what is later than the moment does not count");
        assert_eq!(window.total().syns, 6);
    }

    #[test]
    fn memory_is_bounded_by_the_minute() {
        let mut window = Window::default();
        (0..10_000).for_each(|second| window.count(second * SECOND_NS, SYN));
        assert_eq!((window.seconds.len(), window.total().syns), (60, 10_000));
    }

    #[test]
    fn the_most_silent_make_room_and_are_counted() {
        let mut windows = Windows::new(16);
        for key in 0..16_u64 {
            windows.count(key, key * SECOND_NS, SYN);
        }
        windows.count(0, 50 * SECOND_NS, SYN);
        windows.count(99, 51 * SECOND_NS, SYN);
        assert_eq!((windows.iter().count(), windows.dropped()), (15, 2));
        assert!(windows.get(&1).is_none() && windows.get(&2).is_none());
        assert!(windows.get(&0).is_some() && windows.get(&99).is_some());
    }
}
