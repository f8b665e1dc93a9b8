//! Which Service an address belongs to, at one moment.
//!
//! In: `Service` observations. Out: [`ServiceTag`]s.

use super::clock::ClockMap;
use super::sync::Sync;
use super::tag::{Certainty, ServiceTag};
use super::versions::{Sighting, Versions};
use crate::record::cluster::{Observed, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

const RESOURCE: &str = "services";

#[derive(Debug, Clone, Default)]
struct Facts {
    created: Option<i64>,
    updated: Option<i64>,
    addresses: Vec<IpAddr>,
    /// Number and name.
    ports: Vec<(u16, String)>,
}

#[derive(Debug, Clone, Default)]
struct History {
    namespace: String,
    name: String,
    versions: Versions<Facts>,
}

/// All Services.
#[derive(Debug, Clone, Default)]
pub(super) struct Services {
    histories: BTreeMap<String, History>,
    by_address: BTreeMap<IpAddr, BTreeSet<String>>,
}

/// Whether a Service had the address: surely, possibly, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Had {
    Surely(String),
    Possibly(String),
    Not,
}

impl Services {
    pub fn observe(&mut self, time_ns: u64, id: u64, observed: &Observed<Service>) {
        let service = &observed.object;
        for address in &service.addresses {
            let services = self.by_address.entry(*address).or_default();
            services.insert(service.meta.uid.clone());
        }
        let history = self.histories.entry(service.meta.uid.clone()).or_default();
        history.namespace.clone_from(&service.meta.namespace);
        history.name.clone_from(&service.meta.name);
        let sighting = Sighting { arrival_ns: time_ns, id };
        let facts = Facts {
            created: service.meta.created,
            updated: service.meta.updated,
            addresses: service.addresses.clone(),
            ports: service.ports.iter().map(|port| (port.port, port.name.clone())).collect(),
        };
        history.versions.insert(&service.meta.resource_version, observed.present, sighting, facts);
    }

    /// The Service that owned `destination` then; `None`: no Service's address, as far as is known.
    pub fn at(
        &self,
        destination: SocketAddr,
        time_ns: u64,
        clock: &ClockMap,
        sync: &Sync,
    ) -> Option<ServiceTag> {
        let uids = self.by_address.get(&destination.ip())?;
        let mut found: Vec<(&History, Had)> = Vec::new();
        for history in uids.iter().filter_map(|uid| self.histories.get(uid)) {
            let had = history.had(destination, time_ns, clock);
            if had != Had::Not {
                found.push((history, had));
            }
        }
        let sure: Vec<_> = found.iter().filter(|(_, had)| matches!(had, Had::Surely(_))).collect();
        let candidates = if sure.is_empty() { found.iter().collect() } else { sure };
        let (history, had) = candidates.first()?;
        let stale = sync.anything_lost_by(RESOURCE, time_ns)
            || !sync.scopes(RESOURCE).any(|scope| sync.in_sync(RESOURCE, scope, time_ns));
        if candidates.len() > 1 {
            let certainty = if stale { Certainty::Stale } else { Certainty::Ambiguous };
            let (namespace, name, port) = Default::default();
            return Some(ServiceTag { certainty, namespace, name, port });
        }
        let (certainty, port) = match had {
            Had::Surely(port) => (Certainty::Known, port),
            Had::Possibly(port) => (Certainty::Changing, port),
            Had::Not => return None,
        };
        Some(ServiceTag {
            certainty: if stale { Certainty::Stale } else { certainty },
            namespace: history.namespace.clone(),
            name: history.name.clone(),
            port: port.clone(),
        })
    }
}

impl History {
    /// A ClusterIP without that port still is this Service's address; the port's name is then empty.
    fn had(&self, destination: SocketAddr, time_ns: u64, clock: &ClockMap) -> Had {
        let steps = self.versions.steps();
        let created = steps.first().and_then(|step| step.value.created);
        let created_ns = created.and_then(|at| clock.not_before(at)).unwrap_or(0);
        let mut names = BTreeSet::new();
        let mut without = false;
        for (index, step) in steps.iter().enumerate() {
            let written_ns = step.value.updated.and_then(|at| clock.not_before(at));
            let from_ns = if index == 0 { created_ns } else { written_ns.unwrap_or(step.after_ns) };
            let next = steps.get(index + 1).map_or(u64::MAX, |next| next.seen_ns);
            if from_ns > time_ns || next <= time_ns {
                continue;
            }
            without |= index == 0 && step.seen_ns > time_ns;
            match step.value.name_of(destination).filter(|_| step.present) {
                Some(name) => {
                    names.insert(name.to_owned());
                }
                None => without = true,
            }
        }
        let several = names.len() > 1;
        match names.pop_first() {
            None => Had::Not,
            Some(name) if !without && !several => Had::Surely(name),
            Some(name) => Had::Possibly(name),
        }
    }
}

impl Facts {
    fn name_of(&self, destination: SocketAddr) -> Option<&str> {
        if !self.addresses.contains(&destination.ip()) {
            return None;
        }
        let port = self.ports.iter().find(|(number, _)| *number == destination.port());
        Some(port.map_or("", |(_, name)| name.as_str()))
    }
}
