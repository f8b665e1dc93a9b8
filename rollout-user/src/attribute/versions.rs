//! The versions of one object as the watches delivered them, put into the API server's order.
//!
//! In: sightings in any order, the same version more than once (two watches may cover one pod). Out: steps, each
//! with the interval in which the object came into that version.

use std::collections::BTreeMap;

/// How late a watch in sync may deliver, ns. The arrival of the previous version alone is no lower bound for a change
/// without a timestamp of its own: both versions may have been under way at once.
pub const WATCH_LAG_NS: u64 = 5_000_000_000;

/// Orders versions: by resource version (a number of etcd). Without a usable resource version, by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    resource_version: u64,
    gone: bool,
    arrival_ns: u64,
}

/// One arrival of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sighting {
    /// Arrival, ns.
    pub arrival_ns: u64,
    /// Record id.
    pub id: u64,
}

#[derive(Debug, Clone)]
struct Version<T> {
    sightings: Vec<Sighting>,
    value: T,
}

/// All versions of one object.
#[derive(Debug, Clone)]
pub(super) struct Versions<T>(BTreeMap<Key, Version<T>>);

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// One version in order.
#[derive(Debug, Clone)]
pub(super) struct Step<'a, T> {
    /// What the object looked like.
    pub value: &'a T,
    /// `false`: it was deleted.
    pub present: bool,
    /// The object was in this version, or a later one, at this time, ns.
    pub seen_ns: u64,
    /// It was still in this version when it was told again, ns: a list after a cut, a second watch.
    pub last_ns: u64,
    /// Without a timestamp of its own, the change lies after this, ns; 0 for the first version.
    pub after_ns: u64,
    /// Record id of its first sighting.
    pub id: u64,
}

impl<T> Versions<T> {
    /// Takes in one sighting.
    pub fn insert(&mut self, resource_version: &str, present: bool, sighting: Sighting, value: T) {
        let resource_version = resource_version.parse().unwrap_or(0);
        let arrival_ns = if resource_version == 0 { sighting.arrival_ns } else { 0 };
        let key = Key { resource_version, gone: !present, arrival_ns };
        match self.0.get_mut(&key) {
            None => {
                self.0.insert(key, Version { sightings: vec![sighting], value });
            }
            Some(version) => {
                if version.sightings.first().is_none_or(|first| sighting < *first) {
                    version.value = value;
                }
                if let Err(at) = version.sightings.binary_search(&sighting) {
                    version.sightings.insert(at, sighting);
                }
            }
        }
    }

    /// All versions in order, the deletion last. A deletion after which a later version still arrived was a watch
    /// losing sight of the object (it no longer matched a selector), and is left out.
    pub fn steps(&self) -> Vec<Step<'_, T>> {
        let arrival =
            |version: &Version<T>| version.sightings.first().map_or(0, |one| one.arrival_ns);
        let latest = self.0.iter().rfind(|(key, _)| !key.gone);
        let contradicted = |key: &Key, version: &Version<T>| {
            latest.is_some_and(|(later, last)| {
                later.resource_version > key.resource_version && arrival(last) > arrival(version)
            })
        };
        let deletions =
            self.0.iter().filter(|(key, version)| key.gone && !contradicted(key, version));
        let deletion = deletions.min_by_key(|(key, version)| (arrival(version), **key));
        let mut steps: Vec<Step<'_, T>> = Vec::new();
        for (key, version) in self.0.iter().filter(|(key, _)| !key.gone).chain(deletion) {
            let Some(first) = version.sightings.first() else { continue };
            steps.push(Step {
                value: &version.value,
                present: !key.gone,
                seen_ns: first.arrival_ns,
                last_ns: version.sightings.last().unwrap_or(first).arrival_ns,
                after_ns: 0,
                id: first.id,
            });
        }
        let mut earliest = u64::MAX;
        for step in steps.iter_mut().rev() {
            let next_seen = earliest;
            earliest = earliest.min(step.seen_ns);
            step.seen_ns = earliest;
            step.last_ns = step.last_ns.min(next_seen).max(step.seen_ns);
        }
        let mut previous = None;
        for step in &mut steps {
            let lagging = step.seen_ns.saturating_sub(WATCH_LAG_NS);
            step.after_ns = previous.map_or(0, |last: u64| last.min(lagging));
            previous = Some(step.last_ns);
        }
        steps
    }
}
