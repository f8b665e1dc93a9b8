//! A thread that reads something until it is told to stop.
//!
//! In: a closure that looks at the stop flag at least every [`TICK`]. Out: nothing; it pushes into an inlet by itself.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest that a worker waits without looking at its stop flag.
pub const TICK: Duration = Duration::from_millis(100);

/// What a worker looks at to know whether to go on.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether the worker has been told to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps for `wait`, or less if told to stop. Returns `false` when told to stop.
    pub fn sleep(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        while !self.is_set() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TICK));
        }
        false
    }
}

/// A running worker. Dropping it stops the thread and waits for its end.
#[derive(Debug)]
pub struct Worker {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts `work` on a thread called `name`.
    pub fn start(name: &str, work: impl FnOnce(Stop) + Send + 'static) -> Result<Self> {
        let stop = Stop::default();
        let seen = stop.clone();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(seen))
            .with_context(|| format!("cannot start the thread `{name}`"))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether the thread has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the worker has been printed by its thread; there is nothing left to release here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn dropping_a_worker_ends_its_thread() {
        let (sender, receiver) = mpsc::channel::<()>();
        let worker = Worker::start("test", move |stop| {
            while stop.sleep(Duration::from_secs(3600)) {}
            drop(sender);
        })
        .unwrap();
        assert!(!worker.has_ended());
        drop(worker);
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
