//! Kernel facts by pod: listeners, signals and exits, and IPVS destinations; moments for a pod's timeline.
//!
//! In: kernel events and table snapshots. Out: [`Moment`]s of one network namespace, cgroup or address.

use super::timeline::{Happened, Moment};
use crate::record::kernel::{
    DestinationChange, Exit, IpvsDestination, IpvsServiceGone, Listener, Netns, Signal,
};
use crate::record::table::{IpvsTable, Listeners};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

type ByTime<T> = BTreeMap<(u64, u64), T>;

#[derive(Debug, Clone)]
struct ListenerFact {
    netns: Netns,
    cgroup: u64,
    address: SocketAddr,
    opened: bool,
    /// Found by a snapshot: it was opened before.
    snapshot: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Weight(i32),
    Deleted,
}

#[derive(Debug, Clone)]
struct DestinationFact {
    /// The balancing namespace: each has a table of its own.
    netns: Netns,
    service: Option<SocketAddr>,
    destination: SocketAddr,
    now: Destination,
    /// Not an event: the state at that time, which came about before.
    found: bool,
}

/// What changes an IPVS table.
enum Change<'a> {
    Destination(&'a DestinationFact),
    Gone(&'a IpvsServiceGone),
}

/// Kernel facts of all pods.
#[derive(Debug, Clone, Default)]
pub(super) struct KernelFacts {
    /// By inode of the namespace.
    listeners: BTreeMap<u32, BTreeMap<(u64, u64, u32), ListenerFact>>,
    processes: BTreeMap<u64, ByTime<(Happened, String)>>,
    destinations: BTreeMap<IpAddr, BTreeMap<(u64, u64, u32), DestinationFact>>,
    services_gone: ByTime<IpvsServiceGone>,
    /// Times at which the IPVS table was read.
    polls: BTreeSet<u64>,
}

impl KernelFacts {
    pub fn observe_listener(&mut self, time_ns: u64, id: u64, listener: &Listener, opened: bool) {
        let fact = ListenerFact {
            netns: listener.netns,
            cgroup: listener.cgroup,
            address: listener.address,
            opened,
            snapshot: false,
        };
        self.listeners.entry(listener.netns.inum).or_default().insert((time_ns, id, 0), fact);
    }

    pub fn observe_listeners(&mut self, time_ns: u64, id: u64, table: &Listeners) {
        let facts = self.listeners.entry(table.netns.inum).or_default();
        for (index, address) in (0_u32..).zip(&table.addresses) {
            let netns = table.netns;
            let fact =
                ListenerFact { netns, cgroup: 0, address: *address, opened: true, snapshot: true };
            facts.insert((time_ns, id, index), fact);
        }
    }

    pub fn observe_signal(&mut self, time_ns: u64, id: u64, signal: &Signal) {
        let text = format!("signal {} from {}", signal.signal, signal.sender_comm);
        let facts = self.processes.entry(signal.cgroup).or_default();
        facts.insert((time_ns, id), (Happened::Signal, text));
    }

    pub fn observe_exit(&mut self, time_ns: u64, id: u64, exit: &Exit) {
        let text = match (exit.status, exit.signal) {
            (_, Some(signal)) => format!("{} killed by signal {signal}", exit.comm),
            (Some(status), None) => format!("{} status {status}", exit.comm),
            (None, None) => exit.comm.clone(),
        };
        let facts = self.processes.entry(exit.cgroup).or_default();
        facts.insert((time_ns, id), (Happened::Exit, text));
    }

    pub fn observe_destination(&mut self, time_ns: u64, id: u64, change: &IpvsDestination) {
        if change.result != 0 {
            return;
        }
        let now = match (change.change, change.weight) {
            (DestinationChange::Delete, _) => Destination::Deleted,
            (_, weight) => Destination::Weight(weight.unwrap_or(1)),
        };
        let fact = DestinationFact {
            netns: change.netns,
            service: change.service,
            destination: change.destination,
            now,
            found: change.polled,
        };
        if change.polled {
            self.polls.insert(time_ns);
        }
        let facts = self.destinations.entry(change.destination.ip()).or_default();
        facts.insert((time_ns, id, 0), fact);
    }

    pub fn observe_service_gone(&mut self, time_ns: u64, id: u64, gone: &IpvsServiceGone) {
        self.services_gone.insert((time_ns, id), gone.clone());
    }

    pub fn observe_table(&mut self, time_ns: u64, id: u64, table: &IpvsTable) {
        self.polls.insert(time_ns);
        let mut index = 0;
        for service in &table.services {
            for server in &service.destinations {
                let fact = DestinationFact {
                    netns: table.netns,
                    service: Some(service.address),
                    destination: server.address,
                    now: Destination::Weight(server.weight),
                    found: true,
                };
                let facts = self.destinations.entry(server.address.ip()).or_default();
                facts.insert((time_ns, id, index), fact);
                index += 1;
            }
        }
    }

    /// Listener moments of a pod, by its namespaces or cgroups.
    pub fn listener_moments(&self, netns: &[Netns], cgroups: &BTreeSet<u64>) -> Vec<Moment> {
        let inums: BTreeSet<u32> = netns.iter().map(|one| one.inum).collect();
        let mut moments = Vec::new();
        let mut open: BTreeSet<SocketAddr> = BTreeSet::new();
        let mut facts: Vec<_> = self
            .listeners
            .iter()
            .filter(|(inum, _)| inums.contains(inum) || !cgroups.is_empty())
            .flat_map(|(_, facts)| facts)
            .filter(|(_, fact)| {
                cgroups.contains(&fact.cgroup) || netns.iter().any(|one| same(*one, fact.netns))
            })
            .collect();
        facts.sort_by_key(|(key, _)| **key);
        for ((time_ns, id, _), fact) in facts {
            let changed = if fact.opened { open.insert(fact.address) } else { true };
            if !fact.opened {
                open.remove(&fact.address);
            }
            if !changed && fact.snapshot {
                continue;
            }
            moments.push(Moment {
                seen_ns: *time_ns,
                not_before_ns: if fact.snapshot { 0 } else { *time_ns },
                what: if fact.opened { Happened::ListenerOpened } else { Happened::ListenerClosed },
                detail: fact.address.to_string(),
                evidence: *id,
            });
        }
        moments
    }

    /// Signals to, and exits of, the init processes in these cgroups; of the sandbox's its exit alone (F22).
    pub fn process_moments(&self, cgroups: &BTreeSet<u64>, sandbox: &BTreeSet<u64>) -> Vec<Moment> {
        let mut moments = Vec::new();
        for cgroup in cgroups {
            for ((time_ns, id), (what, detail)) in self.processes.get(cgroup).into_iter().flatten()
            {
                let what = match (sandbox.contains(cgroup), *what) {
                    (false, what) => what,
                    (true, Happened::Exit) => Happened::SandboxExit,
                    (true, _) => continue,
                };
                moments.push(Moment {
                    seen_ns: *time_ns,
                    not_before_ns: *time_ns,
                    what,
                    detail: detail.clone(),
                    evidence: *id,
                });
            }
        }
        moments
    }

    /// When the last init process in these cgroups began to exit, and the record that says so; `None`: none did.
    pub fn last_exit(&self, cgroups: &BTreeSet<u64>) -> Option<(u64, u64)> {
        let facts = cgroups.iter().filter_map(|cgroup| self.processes.get(cgroup)).flatten();
        facts.filter(|(_, (what, _))| *what == Happened::Exit).map(|(key, _)| *key).max()
    }

    /// What became of IPVS destinations at an address; the deletes that a service's deletion implies included (F11).
    pub fn destination_moments(&self, address: IpAddr) -> Vec<Moment> {
        let Some(facts) = self.destinations.get(&address) else { return Vec::new() };
        let mut moments: Vec<Moment> = Vec::new();
        let mut now: BTreeMap<(Option<SocketAddr>, SocketAddr), &DestinationFact> = BTreeMap::new();
        let mut events: BTreeMap<(u64, u64, u32), Change<'_>> =
            facts.iter().map(|(key, fact)| (*key, Change::Destination(fact))).collect();
        let gone = self.services_gone.iter();
        events.extend(gone.map(|((time, id), gone)| ((*time, *id, 0), Change::Gone(gone))));
        for ((time_ns, id, _), change) in events {
            let fact = match change {
                Change::Destination(fact) => fact,
                Change::Gone(gone) => {
                    // A pod's namespace that is destroyed flushes its own table, never the node's.
                    let goes = |(service, _): &(Option<SocketAddr>, SocketAddr),
                                fact: &DestinationFact| {
                        (gone.service.is_none() || *service == gone.service)
                            && same(gone.netns, fact.netns)
                    };
                    for (key, _) in now.extract_if(.., |key, fact| goes(key, fact)) {
                        let deleted = Destination::Deleted;
                        moments.push(destination_moment(time_ns, time_ns, id, key, deleted));
                    }
                    continue;
                }
            };
            let key = (fact.service, fact.destination);
            if now.get(&key).is_some_and(|before| before.now == fact.now) {
                continue;
            }
            match fact.now {
                Destination::Deleted => now.remove(&key),
                Destination::Weight(_) => now.insert(key, fact),
            };
            let earlier = self.polls.range(..time_ns).next_back().copied().unwrap_or(0);
            let not_before_ns = if fact.found { earlier } else { time_ns };
            moments.push(destination_moment(time_ns, not_before_ns, id, key, fact.now));
        }
        moments
    }
}

fn destination_moment(
    seen_ns: u64,
    not_before_ns: u64,
    evidence: u64,
    (service, destination): (Option<SocketAddr>, SocketAddr),
    now: Destination,
) -> Moment {
    let what = match now {
        Destination::Deleted => Happened::DestinationDeleted,
        Destination::Weight(weight) if weight > 0 => Happened::Programmed,
        Destination::Weight(_) => Happened::WeightZero,
    };
    let service = service.map_or_else(|| "firewall mark".to_owned(), |service| service.to_string());
    let detail = format!("{service} → {destination}");
    Moment { seen_ns, not_before_ns, what, detail, evidence }
}

/// Cookies decide where both are known; inodes are reused (F20).
fn same(one: Netns, other: Netns) -> bool {
    match (one.cookie, other.cookie) {
        (0, _) | (_, 0) => one.inum == other.inum,
        (one, other) => one == other,
    }
}
