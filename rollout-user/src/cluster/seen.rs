//! What is known of one kind, and whether something that arrives is news.
//!
//! In: listed, changed and deleted objects with their arrival. Out: observations with `not_before`; repeats, which two
//! watches over the same pods bring, vanish here. Pure.

use super::kind::Kind;
use crate::record::cluster::Observed;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Deleted UIDs that are remembered, so that a watch that lags cannot bring an object back.
const GRAVES: usize = 16_384;

/// Who brought an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A watch over everything, or over one node (`spec.nodeName` never changes): what it deletes is gone.
    Whole = 1,
    /// A watch by label: an object that loses the label is deleted for it, but may be there.
    Labelled = 2,
    /// Fetched one by one; never listed again.
    Fetched = 4,
}

struct Known<K> {
    object: K,
    arrival_ns: u64,
    holders: u8,
}

/// All present objects of one kind.
pub(crate) struct Seen<K> {
    known: BTreeMap<String, Known<K>>,
    gone: BTreeSet<String>,
    gone_in_order: VecDeque<String>,
}

impl<K: Kind> Seen<K> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Seen { known: BTreeMap::new(), gone: BTreeSet::new(), gone_in_order: VecDeque::new() }
    }

    /// An object is there. `rewound`: the server's versions went back (restored from a backup), so older is newer.
    pub(crate) fn apply(
        &mut self,
        holder: Holder,
        arrival_ns: u64,
        object: K,
        rewound: bool,
    ) -> Option<Observed<K>> {
        let uid = object.meta().uid.clone();
        if self.gone.contains(&uid) && !rewound {
            return None;
        }
        let before = self.known.get_mut(&uid);
        let mut not_before_ns = 0;
        let mut holders = holder as u8;
        if let Some(before) = before {
            before.holders |= holder as u8;
            let (old, new) =
                (&before.object.meta().resource_version, &object.meta().resource_version);
            let news = if rewound { old != new } else { newer(old, new) };
            if !news {
                return None;
            }
            not_before_ns = before.arrival_ns;
            holders = before.holders;
        }
        self.known.insert(uid, Known { object: object.clone(), arrival_ns, holders });
        Some(Observed { present: true, not_before_ns, object })
    }

    /// An object was deleted; `object` is its last state.
    pub(crate) fn delete(&mut self, holder: Holder, object: K) -> Option<Observed<K>> {
        let uid = object.meta().uid.clone();
        self.drop_uid(holder, &uid, Some(object))
    }

    /// A new list of `holder` is complete: what it held and is not `listed` is gone.
    pub(crate) fn vanished(
        &mut self,
        holder: Holder,
        listed: &BTreeSet<String>,
    ) -> Vec<Observed<K>> {
        let missing: Vec<String> = self
            .known
            .iter()
            .filter(|(uid, known)| known.holders & holder as u8 != 0 && !listed.contains(*uid))
            .map(|(uid, _)| uid.clone())
            .collect();
        missing.iter().filter_map(|uid| self.drop_uid(holder, uid, None)).collect()
    }

    fn drop_uid(&mut self, holder: Holder, uid: &str, last: Option<K>) -> Option<Observed<K>> {
        if self.gone.contains(uid) {
            return None;
        }
        if let Some(known) = self.known.get_mut(uid)
            && holder == Holder::Labelled
            && known.holders & Holder::Whole as u8 != 0
        {
            known.holders &= !(holder as u8);
            return None;
        }
        let known = self.known.remove(uid);
        self.bury(uid);
        let not_before_ns = known.as_ref().map_or(0, |known| known.arrival_ns);
        let object = last.or(known.map(|known| known.object))?;
        Some(Observed { present: false, not_before_ns, object })
    }

    fn bury(&mut self, uid: &str) {
        if self.gone.insert(uid.to_owned()) {
            self.gone_in_order.push_back(uid.to_owned());
        }
        if self.gone_in_order.len() > GRAVES
            && let Some(oldest) = self.gone_in_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Objects that `holder` holds.
    pub(crate) fn count(&self, holder: Holder) -> usize {
        self.known.values().filter(|known| known.holders & holder as u8 != 0).count()
    }

    /// Whether the UID is known, alive or dead.
    pub(crate) fn knows(&self, uid: &str) -> bool {
        self.known.contains_key(uid) || self.gone.contains(uid)
    }
}

