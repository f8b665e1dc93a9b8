//! Which endpoints a Service had at a moment, by its slices.
//!
//! In: EndpointSlice and Service records, in any order. Out: the endpoints that were listed, and traffic policies.

use crate::record::cluster::{Endpoint, Service};
use crate::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Namespace and name of a Service.
pub type ServiceKey = (String, String);

/// Versions of one slice, by time and record.
type Versions = BTreeMap<(u64, u64), Version>;

/// One version of one slice.
#[derive(Debug)]
struct Version {
    id: u64,
    present: bool,
    endpoints: Vec<Endpoint>,
}

/// All slices of all Services, as a proxy of one node reads them.
#[derive(Debug, Default)]
pub struct Endpoints {
    node: Option<String>,
    slices: BTreeMap<ServiceKey, BTreeMap<String, Versions>>,
    services: BTreeMap<ServiceKey, Service>,
}

impl Endpoints {
    /// Takes a record in; others than slices and Services are left alone.
    pub fn take(&mut self, record: &Record) {
        match &record.body {
            Body::Header(header) => self.node = Some(header.node.clone()),
            Body::EndpointSlice(seen) => {
                let slice = &seen.object;
                let Some(service) = &slice.service else { return };
                let key = (slice.meta.namespace.clone(), service.clone());
                let versions = self.slices.entry(key).or_default().entry(slice.meta.uid.clone());
                let version = Version {
                    id: record.id,
                    present: seen.present,
                    endpoints: slice.endpoints.clone(),
                };
                versions.or_default().insert((record.time_ns, record.id), version);
            }
            Body::Service(seen) => {
                let meta = &seen.object.meta;
                let key = (meta.namespace.clone(), meta.name.clone());
                self.services.insert(key, seen.object.clone());
            }
            _ => {}
        }
    }

    /// The Service as last told.
    pub fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.services.get(key)
    }

    /// What the slices listed at `time_ns`, and the records that say so.
    pub fn at(&self, key: &ServiceKey, time_ns: u64) -> (Vec<&Endpoint>, Vec<u64>) {
        let mut listed = Vec::new();
        let mut evidence = Vec::new();
        for versions in self.slices.get(key).into_iter().flat_map(BTreeMap::values) {
            let last = versions.range(..=(time_ns, u64::MAX)).next_back();
            if let Some((_, version)) = last.filter(|(_, version)| version.present) {
                listed.extend(&version.endpoints);
                evidence.push(version.id);
            }
        }
        (listed, evidence)
    }

    /// The same as far as clients of this node may use it: with the traffic policy `Local`, this node's endpoints.
    pub fn usable(&self, key: &ServiceKey, time_ns: u64) -> (Vec<&Endpoint>, Vec<u64>) {
        let (mut listed, evidence) = self.at(key, time_ns);
        if self.service(key).is_some_and(is_local) {
            listed.retain(|endpoint| self.is_here(endpoint));
        }
        (listed, evidence)
    }

    /// Whether an endpoint is on the traced node.
    pub fn is_here(&self, endpoint: &Endpoint) -> bool {
        self.node.is_some() && endpoint.node == self.node
    }

    /// From when on a proxy had to leave a pod out, up to `to_ns` without a break, and the record that says so: the slices
    /// have it no longer as ready, and list a ready endpoint instead, or have it as serving no more (KEP-1669).
    pub fn had_to_leave(&self, uid: &str, (from_ns, to_ns): (u64, u64)) -> Option<(u64, u64)> {
        // No proxy balances a headless Service.
        let balanced = |key: &ServiceKey| {
            self.service(key).is_none_or(|service| !service.addresses.is_empty())
        };
        let keys = self
            .slices
            .keys()
            .filter(|key| balanced(key) && self.ever(key).is_some_and(|e| e.contains(uid)));
        let since = |key: &ServiceKey| {
            let versions = self.slices.get(key)?.values().flat_map(BTreeMap::keys);
            let mut times: Vec<(u64, u64)> =
                versions.filter(|(time, _)| (from_ns..=to_ns).contains(time)).copied().collect();
            times.sort_unstable();
            let mut since = None;
            for stamp in times {
                since =
                    if self.has_to_leave(key, uid, stamp.0) { since.or(Some(stamp)) } else { None };
            }
            since
        };
        // Of several Services the last one counts: until then it was right to choose the pod.
        keys.filter_map(since).max()
    }

    fn has_to_leave(&self, key: &ServiceKey, uid: &str, time_ns: u64) -> bool {
        let (listed, _) = self.usable(key, time_ns);
        match listed.iter().find(|e| e.pod_uid.as_deref() == Some(uid)) {
            None => true,
            Some(own) if own.ready => false,
            Some(own) => listed.iter().any(|e| e.ready) || !(own.serving && own.terminating),
        }
    }

    /// UIDs of all pods that the Service's slices ever listed; `None`: it has no slices here.
    pub fn ever(&self, key: &ServiceKey) -> Option<BTreeSet<&str>> {
        let slices = self.slices.get(key)?;
        let versions = slices.values().flat_map(BTreeMap::values);
        Some(versions.flat_map(|v| &v.endpoints).filter_map(|e| e.pod_uid.as_deref()).collect())
    }
}

/// Whether only endpoints of the client's node count.
pub fn is_local(service: &Service) -> bool {
    service.internal_traffic_policy == "Local" || service.external_traffic_policy == "Local"
}
