//! Where all sources meet: a bounded queue that never blocks a producer, and counts what it had to refuse.
//!
//! In: `(time, body)` from the ring reader, the watches and the table readers. Out: [`Record`]s with ids in order of
//! arrival, and a `Loss` record wherever something was refused.

use crate::record::meta::{Loss, Stage};
use crate::record::{Body, Record};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Reads `CLOCK_MONOTONIC`, the clock of `bpf_ktime_get_ns`, in ns.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64
}

#[derive(Default)]
struct Refused {
    count: AtomicU64,
    /// Time of the last record that was accepted before the first refusal, ns.
    since_ns: AtomicU64,
}

/// The producers' end. Cheap to clone; one for each thread or task.
#[derive(Clone)]
pub struct Inlet {
    sender: SyncSender<(u64, Body)>,
    refused: Arc<Refused>,
}

impl Inlet {
    /// Hands over one body with its time in ns of `CLOCK_MONOTONIC`. Never blocks: when the queue is full the body is
    /// dropped and counted, and a `Loss` of stage `queue` follows in the timeline.
    pub fn push(&self, time_ns: u64, body: Body) {
        match self.sender.try_send((time_ns, body)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                if self.refused.count.fetch_add(1, Ordering::Relaxed) == 0 {
                    self.refused.since_ns.store(time_ns, Ordering::Relaxed);
                }
            }
        }
    }

    /// Hands over one body with its time, or gives it back when the queue is full: for producers that can wait.
    pub fn offer(&self, time_ns: u64, body: Body) -> Result<(), Box<Body>> {
        match self.sender.try_send((time_ns, body)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full((_, body))) => Err(Box::new(body)),
        }
    }

    /// Hands over a body that is seen now.
    pub fn push_now(&self, body: Body) {
        self.push(monotonic_ns(), body);
    }
}

/// The consumer's end: numbers records in order of arrival.
pub struct Timeline {
    receiver: Receiver<(u64, Body)>,
    refused: Arc<Refused>,
    last_id: u64,
}

/// Makes a queue for `capacity` bodies.
pub fn queue(capacity: usize) -> (Inlet, Timeline) {
    let (sender, receiver) = sync_channel(capacity);
    let refused = Arc::new(Refused::default());
    (Inlet { sender, refused: refused.clone() }, Timeline { receiver, refused, last_id: 0 })
}

/// What [`Timeline::next`] found.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// A record.
    Record(Box<Record>),
    /// Nothing came in time.
    Quiet,
    /// All producers are gone and the queue is empty.
    Closed,
}

impl Timeline {
    /// Numbers a body that the consumer itself has to say.
    pub fn stamp(&mut self, time_ns: u64, body: Body) -> Record {
        self.last_id += 1;
        Record { id: self.last_id, time_ns, body }
    }

    /// Waits for the next record, at most `wait`.
    pub fn next(&mut self, wait: Duration) -> Next {
        if let Some(loss) = self.refusals() {
            return Next::Record(Box::new(loss));
        }
        match self.receiver.recv_timeout(wait) {
            Ok((time_ns, body)) => Next::Record(Box::new(self.stamp(time_ns, body))),
            Err(RecvTimeoutError::Timeout) => Next::Quiet,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    fn refusals(&mut self) -> Option<Record> {
        let count = self.refused.count.swap(0, Ordering::Relaxed);
        if count == 0 {
            return None;
        }
        let since_ns = self.refused.since_ns.load(Ordering::Relaxed);
        let loss = Loss { stage: Stage::Queue, program: "timeline".into(), count, since_ns };
        Some(self.stamp(monotonic_ns(), Body::Loss(loss)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::meta::Phase;

    #[test]
    fn an_offer_that_finds_no_room_is_handed_back_and_not_counted_as_lost() {
        let (inlet, mut timeline) = queue(1);
        assert!(inlet.offer(1, Body::Phase(Phase::Watching)).is_ok());
        let refused = inlet.offer(2, Body::Phase(Phase::Ended)).unwrap_err();
        assert_eq!(*refused, Body::Phase(Phase::Ended));
        assert!(
            matches!(timeline.next(Duration::ZERO), Next::Record(record) if record.time_ns == 1)
        );
        assert_eq!(timeline.next(Duration::ZERO), Next::Quiet);
    }

    #[test]
    fn a_full_queue_refuses_counts_and_says_so() {
        let (inlet, mut timeline) = queue(2);
        for time in 1..=5 {
            inlet.push(time, Body::Phase(Phase::Watching));
        }
        drop(inlet);
        let mut seen = Vec::new();
        while let Next::Record(record) = timeline.next(Duration::ZERO) {
            seen.push(*record);
        }
        let lost: u64 = seen
            .iter()
            .map(|record| match &record.body {
                Body::Loss(loss) => loss.count,
                _ => 0,
            })
            .sum();
        assert_eq!(lost, 3);
        assert_eq!(seen.iter().map(|record| record.id).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
