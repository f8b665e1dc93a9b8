//! Connections that the user does not want: which cgroups the kernel is to leave out, as pods come and go.
//!
//! In: records of pods and cgroups. Out: changes of the kernel's filter. Whatever is not known yet passes.

use crate::record::Body;
use crate::record::table::CgroupOwner;
use std::collections::{BTreeMap, BTreeSet};

/// One change of the kernel's filter: a cgroup id, with everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It does not matter any more.
    Deny(u64),
    /// Its pod is gone.
    Allow(u64),
}

/// Pods of namespaces that are left out, and their cgroups.
#[derive(Debug, Default)]
pub struct Exclusion {
    namespaces: BTreeSet<String>,
    /// By UID: pods of these namespaces that are there.
    pods: BTreeSet<String>,
    /// By UID: cgroups of pods that are not told to be gone.
    cgroups: BTreeMap<String, BTreeSet<u64>>,
}

impl Exclusion {
    /// Leaves out what pods of `namespaces` do.
    pub fn new(namespaces: &[String]) -> Self {
        Self { namespaces: namespaces.iter().cloned().collect(), ..Self::default() }
    }

    /// Takes a record in; says what must change.
    pub fn observe(&mut self, body: &Body) -> Vec<Change> {
        if self.namespaces.is_empty() {
            return Vec::new();
        }
        match body {
            Body::Pod(pod) => {
                let meta = &pod.object.meta;
                if !pod.present {
                    self.pods.remove(&meta.uid);
                    let gone = self.cgroups.remove(&meta.uid).unwrap_or_default();
                    return gone.into_iter().map(Change::Allow).collect();
                }
                if self.namespaces.contains(&meta.namespace) && self.pods.insert(meta.uid.clone()) {
                    let known = self.cgroups.get(&meta.uid).into_iter().flatten();
                    return known.copied().map(Change::Deny).collect();
                }
                Vec::new()
            }
            Body::Cgroup(cgroup) => {
                let CgroupOwner::Pod { uid, .. } = &cgroup.owner else { return Vec::new() };
                self.cgroups.entry(uid.clone()).or_default().insert(cgroup.id);
                let unwanted = self.pods.contains(uid);
                unwanted.then_some(Change::Deny(cgroup.id)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::cluster::{Meta, Observed, Pod};
    use crate::record::table::Cgroup;

    fn pod(namespace: &str, present: bool) -> Body {
        let uid = format!("uid-{namespace}");
        let meta = Meta { namespace: namespace.into(), uid, ..Meta::default() };
        Body::Pod(Observed { present, not_before_ns: 0, object: Pod { meta, ..Pod::default() } })
    }

    fn cgroup(id: u64, namespace: &str) -> Body {
        let owner = CgroupOwner::Pod { uid: format!("uid-{namespace}"), container: None };
        Body::Cgroup(Cgroup { id, owner, ..Cgroup::default() })
    }

    #[test]
    fn whichever_is_known_first_the_cgroups_of_unwanted_pods_are_denied_until_they_go() {
        let mut unwanted = Exclusion::new(&["monitoring".into()]);
        let mut told = |body: Body| unwanted.observe(&body);
        assert_eq!(told(cgroup(1, "monitoring")), []);
        assert_eq!(told(cgroup(2, "shop")), []);
        assert_eq!(told(pod("monitoring", true)), [Change::Deny(1)]);
        assert_eq!(told(pod("shop", true)), []);
        assert_eq!(told(cgroup(3, "monitoring")), [Change::Deny(3)]);
        assert_eq!(told(pod("monitoring", true)), []);
        assert_eq!(told(pod("monitoring", false)), [Change::Allow(1), Change::Allow(3)]);
        assert_eq!(told(pod("shop", false)), [Change::Allow(2)]);
    }

    #[test]
    fn without_a_wish_nothing_is_kept() {
        let mut none = Exclusion::new(&[]);
        assert_eq!(none.observe(&cgroup(1, "monitoring")), []);
        assert_eq!(none.observe(&pod("monitoring", true)), []);
        assert!(none.pods.is_empty() && none.cgroups.is_empty());
    }
}
