//! Drops at full accept queues, counted by the kernel for each network namespace: what is left to see of them where no
//! function can be hooked (F8).
//!
//! In: namespaces, one by one as they become known. Out: `ListenCounters` when a counter rose since the reading before.
//! The first reading of a namespace is the base and is not told. All are read once a second, and once more at the end.

use super::netns::Namespace;
use super::worker::{Stop, TICK, Worker};
use crate::record::Body;
use crate::record::kernel::Netns;
use crate::record::meta::{Loss, Stage};
use crate::record::table::ListenCounters;
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// As the thread sees it that has entered a namespace.
const FILE: &str = "/proc/thread-self/net/netstat";

/// A namespace to be polled.
#[derive(Debug)]
pub struct Polled {
    /// It is kept open while it is polled.
    pub namespace: Namespace,
    /// As events name it.
    pub netns: Netns,
    /// A cgroup of it: once all that were given are gone, the namespace is read a last time and let go, so that the
    /// kernel can take it down. `None`: for ever.
    pub cgroup: Option<PathBuf>,
}

/// Starts polling: every `interval`, and when the worker is dropped. The base of the `first` ones is read when this
/// returns, that of others as soon as they are sent.
pub fn follow(
    first: impl IntoIterator<Item = Polled>,
    interval: Duration,
    inlet: Inlet,
) -> Result<(Sender<Polled>, Worker)> {
    let (sender, namespaces) = channel();
    let mut poll = Poll { inlet, interval, known: BTreeMap::new() };
    first.into_iter().for_each(|polled| poll.add(polled));
    let worker = Worker::start("rollout-listen", move |stop| poll.run(&stop, &namespaces))?;
    Ok((sender, worker))
}

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counters {
    overflows: u64,
    drops: u64,
}

struct Known {
    namespace: Namespace,
    is_kept: bool,
    cgroups: BTreeSet<PathBuf>,
    /// The latest reading that worked, and when it began; `None`: there was none yet.
    last: Option<(Counters, u64)>,
}

struct Poll {
    inlet: Inlet,
    interval: Duration,
    known: BTreeMap<Netns, Known>,
}

impl Poll {
    fn run(&mut self, stop: &Stop, namespaces: &Receiver<Polled>) {
        let mut due = Instant::now() + self.interval;
        while !stop.is_set() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.read_all();
                due = Instant::now() + self.interval;
                continue;
            }
            match namespaces.recv_timeout(left.min(TICK)) {
                Ok(polled) => self.add(polled),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody tells of new ones any more; those that are known go on.
                Err(RecvTimeoutError::Disconnected) => {
                    stop.sleep(left.min(TICK));
                }
            }
        }
        namespaces.try_iter().for_each(|polled| self.add(polled));
        self.read_all();
    }

    fn add(&mut self, polled: Polled) {
        let is_new = !self.known.contains_key(&polled.netns);
        let known = self.known.entry(polled.netns).or_insert_with(|| Known {
            namespace: polled.namespace,
            is_kept: false,
            cgroups: BTreeSet::new(),
            last: None,
        });
        known.is_kept |= polled.cgroup.is_none();
        known.cgroups.extend(polled.cgroup);
        if is_new {
            known.read(polled.netns, &self.inlet);
        }
    }

    fn read_all(&mut self) {
        let inlet = &self.inlet;
        self.known.retain(|netns, known| {
            // Before the reading, so that nothing comes after the last one.
            known.cgroups.retain(|cgroup| cgroup.exists());
            known.read(*netns, inlet);
            known.is_kept || !known.cgroups.is_empty()
        });
    }
}

impl Known {
    fn read(&mut self, netns: Netns, inlet: &Inlet) {
        let begun_ns = monotonic_ns();
        match read(&self.namespace) {
            Ok(now) => {
                let body = self.last.and_then(|last| rise(netns, last, now));
                if let Some(counters) = body {
                    inlet.push_now(Body::ListenCounters(counters));
                }
                self.last = Some((now, begun_ns));
            }
            Err(_) => {
                let since_ns = self.last.map_or(begun_ns, |(_, last_ns)| last_ns);
                let program = "listen_counters".to_owned();
                inlet.push_now(Body::Loss(Loss {
                    stage: Stage::Table,
                    program,
                    count: 0,
                    since_ns,
                }));
            }
        }
    }
}

fn rise(netns: Netns, (last, since_ns): (Counters, u64), now: Counters) -> Option<ListenCounters> {
    let overflows = now.overflows.saturating_sub(last.overflows);
    let drops = now.drops.saturating_sub(last.drops);
    (overflows > 0 || drops > 0).then_some(ListenCounters { netns, overflows, drops, since_ns })
}

fn read(namespace: &Namespace) -> Result<Counters> {
    let text = namespace.enter(|| std::fs::read_to_string(FILE))??;
    parse(&text).with_context(|| format!("no listen counters in `{FILE}`"))
}

/// Finds both in the two lines `TcpExt:`, names and values.
fn parse(text: &str) -> Option<Counters> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let names = lines.next()?.split_ascii_whitespace();
    let values: BTreeMap<&str, &str> = names.zip(lines.next()?.split_ascii_whitespace()).collect();
    let number = |name: &str| values.get(name)?.parse().ok();
    Some(Counters { overflows: number("ListenOverflows")?, drops: number("ListenDrops")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Next, queue};

    #[test]
    fn f08_the_counters_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
                    IpExt: ListenOverflows\nIpExt: 9\n";
        assert_eq!(parse(text), Some(Counters { overflows: 22, drops: 333 }));
        for bad in ["", "TcpExt: ListenDrops\n", "TcpExt: ListenOverflows ListenDrops\nTcpExt: 1\n"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn f08_only_what_rose_is_told_and_the_base_is_not() {
        let counters = |overflows, drops| Counters { overflows, drops };
        let netns = Netns { inum: 7, cookie: 8 };
        assert_eq!(rise(netns, (counters(5, 6), 1), counters(5, 6)), None);
        let rose = rise(netns, (counters(5, 6), 1), counters(5, 8)).unwrap();
        assert_eq!((rose.netns, rose.overflows, rose.drops, rose.since_ns), (netns, 0, 2, 1));
    }

    fn own(cgroup: Option<PathBuf>) -> Polled {
        let namespace = Namespace::current().unwrap();
        Polled { netns: namespace.identify(), namespace, cgroup }
    }

    #[test]
    fn a_namespace_is_let_go_after_its_last_cgroup() {
        let (inlet, mut timeline) = queue(10);
        let mut poll = Poll { inlet, interval: Duration::from_secs(1), known: BTreeMap::new() };
        let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for place in &places {
            poll.add(own(Some(place.path().to_owned())));
        }
        assert_eq!(poll.known.len(), 1, "two containers of one pod");
        let [first, second] = places;
        drop(first);
        poll.read_all();
        assert_eq!(poll.known.len(), 1);
        drop(second);
        poll.read_all();
        assert_eq!(poll.known.len(), 0);
        poll.add(own(None));
        poll.read_all();
        assert_eq!(poll.known.len(), 1, "the node's own");
        let lost =
            |next| matches!(next, Next::Record(record) if matches!(record.body, Body::Loss(_)));
        assert!(!lost(timeline.next(Duration::ZERO)), "every reading worked");
    }
}
