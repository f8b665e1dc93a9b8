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
    service: Option<SocketAddr>,
    destination: SocketAddr,
    now: Destination,
    /// Not an event: the state at that time, which came about before.
    found: bool,
}

/// Kernel facts of all pods.
#[derive(Debug, Clone, Default)]
pub(super) struct KernelFacts {
    /// By inode of the namespace.
    listeners: BTreeMap<u32, BTreeMap<(u64, u64, u32), ListenerFact>>,
    processes: BTreeMap<u64, ByTime<(Happened, String)>>,
    destinations: BTreeMap<IpAddr, BTreeMap<(u64, u64, u32), DestinationFact>>,
    services_gone: ByTime<Option<SocketAddr>>,
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
        self.services_gone.insert((time_ns, id), gone.service);
    }

    pub fn observe_table(&mut self, time_ns: u64, id: u64, table: &IpvsTable) {
        self.polls.insert(time_ns);
        let mut index = 0;
        for service in &table.services {
            for server in &service.destinations {
                let fact = DestinationFact {
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

    /// Signals to, and exits of, the init processes in these cgroups.
    pub fn process_moments(&self, cgroups: &BTreeSet<u64>) -> Vec<Moment> {
        let facts = cgroups.iter().filter_map(|cgroup| self.processes.get(cgroup)).flatten();
        facts
            .map(|((time_ns, id), (what, detail))| Moment {
                seen_ns: *time_ns,
                not_before_ns: *time_ns,
                what: *what,
                detail: detail.clone(),
                evidence: *id,
            })
            .collect()
    }

    /// What became of IPVS destinations at an address; the deletes that a service's deletion implies included (F11).
    pub fn destination_moments(&self, address: IpAddr) -> Vec<Moment> {
        let Some(facts) = self.destinations.get(&address) else { return Vec::new() };
        let mut moments: Vec<Moment> = Vec::new();
        let mut now: BTreeMap<(Option<SocketAddr>, SocketAddr), Destination> = BTreeMap::new();
        let mut events: BTreeMap<(u64, u64, u32), Option<&DestinationFact>> =
            facts.iter().map(|(key, fact)| (*key, Some(fact))).collect();
        events.extend(self.services_gone.keys().map(|(time, id)| ((*time, *id, 0), None)));
        for ((time_ns, id, _), fact) in events {
            let Some(fact) = fact else {
                let gone = self.services_gone.get(&(time_ns, id)).copied().flatten();
                let flush = self.services_gone.get(&(time_ns, id)) == Some(&None);
                let hit: Vec<_> = now
                    .keys()
                    .filter(|(service, _)| flush || (gone.is_some() && *service == gone))
                    .copied()
                    .collect();
                for key in hit {
                    now.remove(&key);
                    moments.push(destination_moment(
                        time_ns,
                        time_ns,
                        id,
                        key,
                        Destination::Deleted,
                    ));
                }
                continue;
            };
            let key = (fact.service, fact.destination);
            if now.get(&key) == Some(&fact.now) {
                continue;
            }
            match fact.now {
                Destination::Deleted => now.remove(&key),
                weight => now.insert(key, weight),
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
