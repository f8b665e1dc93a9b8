//! Backends of an attempt: the time-stamped choices of its tuple (F1), entries older than the start (F15), and
//! conntrack's word as fallback and cross-check (F14).
//!
//! In: `BackendChosen` and `IpvsConnections` records. Out: the choices that concern a window of time.

use super::tag::BackendTag;
use crate::record::kernel::{BackendChosen, Chooser, Flow};
use crate::record::table::IpvsConnections;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A first SYN's choice is made while it is sent. If the window's first choice comes later than this after its
/// beginning, the SYN took an existing entry and the previous choice still counts.
const SYN_CHOICE_NS: u64 = 100_000_000;

/// conntrack's events carry their arrival in user space, which may be after the window's end by this.
const CONNTRACK_LAG_NS: u64 = 500_000_000;

/// Where choices of an attempt went, and whether those who reported them agree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Backends {
    /// By time. The first may be older than the window: an existing entry was used again.
    pub choices: Vec<BackendTag>,
    /// Records of conntrack that name a backend that IPVS did not choose.
    pub disagreeing: Vec<u64>,
}

/// One choice, not yet attributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub time_ns: u64,
    pub address: SocketAddr,
    pub evidence: u64,
}

/// All choices by tuple.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    /// (client, dialled) → (time, record id, entry of that record) → backend, chooser.
    by_tuple: BTreeMap<(SocketAddr, SocketAddr), Times>,
}

type Times = BTreeMap<(u64, u64, u32), (SocketAddr, Chooser)>;

impl Choices {
    pub fn observe(&mut self, time_ns: u64, id: u64, chosen: &BackendChosen) {
        if let Some(tuple) = tuple(&chosen.flow) {
            let times = self.by_tuple.entry(tuple).or_default();
            times.insert((time_ns, id, 0), (chosen.backend, chosen.by));
        }
    }

    pub fn observe_table(&mut self, time_ns: u64, id: u64, table: &IpvsConnections) {
        for (index, entry) in (0_u32..).zip(&table.entries) {
            let times = self.by_tuple.entry((entry.client, entry.service)).or_default();
            times.insert((time_ns, id, index), (entry.backend, Chooser::Ipvs));
        }
    }

    /// Choices for the flow from `from_ns` to `to_ns`, and ids of records that contradict them.
    pub fn of(&self, flow: &Flow, from_ns: u64, to_ns: u64) -> (Vec<Choice>, Vec<u64>) {
        let times = tuple(flow).and_then(|tuple| self.by_tuple.get(&tuple));
        let Some(times) = times else { return (Vec::new(), Vec::new()) };
        let ipvs = chosen_by(times, Chooser::Ipvs, from_ns, to_ns);
        let late = to_ns.saturating_add(CONNTRACK_LAG_NS);
        let conntrack = chosen_by(times, Chooser::Conntrack, from_ns, late);
        if ipvs.is_empty() {
            return (conntrack, Vec::new());
        }
        let disagrees = |choice: &&Choice| {
            choice.time_ns >= from_ns && !ipvs.iter().any(|one| one.address == choice.address)
        };
        let disagreeing =
            conntrack.iter().filter(disagrees).map(|choice| choice.evidence).collect();
        (ipvs, disagreeing)
    }
}

fn tuple(flow: &Flow) -> Option<(SocketAddr, SocketAddr)> {
    Some((SocketAddr::new(flow.source?, flow.source_port?), flow.destination))
}

fn chosen_by(times: &Times, by: Chooser, from_ns: u64, to_ns: u64) -> Vec<Choice> {
    let choice = |(key, value): (&(u64, u64, u32), &(SocketAddr, Chooser))| Choice {
        time_ns: key.0,
        address: value.0,
        evidence: key.1,
    };
    let inside: Vec<Choice> = times
        .range((from_ns, 0, 0)..=(to_ns.max(from_ns), u64::MAX, u32::MAX))
        .filter(|(_, value)| value.1 == by)
        .map(choice)
        .collect();
    let covered =
        inside.first().is_some_and(|first| first.time_ns.saturating_sub(from_ns) <= SYN_CHOICE_NS);
    let carried = times
        .range(..(from_ns, 0, 0))
        .rev()
        .find(|(_, value)| value.1 == by)
        .filter(|_| !covered)
        .map(choice);
    carried.into_iter().chain(inside).collect()
}
