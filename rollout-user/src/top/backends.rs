//! Backends by dialled address: IPVS weights, and what connects to them came to.
//!
//! In: the IPVS table and its changes, counted events. Out: rows. A weight is unsure once something was lost that could
//! have changed it.

use super::window::{Sums, Window, Windows};
use crate::record::kernel::{DestinationChange, IpvsDestination, IpvsServiceGone, Netns};
use crate::record::table::IpvsTable;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Backends with counts, and destinations with weights, that are kept of each.
const MOST: usize = 4096;

/// What was dialled, and where it went; `None`: nobody said where.
pub type Key = (SocketAddr, Option<SocketAddr>);

/// All backends.
pub struct Backends {
    windows: Windows<Key>,
    weights: BTreeMap<(SocketAddr, SocketAddr), i32>,
    netns: Option<Netns>,
    unsure: bool,
    left_out: u64,
}

impl Default for Backends {
    fn default() -> Backends {
        Backends {
            windows: Windows::new(MOST),
            weights: BTreeMap::new(),
            netns: None,
            unsure: false,
            left_out: 0,
        }
    }
}

impl Backends {
    /// Counts for one backend.
    pub fn count(&mut self, key: Key, time_ns: u64, what: Sums) {
        self.windows.count(key, time_ns, what);
    }

    /// The whole table, anew.
    pub fn table(&mut self, table: &IpvsTable) {
        self.netns = Some(table.netns);
        (self.unsure, self.left_out) = (false, 0);
        self.weights.clear();
        for service in &table.services {
            for server in &service.destinations {
                self.set((service.address, server.address), server.weight);
            }
        }
    }

    /// A change of a destination. Namespaces other than the node's balance something else.
    pub fn destination(&mut self, change: &IpvsDestination) {
        let Some(service) = change.service.filter(|_| change.result == 0) else { return };
        if *self.netns.get_or_insert(change.netns) != change.netns {
            return;
        }
        let key = (service, change.destination);
        match (change.change, change.weight) {
            (DestinationChange::Delete, _) => {
                self.weights.remove(&key);
            }
            (_, Some(weight)) => self.set(key, weight),
            (_, None) => {}
        }
    }

    /// A virtual service went, with all its destinations (F11).
    pub fn service_gone(&mut self, gone: &IpvsServiceGone) {
        if self.netns.is_some_and(|netns| netns != gone.netns) {
            return;
        }
        self.weights.retain(|(service, _), _| gone.service.is_some_and(|gone| gone != *service));
    }

    /// Something was lost: a change of a weight may be among it.
    pub fn lost(&mut self) {
        self.unsure = true;
    }

    /// Whether weights may have changed unseen.
    pub fn unsure(&self) -> bool {
        self.unsure
    }

    /// The weight of a destination.
    pub fn weight(&self, (service, destination): Key) -> Option<i32> {
        self.weights.get(&(service, destination?)).copied()
    }

    /// Every backend that was counted or has a weight.
    pub fn keys(&self) -> BTreeSet<Key> {
        let weighed = self.weights.keys().map(|(service, server)| (*service, Some(*server)));
        self.windows.iter().map(|(key, _)| *key).chain(weighed).collect()
    }

    /// The counts of one backend.
    pub fn window(&self, key: &Key) -> Option<&Window> {
        self.windows.get(key)
    }

    /// How many are not kept because there are too many.
    pub fn left_out(&self) -> u64 {
        self.left_out + self.windows.dropped()
    }

    fn set(&mut self, key: (SocketAddr, SocketAddr), weight: i32) {
        if self.weights.len() < MOST || self.weights.contains_key(&key) {
            self.weights.insert(key, weight);
        } else {
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn change(change: DestinationChange, weight: Option<i32>, inum: u32) -> IpvsDestination {
        IpvsDestination {
            change,
            service: Some(address("10.96.0.1:80")),
            destination: address("10.1.0.9:8080"),
            weight,
            result: 0,
            polled: false,
            netns: Netns { inum, cookie: 0 },
        }
    }

    #[test]
    fn f11_a_service_that_goes_takes_its_destinations_along() {
        let mut backends = Backends::default();
        let key = (address("10.96.0.1:80"), Some(address("10.1.0.9:8080")));
        backends.destination(&change(DestinationChange::Add, Some(1), 1));
        assert_eq!(backends.weight(key), Some(1));
        let gone = |service: &str, inum| IpvsServiceGone {
            service: Some(address(service)),
            netns: Netns { inum, cookie: 0 },
        };
        backends.service_gone(&gone("10.96.0.2:80", 1));
        backends.service_gone(&gone("10.96.0.1:80", 2));
        assert_eq!(backends.weight(key), Some(1));
        backends.service_gone(&gone("10.96.0.1:80", 1));
        assert_eq!(backends.weight(key), None);
    }

    #[test]
    fn changes_that_failed_or_are_of_another_namespace_change_nothing() {
        let mut backends = Backends::default();
        let key = (address("10.96.0.1:80"), Some(address("10.1.0.9:8080")));
        backends.destination(&change(DestinationChange::Add, Some(1), 1));
        backends.destination(&IpvsDestination {
            result: -17,
            ..change(DestinationChange::Edit, Some(0), 1)
        });
        backends.destination(&change(DestinationChange::Edit, Some(0), 2));
        assert_eq!(backends.weight(key), Some(1));
        backends.destination(&change(DestinationChange::Edit, Some(0), 1));
        assert_eq!(backends.weight(key), Some(0));
        backends.destination(&change(DestinationChange::Delete, None, 1));
        assert_eq!(backends.weight(key), None);
    }
}
