//! A part of a record together with the record's time and id.

use crate::record::Record;

/// What a record said, when, and which record it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped<T> {
    /// The record's time, ns of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The record's id.
    pub id: u64,
    /// The part.
    pub what: T,
}

impl<T: Clone> Stamped<T> {
    /// A copy of a record's part.
    pub fn of(record: &Record, what: &T) -> Self {
        Self { time_ns: record.time_ns, id: record.id, what: what.clone() }
    }

    /// The order of time; ids decide between equal times.
    pub fn order(&self) -> (u64, u64) {
        (self.time_ns, self.id)
    }
}

/// Keeps the earlier of what is there and what comes, whichever came first.
pub fn keep_first<T: Clone>(slot: &mut Option<Stamped<T>>, record: &Record, what: &T) {
    if slot.as_ref().is_none_or(|old| (record.time_ns, record.id) < old.order()) {
        *slot = Some(Stamped::of(record, what));
    }
}