/// Whether `new` is a later version than `old`. Versions are decimal numbers that grow (KEP-5504); where they are not,
/// every other version is news.
fn newer(old: &str, new: &str) -> bool {
    match (old.parse::<u64>(), new.parse::<u64>()) {
        (Ok(old), Ok(new)) => new > old,
        _ => old != new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::cluster::{Meta, Pod};

    fn pod(uid: &str, version: &str) -> Pod {
        let meta = Meta { uid: uid.into(), resource_version: version.into(), ..Meta::default() };
        Pod { meta, ..Pod::default() }
    }

    fn listed(uids: &[&str]) -> BTreeSet<String> {
        uids.iter().map(|uid| (*uid).to_owned()).collect()
    }

    #[test]
    fn two_watches_over_one_pod_bring_each_version_once() {
        let mut seen = Seen::new();
        let first = seen.apply(Holder::Whole, 100, pod("u", "9"), false).unwrap();
        assert_eq!((first.present, first.not_before_ns), (true, 0));
        assert!(seen.apply(Holder::Labelled, 110, pod("u", "9"), false).is_none());
        let second = seen.apply(Holder::Labelled, 200, pod("u", "10"), false).unwrap();
        assert_eq!(second.not_before_ns, 100, "10 is later than 9, though not as text");
        assert!(seen.apply(Holder::Whole, 210, pod("u", "10"), false).is_none());
        assert!(seen.apply(Holder::Whole, 220, pod("u", "9"), false).is_none(), "a lagging repeat");
    }

    #[test]
    fn a_deleted_pod_stays_deleted_whoever_lags() {
        let mut seen = Seen::new();
        seen.apply(Holder::Whole, 100, pod("u", "9"), false);
        seen.apply(Holder::Labelled, 101, pod("u", "9"), false);
        let gone = seen.delete(Holder::Whole, pod("u", "12")).unwrap();
        assert_eq!((gone.present, gone.not_before_ns), (false, 100));
        assert_eq!(gone.object.meta.resource_version, "12");
        assert!(seen.apply(Holder::Labelled, 120, pod("u", "11"), false).is_none());
        assert!(seen.delete(Holder::Labelled, pod("u", "12")).is_none());
    }

    #[test]
    fn losing_a_label_is_no_deletion_while_the_node_still_has_the_pod() {
        let mut seen = Seen::new();
        seen.apply(Holder::Whole, 100, pod("u", "9"), false);
        seen.apply(Holder::Labelled, 101, pod("u", "9"), false);
        assert!(seen.delete(Holder::Labelled, pod("u", "10")).is_none());
        assert!(seen.apply(Holder::Whole, 102, pod("u", "10"), false).is_some());
    }

    #[test]
    fn a_new_list_tells_what_vanished_of_its_own_objects_only() {
        let mut seen = Seen::new();
        seen.apply(Holder::Whole, 100, pod("here", "1"), false);
        seen.apply(Holder::Whole, 100, pod("lost", "2"), false);
        seen.apply(Holder::Labelled, 100, pod("remote", "3"), false);
        let gone = seen.vanished(Holder::Whole, &listed(&["here"]));
        let uids: Vec<_> = gone.iter().map(|one| one.object.meta.uid.as_str()).collect();
        assert_eq!(uids, ["lost"]);
        assert_eq!(gone[0].not_before_ns, 100);
        assert_eq!(gone[0].object.meta.resource_version, "2", "its last state");
        assert_eq!(seen.count(Holder::Labelled), 1);
    }

    #[test]
    fn a_server_restored_from_a_backup_is_believed() {
        let mut seen = Seen::new();
        seen.apply(Holder::Whole, 100, pod("u", "900"), false);
        assert!(seen.apply(Holder::Whole, 200, pod("u", "30"), false).is_none());
        assert!(seen.apply(Holder::Whole, 200, pod("u", "30"), true).is_some());
    }

    #[test]
    fn versions_that_are_no_numbers_differ_or_not() {
        assert!(newer("abc", "abd") && newer("abd", "abc") && !newer("abc", "abc"));
    }

    #[test]
    fn graves_are_bounded() {
        let mut seen: Seen<Pod> = Seen::new();
        for number in 0..GRAVES + 10 {
            seen.delete(Holder::Whole, pod(&number.to_string(), "1"));
        }
        assert_eq!(seen.gone.len(), GRAVES);
        assert_eq!(seen.gone_in_order.len(), GRAVES);
    }
}
