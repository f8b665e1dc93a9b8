//! Counts for live progress: users' SYNs towards the watched workload, and failures so far. Provisional by nature: the
//! report counts anew from the recording.
//!
//! In: records, and which addresses belong to the workload. Out: numbers. Pure.

use crate::record::kernel::Flow;
use crate::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Attempts that are remembered; beyond this the oldest are forgotten and count as neither failed nor open.
const OPEN_MAX: usize = 65_536;

/// Numbers so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// SYNs sent, first ones and retransmits.
    pub syns: u64,
    /// Attempts begun.
    pub attempts: u64,
    /// Attempts that ended without a connection.
    pub failed: u64,
    /// Events that something lost.
    pub lost: u64,
}

/// The counter.
#[derive(Default)]
pub struct Tally {
    services: BTreeSet<SocketAddr>,
    pods: BTreeSet<IpAddr>,
    probers: BTreeSet<u32>,
    open: BTreeMap<u64, u64>,
    counts: Counts,
}

impl Tally {
    /// Counts connects to these Service addresses, and to pods that are named later.
    pub fn new(services: impl IntoIterator<Item = SocketAddr>) -> Tally {
        Tally { services: services.into_iter().collect(), ..Tally::default() }
    }

    /// A pod of the workload has this address.
    pub fn pod_address(&mut self, ip: IpAddr) {
        self.pods.insert(ip);
    }

    /// The numbers so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begin of the oldest attempt that is still open, ns of `CLOCK_MONOTONIC`.
    pub fn oldest_open_ns(&self) -> Option<u64> {
        self.open.values().min().copied()
    }

    /// Takes one record.
    pub fn observe(&mut self, record: &Record) {
        match &record.body {
            Body::KubeletProcess(kubelet) => {
                self.probers.insert(kubelet.pid);
            }
            Body::Loss(loss) => self.counts.lost += loss.count.max(1),
            Body::Connect(event) if self.is_ours(&event.flow, event.pid) => {
                self.counts.attempts += 1;
                self.counts.syns += 1;
                self.open.insert(event.attempt, record.time_ns);
                if self.open.len() > OPEN_MAX {
                    self.open.pop_first();
                }
            }
            Body::SynRetransmit(event) => {
                let ours = event.attempt.is_some_and(|attempt| self.open.contains_key(&attempt));
                if ours && event.errno.is_none() {
                    self.counts.syns += 1;
                }
            }
            Body::Established(event) => {
                self.open.remove(&event.attempt);
            }
            Body::ConnectFailed(event) if self.open.remove(&event.attempt).is_some() => {
                self.counts.failed += 1;
            }
            _ => {}
        }
    }

    fn is_ours(&self, flow: &Flow, pid: u32) -> bool {
        let dialled = flow.destination;
        let towards = self.services.contains(&dialled) || self.pods.contains(&dialled.ip());
        towards && !self.probers.contains(&pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::kernel::{Connect, ConnectFailed, Established, Netns, SynRetransmit};
    use crate::record::table::KubeletProcess;

    fn flow(destination: &str) -> Flow {
        let destination = destination.parse().expect("an address");
        Flow { source: None, source_port: None, destination }
    }

    fn connect(attempt: u64, destination: &str, pid: u32) -> Body {
        Body::Connect(Connect {
            attempt,
            flow: flow(destination),
            netns: Netns::default(),
            cgroup: 0,
            pid,
            comm: "nginx".into(),
        })
    }

    #[test]
    fn counts_users_towards_the_workload_and_nobody_else() {
        let service = "10.101.0.9:80";
        let mut tally = Tally::new(service.parse());
        tally.pod_address("10.102.0.7".parse().expect("an address"));
        let retransmit = |attempt, errno| {
            let (netns, flow) = (Netns::default(), flow(service));
            Body::SynRetransmit(SynRetransmit { attempt: Some(attempt), flow, netns, errno })
        };
        let bodies = [
            Body::KubeletProcess(KubeletProcess { pid: 99, comm: "kubelet".into() }),
            connect(1, service, 7),
            connect(2, "10.102.0.7:8000", 99),
            connect(3, "10.102.0.7:8000", 7),
            connect(4, "10.102.0.8:8000", 7),
            retransmit(1, None),
            retransmit(1, Some(16)),
            retransmit(4, None),
            Body::Established(Established { attempt: 3, flow: flow(service), latency_ns: 1 }),
            Body::ConnectFailed(ConnectFailed {
                attempt: 4,
                flow: flow(service),
                errno: Some(111),
                latency_ns: 1,
            }),
        ];
        for (id, body) in bodies.into_iter().enumerate() {
            tally.observe(&Record { id: id as u64, time_ns: id as u64, body });
        }
        assert_eq!(tally.counts(), Counts { syns: 3, attempts: 2, failed: 0, lost: 0 });
        assert_eq!(tally.oldest_open_ns(), Some(1));
        let failed =
            ConnectFailed { attempt: 1, flow: flow(service), errno: Some(111), latency_ns: 1 };
        tally.observe(&Record { id: 99, time_ns: 99, body: Body::ConnectFailed(failed) });
        assert_eq!(tally.counts().failed, 1);
        assert_eq!(tally.oldest_open_ns(), None);
    }
}
