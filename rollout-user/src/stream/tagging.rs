//! Tags of events: remembers whose socket an attempt is, and asks the histories.
//!
//! In: every record, in order of arrival. Out: [`EventTags`] for an event, with what is known so far. Pure.

use crate::attribute::Histories;
use crate::attribute::clock::Converted;
use crate::attribute::tag::{BackendTag, EventTags, Tag};
use crate::record::cluster::{Observed, Pod};
use crate::record::kernel::{Flow, Netns};
use crate::record::{Body, Record};
use crate::stream::select::flow_of;
use std::collections::{BTreeMap, VecDeque};

/// Attempts whose client is remembered; the oldest are forgotten first, and their later events lack a client tag.
const REMEMBERED: usize = 65_536;
/// How long before an event a backend choice can lie that still belongs to it, ns: the longest a SYN is retransmitted
/// with the kernel's defaults (127 s), rounded up.
const CHOICE_NS: u64 = 180_000_000_000;

/// Deleted pods whose labels are kept live, for events that are printed after the deletion was seen.
const GONE: usize = 1024;

/// A pod's labels, each version from the time at which it was seen, ns.
type Labels = BTreeMap<u64, BTreeMap<String, String>>;

#[derive(Clone)]
struct Client {
    cgroup: u64,
    netns: Netns,
    pid: u32,
    begun_ns: u64,
}

/// The histories so far, and the clients of attempts.
pub struct Tagger {
    histories: Histories,
    clients: BTreeMap<u64, Client>,
    labels: BTreeMap<String, Labels>,
    gone: VecDeque<String>,
    gone_kept: usize,
}

impl Tagger {
    /// One whose events are printed soon after they happened: it forgets labels of pods that are gone for long.
    pub fn live() -> Tagger {
        Tagger { gone_kept: GONE, ..Tagger::whole() }
    }

    /// One that learns everything before the first event is asked for.
    pub fn whole() -> Tagger {
        Tagger {
            histories: Histories::default(),
            clients: BTreeMap::new(),
            labels: BTreeMap::new(),
            gone: VecDeque::new(),
            gone_kept: usize::MAX,
        }
    }

    /// Takes in one record: [`Tagger::learn`] and [`Tagger::meet`]. Returns whether it may change tags of earlier events.
    pub fn observe(&mut self, record: &Record) -> bool {
        self.meet(record);
        self.learn(record)
    }

    /// Remembers whose socket an attempt is.
    pub fn meet(&mut self, record: &Record) {
        if let Body::Connect(event) = &record.body {
            let client = Client {
                cgroup: event.cgroup,
                netns: event.netns,
                pid: event.pid,
                begun_ns: record.time_ns,
            };
            self.clients.insert(event.attempt, client);
            if self.clients.len() > REMEMBERED {
                self.clients.pop_first();
            }
        }
    }

    /// Takes in what belongs to histories. Returns whether it may change tags of earlier events.
    pub fn learn(&mut self, record: &Record) -> bool {
        self.histories.observe(record);
        if let Body::Pod(pod) = &record.body {
            self.keep_labels(record.time_ns, pod);
        }
        matches!(
            record.body,
            Body::Pod(_)
                | Body::EndpointSlice(_)
                | Body::Service(_)
                | Body::ReplicaSet(_)
                | Body::Deployment(_)
                | Body::StatefulSet(_)
                | Body::DaemonSet(_)
                | Body::ControllerRevision(_)
                | Body::Watch(_)
                | Body::Cgroup(_)
                | Body::PodNetns(_)
                | Body::KubeletProcess(_)
        )
    }

    /// What is known of an event now.
    pub fn tags(&self, record: &Record) -> EventTags {
        let time_ns = record.time_ns;
        let client = self.client(record);
        let Some(flow) = flow_of(&record.body) else {
            return EventTags { client, ..EventTags::default() };
        };
        let service = self.histories.service_at(flow.destination, time_ns);
        let backends = match &record.body {
            Body::BackendChosen(chosen) => vec![BackendTag {
                time_ns,
                address: chosen.backend,
                tag: self.histories.pod_at_address(chosen.backend.ip(), time_ns),
                evidence: record.id,
            }],
            _ if service.is_some() => self.chosen(flow, self.begun_ns(record), time_ns),
            _ => vec![BackendTag {
                time_ns,
                address: flow.destination,
                tag: self.histories.pod_at_address(flow.destination.ip(), time_ns),
                evidence: record.id,
            }],
        };
        EventTags { client, service, backends }
    }

    /// Everything that was learnt.
    pub fn histories(&self) -> &Histories {
        &self.histories
    }

    /// Unix time of a monotonic time, with its error, where the clocks were paired.
    pub fn unix_at(&self, time_ns: u64) -> Option<Converted> {
        self.histories.clock().unix_at(time_ns)
    }

    /// A label of a pod as it was last seen at that time; before it was first seen, as it was then.
    pub fn label_at(&self, uid: &str, key: &str, time_ns: u64) -> Option<String> {
        let versions = self.labels.get(uid)?;
        let seen = versions.range(..=time_ns).next_back().or_else(|| versions.first_key_value());
        seen?.1.get(key).cloned()
    }

    fn keep_labels(&mut self, time_ns: u64, pod: &Observed<Pod>) {
        let meta = &pod.object.meta;
        if pod.present {
            let versions = self.labels.entry(meta.uid.clone()).or_default();
            if versions.range(..=time_ns).next_back().is_none_or(|last| *last.1 != meta.labels) {
                versions.insert(time_ns, meta.labels.clone());
            }
            return;
        }
        self.gone.push_back(meta.uid.clone());
        if self.gone.len() > self.gone_kept
            && let Some(uid) = self.gone.pop_front()
        {
            self.labels.remove(&uid);
        }
    }

    fn chosen(&self, flow: &Flow, from_ns: u64, to_ns: u64) -> Vec<BackendTag> {
        self.histories.backends(flow, from_ns, to_ns).choices
    }

    fn begun_ns(&self, record: &Record) -> u64 {
        let begun = attempt_of(&record.body).and_then(|attempt| self.clients.get(&attempt));
        begun.map_or(record.time_ns.saturating_sub(CHOICE_NS), |client| client.begun_ns)
    }

    fn client(&self, record: &Record) -> Option<Tag> {
        let (cgroup, netns, pid) = match &record.body {
            Body::ConnectReturned(event) => (event.cgroup, event.netns, event.pid),
            Body::ListenerOpened(event) | Body::ListenerClosed(event) => {
                (event.cgroup, event.netns, 0)
            }
            Body::ListenCounters(event) => (0, event.netns, 0),
            Body::Signal(event) => (event.cgroup, Netns::default(), event.pid),
            Body::Exit(event) => (event.cgroup, Netns::default(), event.pid),
            body => {
                let client = self.clients.get(&attempt_of(body)?)?;
                (client.cgroup, client.netns, client.pid)
            }
        };
        Some(self.histories.client(cgroup, netns, pid, record.time_ns))
    }
}

/// The attempt that an event belongs to.
fn attempt_of(body: &Body) -> Option<u64> {
    match body {
        Body::Connect(event) => Some(event.attempt),
        Body::ConnectReturned(event) => event.attempt,
        Body::Established(event) => Some(event.attempt),
        Body::ConnectFailed(event) => Some(event.attempt),
        Body::Closed(event) => Some(event.attempt),
        Body::SynRetransmit(event) => event.attempt,
        Body::ResetReceived(event) => event.attempt,
        _ => None,
    }
}
