//! The pods that the watches told of, as rows of a screen need them.
//!
//! In: Pod observations. Out: who there is, of which workload and revision. States come from the histories, not from here.

use crate::record::cluster::{Observed, Pod};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Pods that are kept; beyond this the newest are left out and counted.
const MOST: usize = 8192;
/// How long a pod stays on the screen after it is gone, ns.
const LINGER_NS: u64 = 60_000_000_000;
/// Revisions of workloads that have no ReplicaSet.
const CONTROLLER_HASH: &str = "controller-revision-hash";
/// Revisions of workloads that have.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// One pod.
#[derive(Debug, Clone)]
pub struct One {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its first address.
    pub address: Option<IpAddr>,
    /// Hash of its revision, where its kind of workload has revisions.
    pub hash: Option<String>,
    /// Kind and name of the controlling owner.
    pub owner: Option<(String, String)>,
    /// `metadata.creationTimestamp`, Unix seconds.
    pub created: Option<i64>,
    /// When it was first seen, ns.
    pub seen_ns: u64,
    /// When it was last seen to change, ns.
    pub changed_ns: u64,
    /// When it was seen to be gone, ns.
    pub gone_ns: Option<u64>,
}

/// All pods by UID.
#[derive(Default)]
pub struct Pods {
    by_uid: BTreeMap<String, One>,
    gone: VecDeque<(u64, String)>,
    left_out: u64,
}

impl Pods {
    /// Takes one observation.
    pub fn observe(&mut self, time_ns: u64, observed: &Observed<Pod>) {
        let pod = &observed.object;
        let meta = &pod.meta;
        let known = self.by_uid.get(&meta.uid);
        if known.is_some_and(|known| known.gone_ns.is_some()) {
            return;
        }
        if known.is_none() && (self.by_uid.len() >= MOST || !observed.present) {
            self.left_out += u64::from(observed.present);
            return;
        }
        let hash = [TEMPLATE_HASH, CONTROLLER_HASH].iter().find_map(|key| meta.labels.get(*key));
        let one = One {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            address: pod.ips.first().copied().or_else(|| known.and_then(|known| known.address)),
            hash: hash.cloned(),
            owner: meta.owner.as_ref().map(|owner| (owner.kind.clone(), owner.name.clone())),
            created: meta.created,
            seen_ns: known.map_or(time_ns, |known| known.seen_ns),
            changed_ns: time_ns,
            gone_ns: (!observed.present).then_some(time_ns),
        };
        if !observed.present {
            self.gone.push_back((time_ns, meta.uid.clone()));
        }
        self.by_uid.insert(meta.uid.clone(), one);
    }

    /// Forgets pods that are gone for long, and returns their UIDs.
    pub fn forget(&mut self, now_ns: u64) -> Vec<String> {
        let mut forgotten = Vec::new();
        while let Some((gone_ns, _)) = self.gone.front()
            && gone_ns.saturating_add(LINGER_NS) < now_ns
            && let Some((_, uid)) = self.gone.pop_front()
        {
            self.by_uid.remove(&uid);
            forgotten.push(uid);
        }
        forgotten
    }

    /// All of them, by UID.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &One)> {
        self.by_uid.iter()
    }

    /// How many were left out because there are too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}
