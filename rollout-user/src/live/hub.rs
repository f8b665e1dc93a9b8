//! The hub: one thread that takes the timeline, records it, and passes it on to live output.
//!
//! In: a [`Timeline`]. Out: the recording, and a bounded queue to the live consumer, which may be slow or stopped:
//! what does not fit is counted, never waited for.

use crate::record::Record;
use crate::recording::write::{Summary, Writer};
use crate::stream::select::is_event;
use crate::timeline::{Next, Timeline, monotonic_ns};
use anyhow::Context;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the hub sleeps at most before it looks whether a frame is due.
const TICK: Duration = Duration::from_millis(100);
/// Records that live output may be behind.
const LIVE_QUEUE: usize = 65_536;

/// The way to live output. Kernel events that find no room are left out; everything else, without which the state of
/// the cluster would be wrong for ever, is kept until there is room.
struct Outbox {
    sender: SyncSender<Arc<Record>>,
    kept: VecDeque<Arc<Record>>,
}

impl Outbox {
    /// Whether the record was handed over, or kept.
    fn deliver(&mut self, record: Arc<Record>) -> bool {
        while let Some(next) = self.kept.pop_front() {
            if let Err(TrySendError::Full(next)) = self.sender.try_send(next) {
                self.kept.push_front(next);
                break;
            }
        }
        if self.kept.is_empty() {
            match self.sender.try_send(record) {
                Err(TrySendError::Full(record)) => self.keep(record),
                Ok(()) | Err(TrySendError::Disconnected(_)) => true,
            }
        } else {
            self.keep(record)
        }
    }

    fn keep(&mut self, record: Arc<Record>) -> bool {
        let kept = !is_event(&record.body);
        if kept {
            self.kept.push_back(record);
        }
        kept
    }
}

/// A running hub.
pub struct Hub {
    thread: JoinHandle<Option<Summary>>,
    /// Records for live output.
    pub live: Receiver<Arc<Record>>,
    skipped: Arc<AtomicU64>,
}

impl Hub {
    /// Starts the thread. It ends when every producer of the timeline is gone.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(mut timeline: Timeline, mut writer: Option<Writer>) -> anyhow::Result<Hub> {
        let (sender, live) = sync_channel(LIVE_QUEUE);
        let skipped = Arc::new(AtomicU64::new(0));
        let count_skipped = skipped.clone();
        let run = move || {
            let mut outbox = Outbox { sender, kept: VecDeque::new() };
            loop {
                match timeline.next(TICK) {
                    Next::Closed => break,
                    Next::Quiet => {}
                    Next::Record(record) => {
                        if let Some(writer) = &mut writer {
                            writer.write(&record, monotonic_ns());
                        }
                        if !outbox.deliver(Arc::from(record)) {
                            count_skipped.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                if let Some(writer) = &mut writer {
                    writer.flush_if_due(monotonic_ns());
                }
            }
            writer.map(Writer::finish)
        };
        let thread = std::thread::Builder::new()
            .name("hub".into())
            .spawn(run)
            .context("cannot start the hub's thread")?;
        Ok(Hub { thread, live, skipped })
    }

    /// Records that live output was too slow for; the recording has them.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Waits until everything is recorded; to be called after the sources were stopped.
    ///
    /// # Errors
    /// When the hub's thread died.
    pub fn finish(self) -> anyhow::Result<Option<Summary>> {
        drop(self.live);
        self.thread.join().map_err(|_| anyhow::anyhow!("the recording thread died"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Body;
    use crate::record::kernel::{IpvsServiceGone, Netns};
    use crate::record::meta::Phase;
    use crate::timeline::queue;

    #[test]
    fn a_consumer_that_never_reads_stops_nobody_and_is_counted() -> anyhow::Result<()> {
        let total = LIVE_QUEUE as u64 + 100;
        let (inlet, timeline) = queue(total as usize + 1);
        for time in 0..total {
            let gone = IpvsServiceGone { service: None, netns: Netns::default() };
            inlet.push(time, Body::IpvsServiceGone(gone));
        }
        inlet.push(total, Body::Phase(Phase::Ended));
        drop(inlet);
        let dir = tempfile::tempdir()?;
        let limits = crate::recording::space::Limits { max_bytes: 1 << 30, min_free_percent: 0 };
        let writer = Writer::create(&dir.path().join("a.zst"), limits)?;
        let hub = Hub::start(timeline, Some(writer))?;
        while !hub.thread.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(hub.skipped(), 100);
        let summary = hub.finish()?.unwrap_or_default();
        assert_eq!((summary.records, summary.lost), (total + 1, 0));
        Ok(())
    }

    #[test]
    fn what_the_state_of_the_cluster_depends_on_is_never_left_out() {
        let (sender, receiver) = sync_channel(1);
        let mut outbox = Outbox { sender, kept: VecDeque::new() };
        let phase = |id| Arc::new(Record { id, time_ns: id, body: Body::Phase(Phase::Watching) });
        let gone = IpvsServiceGone { service: None, netns: Netns::default() };
        let event = Arc::new(Record { id: 9, time_ns: 9, body: Body::IpvsServiceGone(gone) });
        assert!(outbox.deliver(phase(1)) && outbox.deliver(phase(2)));
        assert!(!outbox.deliver(event), "an event is left out");
        assert!(outbox.deliver(phase(3)));
        let mut seen = Vec::new();
        for id in 4..8 {
            seen.push(receiver.try_recv().map(|record| record.id));
            outbox.deliver(phase(id));
        }
        assert_eq!(seen, [Ok(1), Ok(2), Ok(3), Ok(4)]);
    }
}
