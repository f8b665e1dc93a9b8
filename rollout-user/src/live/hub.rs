//! The hub: one thread that takes the timeline, records it, and passes it on to live output.
//!
//! In: a [`Timeline`]. Out: the recording, and a bounded queue to the live consumer, which may be slow or stopped:
//! what does not fit is counted, never waited for.

use crate::record::Record;
use crate::recording::write::{Summary, Writer};
use crate::timeline::{Next, Timeline, monotonic_ns};
use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the hub sleeps at most before it looks whether a frame is due.
const TICK: Duration = Duration::from_millis(100);
/// Records that live output may be behind.
const LIVE_QUEUE: usize = 65_536;

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
            loop {
                match timeline.next(TICK) {
                    Next::Closed => break,
                    Next::Quiet => {}
                    Next::Record(record) => {
                        if let Some(writer) = &mut writer {
                            writer.write(&record, monotonic_ns());
                        }
                        if let Err(TrySendError::Full(_)) = sender.try_send(Arc::from(record)) {
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
    use crate::record::meta::Phase;
    use crate::timeline::queue;

    #[test]
    fn a_consumer_that_never_reads_stops_nobody_and_is_counted() -> anyhow::Result<()> {
        let total = LIVE_QUEUE as u64 + 100;
        let (inlet, timeline) = queue(total as usize);
        for time in 0..total {
            inlet.push(time, Body::Phase(Phase::Watching));
        }
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
        assert_eq!((summary.records, summary.lost), (total, 0));
        Ok(())
    }
}
