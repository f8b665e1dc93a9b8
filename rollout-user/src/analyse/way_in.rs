//! Users' attempts by the way they took: which Service and port they dialled, or pods by their own addresses.
//!
//! In: attempts. Out: [`WayIn`]s, the most used first.

use super::report::attempt::{Attempt, ClientKind};
use super::report::way_in::WayIn;
use std::collections::BTreeMap;

/// A Service's namespace, name and port name, empty where none was dialled; and the port.
type Key = (String, String, String, u16);

/// Counts users' attempts at or after the update's start.
pub fn ways_in(attempts: &[Attempt]) -> Vec<WayIn> {
    let mut ways: BTreeMap<Key, WayIn> = BTreeMap::new();
    let user = |a: &&Attempt| a.in_scope && !a.baseline && a.client.kind == ClientKind::User;
    for attempt in attempts.iter().filter(user) {
        let port = attempt.destination.port();
        let tag = attempt.service.as_ref();
        let (namespace, service, name) = tag.map_or_else(Default::default, |tag| {
            (tag.namespace.clone(), tag.name.clone(), tag.port.clone())
        });
        let key = (namespace.clone(), service.clone(), name.clone(), port);
        let way = ways.entry(key).or_insert_with(|| WayIn {
            to_service: tag.is_some(),
            namespace,
            service,
            port_name: name,
            port,
            ..WayIn::default()
        });
        way.attempts += 1;
        way.failed += u64::from(attempt.failed);
        way.slowed += u64::from(attempt.slowed);
    }
    let mut ways: Vec<WayIn> = ways.into_values().collect();
    // Stable: ways of equal use stay in the order of their names.
    ways.sort_by_key(|way| std::cmp::Reverse(way.attempts));
    ways
}
