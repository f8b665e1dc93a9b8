//! What balancer, netfilter and ICMP said about packets, found again by tuple and time.
//!
//! In: kernel records that carry a tuple but no attempt number. Out: for one tuple and one stretch of time, the events
//! in it, and the last backend choice before it (a reuse hit makes no new choice, F1).

use super::super::facts::same_netns;
use crate::record::kernel::{Chooser, Flow, Netns};
use crate::record::{Body, Record};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A tuple without the client's address, which the kernel does not always know at the same moments.
type Tuple = (u16, SocketAddr);

/// conntrack's events are stamped when user space reads them, at most so long after the choice (F14).
pub const CONNTRACK_SLACK_NS: u64 = 2_000_000_000;

/// One event about a packet.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowEvent {
    /// When, ns.
    pub time_ns: u64,
    /// The record.
    pub id: u64,
    /// The packet's source address.
    pub source: Option<IpAddr>,
    /// Where it was seen.
    pub netns: Netns,
    /// What happened.
    pub what: What,
}

/// What happened to a packet.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A backend was chosen.
    Choice {
        /// Where the packet goes now.
        backend: SocketAddr,
        /// Its weight.
        weight: Option<i32>,
        /// Who chose.
        by: Chooser,
        /// Found in a table at the start: the choice is older than its time (F15).
        listed: bool,
    },
    /// The kernel dropped it.
    Drop {
        /// `enum skb_drop_reason`.
        reason: Option<String>,
        /// Kernel symbol.
        location: Option<String>,
    },
    /// No destination for it.
    NoDestination,
    /// An ICMP error answers it.
    Icmp,
}

/// All events about packets, by tuple and time.
#[derive(Debug, Default)]
pub struct Flows {
    by_tuple: BTreeMap<Tuple, Vec<FlowEvent>>,
    /// Events whose tuple lacks its port: they can belong to nobody.
    portless: Vec<FlowEvent>,
}

impl Flows {
    /// Takes a record in; others than those about packets are left alone.
    pub fn take(&mut self, record: &Record) {
        match &record.body {
            Body::BackendChosen(e) => {
                let (backend, weight, by) = (e.backend, e.weight, e.by);
                let what = What::Choice { backend, weight, by, listed: false };
                self.put(record, &e.flow, e.netns, what);
            }
            Body::SynDropped(e) => {
                let what = What::Drop { reason: e.reason.clone(), location: e.location.clone() };
                self.put(record, &e.flow, e.netns, what);
            }
            Body::NoDestination(e) => self.put(record, &e.flow, e.netns, What::NoDestination),
            Body::IcmpSent(e) => self.put(record, &e.flow, e.netns, What::Icmp),
            Body::IpvsConnections(listed) => {
                for entry in &listed.entries {
                    let flow = Flow {
                        source: Some(entry.client.ip()),
                        source_port: Some(entry.client.port()),
                        destination: entry.service,
                    };
                    let (backend, by) = (entry.backend, Chooser::Ipvs);
                    let what = What::Choice { backend, weight: None, by, listed: true };
                    self.put(record, &flow, listed.netns, what);
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, record: &Record, flow: &Flow, netns: Netns, what: What) {
        let (time_ns, id, source) = (record.time_ns, record.id, flow.source);
        let event = FlowEvent { time_ns, id, source, netns, what };
        match flow.source_port {
            Some(port) => self.by_tuple.entry((port, flow.destination)).or_default().push(event),
            None => self.portless.push(event),
        }
    }

    /// Sorts. To be called once, before any question.
    pub fn finish(&mut self) {
        for events in self.by_tuple.values_mut() {
            events.sort_by_key(|e| (e.time_ns, e.id));
        }
        self.portless.sort_by_key(|e| (e.time_ns, e.id));
    }

    /// Events about `flow` in `[from, to)`, by time.
    pub fn between(
        &self,
        flow: &Flow,
        from_ns: u64,
        to_ns: u64,
    ) -> impl Iterator<Item = &FlowEvent> {
        let events = self.of(flow);
        let first = events.partition_point(|e| e.time_ns < from_ns);
        events
            .iter()
            .skip(first)
            .take_while(move |e| e.time_ns < to_ns)
            .filter(move |e| compatible(e.source, flow.source))
    }

    /// The last backend choice about `flow` before `time_ns`: IPVS's own, unless conntrack tells of another one that
    /// is too late to be its echo.
    pub fn choice_before(&self, flow: &Flow, time_ns: u64) -> Option<&FlowEvent> {
        let events = self.of(flow);
        let end = events.partition_point(|e| e.time_ns < time_ns);
        let before = || events.iter().take(end).rev().filter(|e| compatible(e.source, flow.source));
        let last = before().find_map(|e| Some((e, e.choice()?)));
        let by_ipvs =
            before().find_map(|e| Some((e, e.choice()?)).filter(|c| c.1.1 == Chooser::Ipvs));
        match (last, by_ipvs) {
            (Some((last, (address, _))), Some((own, (backend, _)))) => {
                let echo = last.time_ns.saturating_sub(own.time_ns) < CONNTRACK_SLACK_NS;
                Some(if echo || address == backend { own } else { last })
            }
            (last, _) => last.map(|(e, _)| e),
        }
    }

    /// Every event, for counting.
    pub fn all(&self) -> impl Iterator<Item = &FlowEvent> {
        self.by_tuple.values().flatten().chain(&self.portless)
    }

    fn of(&self, flow: &Flow) -> &[FlowEvent] {
        flow.source_port
            .and_then(|port| self.by_tuple.get(&(port, flow.destination)))
            .map_or(&[], Vec::as_slice)
    }
}

impl FlowEvent {
    /// The choice, if it is one: backend and chooser.
    pub fn choice(&self) -> Option<(SocketAddr, Chooser)> {
        match self.what {
            What::Choice { backend, by, .. } => Some((backend, by)),
            _ => None,
        }
    }

    /// Whether it is the drop of a copy that a bridge flooded to a port where nobody wants it: the packet itself went
    /// on (F24).
    pub fn is_copy(&self) -> bool {
        matches!(&self.what, What::Drop { reason: Some(reason), .. } if reason == "OTHERHOST")
    }

    /// Whether it was seen in the namespace `other`, or in one that is not known.
    pub fn may_be_in(&self, other: Netns) -> bool {
        self.netns.inum == 0 || other.inum == 0 || same_netns(self.netns, other)
    }
}

/// Two views of a client's address agree unless both are known and differ.
fn compatible(a: Option<IpAddr>, b: Option<IpAddr>) -> bool {
    a.is_none() || b.is_none() || a == b
}
