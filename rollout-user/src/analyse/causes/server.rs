//! What servers' kernels and the node's conntrack table said of connections: the other side of each attempt.
//!
//! In: kernel and table records without an attempt number, in any order. Out: answers by tuple, namespace and time.

use super::super::facts::same_netns;
use super::super::stamped::Stamped;
use crate::record::kernel::{Flow, Netns, ResetSent};
use crate::record::{Body, Record};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The client's port, and the address that the packet was for.
type Tuple = (u16, SocketAddr);

/// Everything that was said by others than the client.
#[derive(Debug, Default)]
pub struct ServerSide {
    resets: BTreeMap<Tuple, Vec<Stamped<ResetSent>>>,
    /// SYN-ACKs sent again, by the client's tuple.
    syn_acks: BTreeMap<Tuple, Vec<Told>>,
    /// SYNs dropped at a full backlog, by the client's tuple.
    backlog: BTreeMap<Tuple, Vec<Told>>,
    /// Namespaces whose listen counters rose.
    overflows: Vec<(Netns, u64, u64)>,
    /// The node's conntrack table over time.
    conntrack: BTreeMap<(u64, u64), Table>,
}

/// Something that was told of one client's tuple.
#[derive(Debug, Clone, Copy)]
struct Told {
    time_ns: u64,
    id: u64,
    source: Option<IpAddr>,
}

/// One reading of the conntrack table's counters.
#[derive(Debug, Clone, Copy)]
struct Table {
    count: u64,
    max: u64,
    insert_failed: u64,
    drop: u64,
}

/// How far the conntrack table's counters rose in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rise {
    /// Entries at its end.
    pub count: u64,
    /// Entries that the table may have.
    pub max: u64,
    /// Entries that could not be inserted.
    pub insert_failed: u64,
    /// Packets dropped because the table was full.
    pub drop: u64,
    /// The readings.
    pub evidence: Vec<u64>,
}

impl ServerSide {
    /// Takes a record in.
    pub fn take(&mut self, record: &Record) {
        let (time_ns, id) = (record.time_ns, record.id);
        let told = |flow: &Flow| {
            let port = flow.source_port?;
            Some(((port, flow.destination), Told { time_ns, id, source: flow.source }))
        };
        match &record.body {
            Body::ResetSent(reset) => {
                if let Some(port) = reset.flow.source_port {
                    let tuple = (port, reset.flow.destination);
                    self.resets.entry(tuple).or_default().push(Stamped::of(record, reset));
                }
            }
            Body::SynAckRetransmitted(again) => {
                if let Some((tuple, told)) = told(&again.flow) {
                    self.syn_acks.entry(tuple).or_default().push(told);
                }
            }
            Body::BacklogFull(full) => {
                if let Some((tuple, told)) = told(&full.flow) {
                    self.backlog.entry(tuple).or_default().push(told);
                }
            }
            Body::ListenCounters(counters) if counters.overflows > 0 => {
                self.overflows.push((counters.netns, time_ns, id));
            }
            Body::ConntrackStats(stats) => {
                let (count, max) = (stats.count, stats.max);
                let (insert_failed, drop) = (stats.insert_failed, stats.drop);
                self.conntrack.insert((time_ns, id), Table { count, max, insert_failed, drop });
            }
            _ => {}
        }
    }

    /// RSTs for the segments of a client `(address, port)` at `target` in `[from, to]`, by time.
    pub fn resets(
        &self,
        client: (Option<IpAddr>, u16),
        target: SocketAddr,
        (from_ns, to_ns): (u64, u64),
    ) -> Vec<&Stamped<ResetSent>> {
        let all = self.resets.get(&(client.1, target)).into_iter().flatten();
        let mut found: Vec<_> = all
            .filter(|reset| (from_ns..=to_ns).contains(&reset.time_ns))
            .filter(|reset| agrees(reset.what.flow, client.0))
            .collect();
        found.sort_by_key(|reset| reset.order());
        found
    }

    /// SYN-ACKs to that client that were sent again, as record ids.
    pub fn syn_acks_again(
        &self,
        client: (Option<IpAddr>, u16),
        target: SocketAddr,
        range: (u64, u64),
    ) -> Vec<u64> {
        told(self.syn_acks.get(&(client.1, target)), client.0, range)
    }

    /// SYNs of that client that were dropped at a full backlog, as record ids.
    pub fn backlog_drops(
        &self,
        client: (Option<IpAddr>, u16),
        target: SocketAddr,
        range: (u64, u64),
    ) -> Vec<u64> {
        told(self.backlog.get(&(client.1, target)), client.0, range)
    }

    /// Readings in which a namespace's listen overflows had risen, as record ids.
    pub fn overflows(&self, netns: &[Netns], (from_ns, to_ns): (u64, u64)) -> Vec<u64> {
        let of =
            self.overflows.iter().filter(|(at, _, _)| netns.iter().any(|n| same_netns(*n, *at)));
        of.filter(|(_, time, _)| (from_ns..=to_ns).contains(time)).map(|(_, _, id)| *id).collect()
    }

    /// How far the conntrack counters rose between the last reading before `from` and the last one until `to`.
    pub fn conntrack_rises(&self, (from_ns, to_ns): (u64, u64)) -> Option<Rise> {
        let before = self.conntrack.range(..(from_ns, 0)).next_back();
        let before = before.or_else(|| self.conntrack.first_key_value())?;
        let after = self.conntrack.range(..=(to_ns, u64::MAX)).next_back()?;
        Some(Rise {
            count: after.1.count,
            max: after.1.max,
            insert_failed: after.1.insert_failed.saturating_sub(before.1.insert_failed),
            drop: after.1.drop.saturating_sub(before.1.drop),
            evidence: vec![before.0.1, after.0.1],
        })
    }

    /// RSTs that the namespace `netns` sent to `peer` for segments that came to `client`: the client's own kernel did
    /// not know the connection.
    pub fn stray_resets(
        &self,
        peer: SocketAddr,
        client: SocketAddr,
        netns: Netns,
        (from_ns, to_ns): (u64, u64),
    ) -> Vec<&Stamped<ResetSent>> {
        let all = self.resets.get(&(peer.port(), client)).into_iter().flatten();
        all.filter(|reset| (from_ns..=to_ns).contains(&reset.time_ns))
            .filter(|reset| agrees(reset.what.flow, Some(peer.ip())))
            .filter(|reset| same_netns(reset.what.netns, netns) && !reset.what.has_socket)
            .collect()
    }
}

/// Source addresses agree unless both are known and differ.
fn agrees(flow: Flow, source: Option<IpAddr>) -> bool {
    flow.source.is_none() || source.is_none() || flow.source == source
}

fn told(all: Option<&Vec<Told>>, source: Option<IpAddr>, (from_ns, to_ns): (u64, u64)) -> Vec<u64> {
    let same = |told: &&Told| told.source.is_none() || source.is_none() || told.source == source;
    let all = all.into_iter().flatten().filter(same);
    all.filter(|told| (from_ns..=to_ns).contains(&told.time_ns)).map(|told| told.id).collect()
}
