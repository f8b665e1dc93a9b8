//! The waiting room: events come nearly in order of their times and leave in order of them.
//!
//! In: events with the present time, which is handed in. Out: events whose wait is over, and a count of those that came
//! too late for their place. Pure.

use crate::record::Record;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events that wait at most; beyond it the oldest leave before their wait is over.
const MOST: usize = 262_144;

/// The room.
pub struct Waiting {
    window_ns: u64,
    events: BTreeMap<(u64, u64), Arc<Record>>,
    latest_ns: u64,
    overtaken: u64,
}

impl Waiting {
    /// Events wait `window_ns` from the time at which they happened.
    pub fn new(window_ns: u64) -> Waiting {
        Waiting { window_ns, events: BTreeMap::new(), latest_ns: 0, overtaken: 0 }
    }

    /// Takes an event. One that comes when younger ones have left already is counted.
    pub fn hold(&mut self, record: Arc<Record>) {
        if record.time_ns < self.latest_ns {
            self.overtaken += 1;
        }
        self.events.insert((record.time_ns, record.id), record);
    }

    /// The oldest event whose wait is over at `now_ns`, in order of event time.
    pub fn due(&mut self, now_ns: u64) -> Option<Arc<Record>> {
        let (time_ns, _) = *self.events.first_key_value()?.0;
        if time_ns.saturating_add(self.window_ns) > now_ns && self.events.len() <= MOST {
            return None;
        }
        let (_, record) = self.events.pop_first()?;
        self.latest_ns = self.latest_ns.max(record.time_ns);
        Some(record)
    }

    /// Events that left out of order because they came later than the window.
    pub fn overtaken(&self) -> u64 {
        self.overtaken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Body;
    use crate::record::meta::Phase;

    fn event(id: u64, time_ns: u64) -> Arc<Record> {
        Arc::new(Record { id, time_ns, body: Body::Phase(Phase::Watching) })
    }

    #[test]
    fn events_wait_for_the_window_and_leave_in_order_of_time() {
        let mut room = Waiting::new(500);
        room.hold(event(1, 1200));
        room.hold(event(2, 1100));
        assert_eq!(room.due(1599), None);
        assert_eq!(room.due(1600).map(|record| record.id), Some(2));
        assert_eq!(room.due(1600), None);
        assert_eq!(room.due(1700).map(|record| record.id), Some(1));
        assert_eq!(room.overtaken(), 0);
    }

    #[test]
    fn f28_an_event_later_than_the_window_is_counted() {
        let mut room = Waiting::new(500);
        room.hold(event(1, 1000));
        assert!(room.due(1500).is_some());
        room.hold(event(2, 900));
        assert_eq!(room.overtaken(), 1);
        assert_eq!(room.due(1500).map(|record| record.id), Some(2));
    }

    #[test]
    fn a_room_that_is_full_lets_the_oldest_go() {
        let mut room = Waiting::new(u64::MAX);
        for id in 0..=MOST as u64 {
            room.hold(event(id, id));
        }
        assert_eq!(room.due(0).map(|record| record.id), Some(0));
        assert_eq!(room.due(0), None);
    }
}
