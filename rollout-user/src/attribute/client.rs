//! Whose socket it is: by cgroup first, by network namespace where the cgroup says nothing, never by address (F13).
//!
//! In: `Cgroup` and `PodNetns` records. Out: a pod's UID, kubelet, the host, or nothing.

use super::tag::HostClient;
use crate::record::kernel::Netns;
use crate::record::table::{Cgroup, CgroupOwner, PodNetns};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a socket's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Pod(String),
    Host(HostClient),
    /// Several pods, by UID.
    OneOf(Vec<String>),
    Unknown,
}

/// By time and record id: whether the cgroup is the hierarchy's root, and what runs in it.
type Owners = BTreeMap<(u64, u64), (bool, CgroupOwner)>;

/// cgroups and namespaces of pods.
#[derive(Debug, Clone, Default)]
pub(super) struct Sockets {
    cgroups: BTreeMap<u64, Owners>,
    by_cookie: BTreeMap<u64, BTreeSet<String>>,
    /// Inodes are reused (F20): several pods over time.
    by_inum: BTreeMap<u32, BTreeSet<String>>,
    cgroups_of: BTreeMap<String, BTreeSet<u64>>,
    netns_of: BTreeMap<String, BTreeSet<Netns>>,
}

impl Sockets {
    pub fn observe_cgroup(&mut self, time_ns: u64, id: u64, cgroup: &Cgroup) {
        let owners = self.cgroups.entry(cgroup.id).or_default();
        // On cgroup v1 every process is in the root of the v2 hierarchy (F19), which therefore says little.
        let root = cgroup.path.trim_matches('/').is_empty();
        owners.insert((time_ns, id), (root, cgroup.owner.clone()));
        if let CgroupOwner::Pod { uid, .. } = &cgroup.owner {
            self.cgroups_of.entry(uid.clone()).or_default().insert(cgroup.id);
        }
    }

    pub fn observe_netns(&mut self, netns: &PodNetns) {
        if netns.netns.cookie != 0 {
            self.by_cookie.entry(netns.netns.cookie).or_default().insert(netns.uid.clone());
        }
        self.by_inum.entry(netns.netns.inum).or_default().insert(netns.uid.clone());
        self.netns_of.entry(netns.uid.clone()).or_default().insert(netns.netns);
    }

    /// The owner of a socket. `lived(uid)` tells whether that pod can have existed then and has a namespace of its
    /// own.
    pub fn owner(
        &self,
        cgroup: u64,
        netns: Netns,
        time_ns: u64,
        lived: impl Fn(&str) -> bool,
    ) -> Owner {
        let fallback = match self.cgroup_owner(cgroup, time_ns) {
            Some((_, CgroupOwner::Pod { uid, .. })) => return Owner::Pod(uid.clone()),
            Some((_, CgroupOwner::Kubelet)) => return Owner::Host(HostClient::Kubelet),
            Some((false, CgroupOwner::Host)) => return Owner::Host(HostClient::Host),
            Some((true, CgroupOwner::Host)) => Owner::Host(HostClient::Host),
            Some((_, CgroupOwner::Container { .. })) | None => Owner::Unknown,
        };
        let cookie = self.by_cookie.get(&netns.cookie).filter(|_| netns.cookie != 0);
        let Some(uids) = cookie.or_else(|| self.by_inum.get(&netns.inum)) else {
            return fallback;
        };
        let mut living: Vec<String> = uids.iter().filter(|uid| lived(uid)).cloned().collect();
        match (living.pop(), living.is_empty()) {
            (None, _) => fallback,
            (Some(uid), true) => Owner::Pod(uid),
            (Some(uid), false) => {
                living.push(uid);
                Owner::OneOf(living)
            }
        }
    }

    /// The owner, and whether the cgroup is the hierarchy's root.
    fn cgroup_owner(&self, cgroup: u64, time_ns: u64) -> Option<&(bool, CgroupOwner)> {
        if cgroup == 0 {
            return None;
        }
        let owners = self.cgroups.get(&cgroup)?;
        let before = owners.range(..=(time_ns, u64::MAX)).next_back();
        before.or_else(|| owners.first_key_value()).map(|(_, owner)| owner)
    }

    /// The pod's cgroups.
    pub fn cgroups_of(&self, uid: &str) -> impl Iterator<Item = u64> {
        self.cgroups_of.get(uid).into_iter().flatten().copied()
    }

    /// The pod's namespaces.
    pub fn netns_of(&self, uid: &str) -> impl Iterator<Item = Netns> {
        self.netns_of.get(uid).into_iter().flatten().copied()
    }
}
