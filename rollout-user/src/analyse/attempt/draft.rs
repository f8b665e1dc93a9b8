//! The kernel events of each connect, brought together by attempt number and in any order.
//!
//! In: kernel records of the client's side. Out: [`Draft`]s, from which `syn` and `outcome` read.

use super::super::stamped::{Stamped, keep_first};
use crate::record::kernel::{
    Closed, Connect, ConnectFailed, ConnectReturned, Established, Flow, Netns, ResetReceived,
    SynRetransmit,
};
use crate::record::{Body, Record};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What holds the events of one connect together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The kernel side's number.
    Numbered(u64),
    /// It began before the trace: a tuple in a namespace.
    Older(Option<IpAddr>, Option<u16>, SocketAddr, Netns),
    /// It never reached SYN_SENT: the record that says so.
    NeverSent(u64),
}

/// All events of one connect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// `tcp_connect`, or CLOSE → SYN_SENT.
    pub connect: Option<Stamped<Connect>>,
    /// The connect call's own error.
    pub returned: Option<Stamped<ConnectReturned>>,
    /// SYN_SENT → ESTABLISHED.
    pub established: Option<Stamped<Established>>,
    /// SYN_SENT → CLOSE.
    pub failed: Option<Stamped<ConnectFailed>>,
    /// The end of the established connection.
    pub closed: Option<Stamped<Closed>>,
    /// Tries to send the SYN again, sorted by [`Drafts::finish`].
    pub retransmits: Vec<Stamped<SynRetransmit>>,
    /// RSTs that its socket received, sorted by [`Drafts::finish`].
    pub resets: Vec<Stamped<ResetReceived>>,
}

/// All connects of a recording.
#[derive(Debug, Default)]
pub struct Drafts {
    by_key: BTreeMap<Key, Draft>,
}

impl Drafts {
    /// Takes a record in; others than those of a client's connect are left alone.
    pub fn take(&mut self, record: &Record) {
        let stamp = |key| (key, record.time_ns, record.id);
        match &record.body {
            Body::Connect(e) => {
                keep_first(&mut self.of(Key::Numbered(e.attempt)).connect, record, e)
            }
            Body::ConnectReturned(e) => {
                let (key, ..) = stamp(match e.attempt {
                    Some(attempt) => Key::Numbered(attempt),
                    None => Key::NeverSent(record.id),
                });
                keep_first(&mut self.of(key).returned, record, e);
            }
            Body::Established(e) => {
                keep_first(&mut self.of(Key::Numbered(e.attempt)).established, record, e);
            }
            Body::ConnectFailed(e) => {
                keep_first(&mut self.of(Key::Numbered(e.attempt)).failed, record, e);
            }
            Body::Closed(e) => {
                keep_first(&mut self.of(Key::Numbered(e.attempt)).closed, record, e);
            }
            Body::SynRetransmit(e) => {
                let flow = &e.flow;
                let older = Key::Older(flow.source, flow.source_port, flow.destination, e.netns);
                let key = e.attempt.map_or(older, Key::Numbered);
                self.of(key).retransmits.push(Stamped::of(record, e));
            }
            Body::ResetReceived(e) => {
                if let Some(attempt) = e.attempt {
                    self.of(Key::Numbered(attempt)).resets.push(Stamped::of(record, e));
                }
            }
            _ => {}
        }
    }

    fn of(&mut self, key: Key) -> &mut Draft {
        self.by_key.entry(key).or_default()
    }

    /// All connects, in an order that does not depend on the order of records.
    pub fn finish(self) -> Vec<(Key, Draft)> {
        let mut drafts: Vec<_> = self.by_key.into_iter().collect();
        for (_, draft) in &mut drafts {
            draft.retransmits.sort_by_key(Stamped::order);
            draft.resets.sort_by_key(Stamped::order);
        }
        drafts
    }
}

impl Draft {
    /// When the connect began, and whether its beginning was seen. Without a `Connect` the outcome's own latency tells
    /// it; failing that, the first event.
    pub fn begun(&self) -> (u64, bool) {
        if let Some(connect) = &self.connect {
            return (connect.time_ns, true);
        }
        if let Some(e) = &self.established {
            return (e.time_ns.saturating_sub(e.what.latency_ns), false);
        }
        if let Some(e) = &self.failed {
            return (e.time_ns.saturating_sub(e.what.latency_ns), false);
        }
        if let Some(e) = &self.returned {
            // The call's entry is what the exit of the call knows: nothing earlier is missing.
            return (e.time_ns.saturating_sub(e.what.duration_ns), e.what.attempt.is_none());
        }
        let first = self.retransmits.iter().map(|e| e.time_ns);
        let reset = self.resets.iter().map(|e| e.time_ns);
        let closed = self.closed.iter().map(|e| e.time_ns);
        (first.chain(reset).chain(closed).min().unwrap_or(0), false)
    }

    /// Whether the time of the first SYN is known.
    pub fn first_syn_known(&self) -> bool {
        self.connect.is_some() || self.established.is_some() || self.failed.is_some()
    }

    /// The tuple. What the connect did not know yet (F5: its port) is filled from later events.
    pub fn flow(&self) -> Option<Flow> {
        let mut flows: Vec<(u64, Flow)> = Vec::new();
        flows.extend(self.connect.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.established.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.failed.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.returned.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.retransmits.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.closed.iter().map(|e| (e.time_ns, e.what.flow)));
        flows.extend(self.resets.iter().map(|e| (e.time_ns, e.what.flow)));
        let mut flow = flows.first().map(|(_, flow)| *flow)?;
        flow.source = flow.source.or_else(|| flows.iter().find_map(|(_, f)| f.source));
        flow.source_port =
            flow.source_port.or_else(|| flows.iter().find_map(|(_, f)| f.source_port));
        Some(flow)
    }

    /// Its client, where the recording says: cgroup, namespace, process, name.
    pub fn client(&self) -> (u64, Netns, u32, String) {
        if let Some(connect) = &self.connect {
            let e = &connect.what;
            return (e.cgroup, e.netns, e.pid, e.comm.clone());
        }
        if let Some(returned) = &self.returned {
            let e = &returned.what;
            return (e.cgroup, e.netns, e.pid, e.comm.clone());
        }
        let retransmit = self.retransmits.first().map(|e| e.what.netns);
        let reset = self.resets.first().map(|e| e.what.netns);
        (0, retransmit.or(reset).unwrap_or_default(), 0, String::new())
    }
}
