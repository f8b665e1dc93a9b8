//! The memory of what live output printed: finds out which events must be corrected because knowledge came later than
//! they could wait (invariant 5).
//!
//! In: what was printed, with the present time. Out: corrections. Pure: time is handed in.

use crate::attribute::tag::EventTags;
use crate::record::Record;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events that can still be corrected; older ones are given up and counted.
const CORRECTABLE: usize = 16_384;
/// How long an event can be corrected, ns.
const CORRECTABLE_NS: u64 = 60_000_000_000;

/// An event whose tags turned out to be others than were printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The event.
    pub record: Arc<Record>,
    /// What is known now.
    pub tags: EventTags,
    /// Whether it was printed before; else a filter kept it back.
    pub shown: bool,
}

struct Printed {
    record: Arc<Record>,
    tags: EventTags,
    shown: bool,
}

/// The memory of what was printed.
#[derive(Default)]
pub struct Provisional {
    printed: VecDeque<Printed>,
    given_up: u64,
}

impl Provisional {
    /// Remembers what was printed of an event, or would have been printed if a filter had not kept it back.
    pub fn printed(&mut self, record: Arc<Record>, tags: EventTags, shown: bool) {
        let now_ns = record.time_ns;
        self.printed.push_back(Printed { record, tags, shown });
        self.forget_before(now_ns.saturating_sub(CORRECTABLE_NS));
        if self.printed.len() > CORRECTABLE {
            self.printed.pop_front();
            self.given_up += 1;
        }
    }

    /// An event that was kept back is printed after all.
    pub fn shown(&mut self, id: u64) {
        if let Some(printed) = self.printed.iter_mut().find(|printed| printed.record.id == id) {
            printed.shown = true;
        }
    }

    /// Tags again what was printed, and returns what changed. To be called after observations arrived.
    pub fn corrections(
        &mut self,
        now_ns: u64,
        mut tag: impl FnMut(&Record) -> EventTags,
    ) -> Vec<Correction> {
        self.forget_before(now_ns.saturating_sub(CORRECTABLE_NS));
        let mut corrections = Vec::new();
        for printed in &mut self.printed {
            let tags = tag(&printed.record);
            if tags != printed.tags {
                printed.tags = tags.clone();
                let (record, shown) = (printed.record.clone(), printed.shown);
                corrections.push(Correction { record, tags, shown });
            }
        }
        corrections
    }

    fn forget_before(&mut self, oldest: u64) {
        while self.printed.front().is_some_and(|printed| printed.record.time_ns < oldest) {
            self.printed.pop_front();
        }
    }

    /// Events that could not be corrected any more although they were young enough: too many came at once.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::tag::Certainty;
    use crate::attribute::tag::ServiceTag;
    use crate::record::Body;
    use crate::record::meta::Phase;

    fn event(id: u64, time_ns: u64) -> Arc<Record> {
        Arc::new(Record { id, time_ns, body: Body::Phase(Phase::Watching) })
    }

    fn service(name: &str) -> EventTags {
        let service = ServiceTag {
            certainty: Certainty::Known,
            namespace: "default".into(),
            name: name.into(),
            port: String::new(),
        };
        EventTags { service: Some(service), ..EventTags::default() }
    }

    #[test]
    fn late_knowledge_corrects_once() {
        let mut room = Provisional::default();
        room.printed(event(1, 1000), service("a"), true);
        room.printed(event(2, 1001), service("b"), true);
        let corrections = room.corrections(2000, |_| service("b"));
        assert_eq!(corrections.len(), 1);
        assert_eq!(corrections[0].record.id, 1);
        assert_eq!(corrections[0].tags, service("b"));
        assert!(room.corrections(2000, |_| service("b")).is_empty());
    }

    #[test]
    fn too_many_to_be_corrected_are_counted_and_old_ones_are_not() {
        let mut room = Provisional::default();
        for id in 0..CORRECTABLE as u64 + 5 {
            room.printed(event(id, 1000), service("a"), true);
        }
        assert_eq!(room.given_up(), 5);
        let corrections = room.corrections(2000, |_| service("b"));
        assert_eq!(corrections.first().map(|first| first.record.id), Some(5));
        room.printed(event(1, 2000 + CORRECTABLE_NS), service("a"), true);
        assert_eq!(room.given_up(), 5);
    }
}
