//! Whose socket it is: by cgroup first, by network namespace where the cgroup says nothing, never by address (F13).
//!
//! In: `Cgroup` and `PodNetns` records. Out: a pod's UID, kubelet, the host, or nothing.

use super::tag::HostClient;
use crate::record::kernel::Netns;
use crate::record::table::{Cgroup, CgroupOwner, KubeletProcess, PodNetns};
use std::collections::{BTreeMap, BTreeSet};

/// Processes of kubelet that are found within this time live at the same time, ns.
const TOGETHER_NS: u64 = 1_000_000_000;

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
    /// cgroups by container id.
    containers: BTreeMap<String, BTreeSet<u64>>,
    /// kubelet's process ids, by time and record id.
    kubelets: BTreeMap<(u64, u64), u32>,
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
        if let Some(container) = container_of(&cgroup.owner) {
            self.containers.entry(container.to_owned()).or_default().insert(cgroup.id);
        }
    }

    pub fn observe_kubelet(&mut self, time_ns: u64, id: u64, process: &KubeletProcess) {
        self.kubelets.insert((time_ns, id), process.pid);
    }

    /// Until another kubelet was found; those that were found together live together.
    fn is_kubelet(&self, pid: u32, time_ns: u64) -> bool {
        self.kubelets.iter().any(|((found_ns, _), kubelet)| {
            let next = self.kubelets.range((found_ns.saturating_add(TOGETHER_NS), 0)..).next();
            *kubelet == pid && next.is_none_or(|((next_ns, _), _)| time_ns < *next_ns)
        })
    }

    pub fn observe_netns(&mut self, netns: &PodNetns) {
        // The node's own namespace is shared by processes and host-network pods: it names nobody.
        if netns.uid.is_empty() {
            return;
        }
        if netns.netns.cookie != 0 {
            self.by_cookie.entry(netns.netns.cookie).or_default().insert(netns.uid.clone());
        }
        self.by_inum.entry(netns.netns.inum).or_default().insert(netns.uid.clone());
        self.netns_of.entry(netns.uid.clone()).or_default().insert(netns.netns);
    }

    /// The owner of a socket. `of_container(id)` gives the UID of the pod whose status names that container;
    /// `lived(uid)` tells whether that pod can have existed then with a namespace of its own.
    pub fn owner(
        &self,
        (cgroup, netns, pid): (u64, Netns, u32),
        time_ns: u64,
        of_container: impl Fn(&str) -> Option<String>,
        lived: impl Fn(&str) -> bool,
    ) -> Owner {
        let host = || {
            let kubelet = self.is_kubelet(pid, time_ns);
            Owner::Host(if kubelet { HostClient::Kubelet } else { HostClient::Host })
        };
        let known = self.cgroup_owner(cgroup, time_ns);
        // A static pod's cgroup has its config hash for a UID: the container tells which pod it is to the API.
        let container = known.and_then(|(_, owner)| container_of(owner)).and_then(of_container);
        let fallback = match known {
            _ if container.is_some() => return container.map_or(Owner::Unknown, Owner::Pod),
            Some((_, CgroupOwner::Pod { uid, .. })) => return Owner::Pod(uid.clone()),
            Some((_, CgroupOwner::Kubelet)) => return Owner::Host(HostClient::Kubelet),
            Some((false, CgroupOwner::Host)) => return host(),
            Some((true, CgroupOwner::Host)) => host(),
            None if self.is_kubelet(pid, time_ns) => host(),
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

    /// The pod's cgroups, by its UID and its containers' ids.
    pub fn cgroups_of(&self, uid: &str, containers: &BTreeSet<String>) -> BTreeSet<u64> {
        let by_container = containers.iter().filter_map(|id| self.containers.get(id));
        self.cgroups_of.get(uid).into_iter().chain(by_container).flatten().copied().collect()
    }

    /// The pod's containers with their cgroups, the sandbox among them.
    pub fn containers_of(
        &self,
        uid: &str,
        containers: &BTreeSet<String>,
    ) -> BTreeMap<&str, BTreeSet<u64>> {
        let mut found: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for cgroup in self.cgroups_of(uid, containers) {
            let owners = self.cgroups.get(&cgroup).into_iter().flatten();
            for container in owners.filter_map(|(_, (_, owner))| container_of(owner)) {
                found.entry(container).or_default().insert(cgroup);
            }
        }
        found
    }

    /// The pod's namespaces.
    pub fn netns_of(&self, uid: &str) -> impl Iterator<Item = Netns> {
        self.netns_of.get(uid).into_iter().flatten().copied()
    }
}

fn container_of(owner: &CgroupOwner) -> Option<&str> {
    match owner {
        CgroupOwner::Pod { container, .. } => container.as_deref(),
        CgroupOwner::Container { id } => Some(id),
        CgroupOwner::Kubelet | CgroupOwner::Host => None,
    }
}
