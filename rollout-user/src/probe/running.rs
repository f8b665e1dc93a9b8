//! The reader thread: ring → decode → timeline, and once a second the losses.
//!
//! In: attached programs. Out: bodies pushed into the [`Inlet`], which never blocks; so neither a full disk nor a
//! stopped pager can stop this thread.

use super::kernel::Kernel;
use super::ladder::Ladder;
use super::load::Loaded;
use crate::decode::decode;
use crate::record::Body;
use crate::record::meta::{Loss, Stage};
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::{Context as _, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Losses are told, and ip_vs is looked for, this often.
const TICK_NS: u64 = 1_000_000_000;

enum Order {
    /// Tell losses now, then answer.
    Flush(Sender<()>),
    Stop,
}

/// A running trace. Dropping it detaches everything, drains the ring, tells the last losses and joins the thread.
pub struct Running {
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(
        ladder: Ladder,
        loaded: Loaded,
        kernel: Arc<Kernel>,
        inlet: Inlet,
    ) -> Result<Self> {
        let wake = Arc::new(
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .context("cannot make an eventfd")?,
        );
        let (orders, received) = channel();
        let now = monotonic_ns();
        let mut reader = Reader {
            ladder,
            loaded,
            kernel,
            inlet,
            orders: received,
            wake: wake.clone(),
            told_ns: now,
            undecoded: 0,
        };
        let thread = std::thread::Builder::new()
            .name("ring".into())
            .spawn(move || reader.run())
            .context("cannot start the ring's thread")?;
        Ok(Self { orders, wake, thread: Some(thread) })
    }

    /// Reads what is in the ring and pushes the losses so far; returns when both are in the timeline.
    pub fn flush_losses(&self) {
        let (done, wait) = channel();
        self.order(Order::Flush(done));
        // Fails if the thread has ended: then it told its losses when it did.
        let _ = wait.recv();
    }

    fn order(&self, order: Order) {
        // Fails if the thread has ended.
        let _ = self.orders.send(order);
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reader {
    ladder: Ladder,
    loaded: Loaded,
    kernel: Arc<Kernel>,
    inlet: Inlet,
    orders: Receiver<Order>,
    wake: Arc<OwnedFd>,
    told_ns: u64,
    undecoded: u64,
}

impl Reader {
    fn run(&mut self) {
        loop {
            self.wait();
            self.drain();
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Flush(done) => {
                        self.drain();
                        self.tell_losses();
                        // Fails if nobody waits any more.
                        let _ = done.send(());
                    }
                    Order::Stop => return self.finish(),
                }
            }
            if monotonic_ns().saturating_sub(self.told_ns) >= TICK_NS {
                self.tell_losses();
                self.look_for_ipvs();
            }
        }
    }

    /// Until there is something to read or to obey, or the tick is over.
    fn wait(&self) {
        let left = TICK_NS.saturating_sub(monotonic_ns().saturating_sub(self.told_ns));
        let timeout = Timespec {
            tv_sec: (left / 1_000_000_000) as i64,
            tv_nsec: (left % 1_000_000_000) as i64,
        };
        let mut waits =
            [PollFd::new(&self.loaded.ring, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
        // EINTR is as good as a wake-up.
        let _ = poll(&mut waits, Some(&timeout));
        // Fails if nothing was written: then there is nothing to clear.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    fn drain(&mut self) {
        while let Some(item) = self.loaded.ring.next() {
            match decode(&item, &self.kernel.names) {
                Ok((time_ns, body)) => self.inlet.push(time_ns, body),
                Err(_) => self.undecoded += 1,
            }
        }
        if let Some(log) = &mut self.loaded.log {
            log.flush();
        }
    }

    fn tell_losses(&mut self) {
        let since_ns = self.told_ns;
        self.told_ns = monotonic_ns();
        let mut losses = self.loaded.losses.new_losses(since_ns);
        let told = &self.loaded.losses;
        losses.extend(self.ladder.missed.new_losses(since_ns, |which| told.stood_in(which)));
        let count = std::mem::take(&mut self.undecoded);
        if count > 0 {
            let program = "ring".to_owned();
            losses.push(Loss { stage: Stage::Decode, program, count, since_ns });
        }
        for loss in losses {
            self.inlet.push(self.told_ns, Body::Loss(loss));
        }
    }

    /// Follows ip_vs, which may be loaded and unloaded at any time.
    fn look_for_ipvs(&mut self) {
        if self.ladder.follow_ipvs(&mut self.loaded, &self.kernel) {
            // Of other facts more may be known by now than the ladder knows.
            self.inlet.push_now(Body::Hooks(self.ladder.hooks_of_ipvs()));
        }
    }

    /// Detaches, then reads what was written before.
    fn finish(&mut self) {
        for (_, program) in self.loaded.ebpf.programs_mut() {
            super::attach::detach(program);
        }
        self.drain();
        self.tell_losses();
    }
}
