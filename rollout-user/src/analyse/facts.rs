//! What a recording says of itself and of the node: its range, losses, watches, hooks, data path, phases.
//!
//! In: every record, in any order. Out: [`Facts`].

use super::stamped::Stamped;
use crate::record::cluster::{WatchChange, WatchState};
use crate::record::kernel::{Exit, Netns, Signal};
use crate::record::meta::{DataPathFound, Header, Hook, Hooks, Loss, Phase, Stage};
use crate::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Programs, and facts that a skipped program is named by, whose records tell where a SYN went.
const TELL_WAY: [&str; 5] =
    ["ipvs_choice", "no_destination", "syn_dropped", "icmp_sent", "icmp6_sent"];

/// The recording's statements about itself.
#[derive(Debug, Default)]
pub struct Facts {
    /// The earliest header.
    pub header: Option<Stamped<Header>>,
    /// Earliest and latest time, ns.
    pub range: Option<(u64, u64)>,
    /// Number of records.
    pub records: u64,
    /// Losses, by time.
    pub losses: Vec<Stamped<Loss>>,
    /// Watch states, by time.
    pub watches: Vec<Stamped<WatchState>>,
    /// Statements about hooks, by time.
    pub hooks: Vec<Stamped<Hooks>>,
    /// Data paths found, by time.
    pub data_paths: Vec<Stamped<DataPathFound>>,
    /// Phases, by time.
    pub phases: Vec<Stamped<Phase>>,
    /// Network namespaces of pods (not the node's own).
    pod_netns: Vec<Netns>,
    /// kubelet's processes (F25).
    pub kubelets: BTreeSet<u32>,
    /// Signals by record id.
    pub signals: BTreeMap<u64, Signal>,
    /// Exits by record id.
    pub exits: BTreeMap<u64, Exit>,
    /// Facts that something serves.
    served: BTreeSet<String>,
    /// Facts that nothing serves.
    blind: BTreeSet<String>,
    /// Virtual services that IPVS had at any time.
    pub virtual_services: BTreeSet<SocketAddr>,
}

impl Facts {
    /// Takes a record in.
    pub fn take(&mut self, record: &Record) {
        self.records += 1;
        let time = record.time_ns;
        self.range = Some(self.range.map_or((time, time), |(a, b)| (a.min(time), b.max(time))));
        match &record.body {
            Body::Header(header) => {
                super::stamped::keep_first(&mut self.header, record, header);
            }
            Body::Loss(loss) => self.losses.push(Stamped::of(record, loss)),
            Body::Watch(watch) => self.watches.push(Stamped::of(record, watch)),
            Body::Hooks(hooks) => self.hooks.push(Stamped::of(record, hooks)),
            Body::DataPath(path) => self.data_paths.push(Stamped::of(record, path)),
            Body::Phase(phase) => self.phases.push(Stamped::of(record, phase)),
            Body::PodNetns(found) if !found.uid.is_empty() => self.pod_netns.push(found.netns),
            Body::KubeletProcess(process) => {
                self.kubelets.insert(process.pid);
            }
            Body::Signal(signal) => {
                self.signals.insert(record.id, signal.clone());
            }
            Body::Exit(exit) => {
                self.exits.insert(record.id, exit.clone());
            }
            Body::IpvsTable(table) => {
                self.virtual_services.extend(table.services.iter().map(|s| s.address));
            }
            Body::IpvsDestination(change) => self.virtual_services.extend(change.service),
            _ => {}
        }
    }

    /// Sorts. To be called once, before any question.
    pub fn finish(&mut self) {
        self.losses.sort_by_key(Stamped::order);
        self.watches.sort_by_key(Stamped::order);
        self.hooks.sort_by_key(Stamped::order);
        self.data_paths.sort_by_key(Stamped::order);
        self.phases.sort_by_key(Stamped::order);
        let each = self.hook_of_each_fact().into_iter();
        let blind = each.filter(|(_, hook)| hook.attached.is_none());
        self.blind = blind.map(|(fact, _)| fact.to_owned()).collect();
        let each = self.hook_of_each_fact().into_iter();
        let served = each.filter(|(_, hook)| hook.attached.is_some());
        self.served = served.map(|(fact, _)| fact.to_owned()).collect();
        self.pod_netns.sort_unstable();
        self.pod_netns.dedup();
        let ended = self.phases.iter().rev().find(|phase| phase.what != Phase::Watching);
        if let (Some(range), Some(ended)) = (&mut self.range, ended) {
            range.1 = ended.time_ns.max(range.0);
        }
    }

    /// Up to this time everything was looked at, ns: when the sources began to be stopped, else the last record's.
    pub fn end_ns(&self) -> u64 {
        self.range.map_or(0, |(_, to)| to)
    }

    /// When probes and watches were in sync, ns.
    pub fn watching_ns(&self) -> Option<u64> {
        self.phases.iter().find(|p| p.what == Phase::Watching).map(|p| p.time_ns)
    }

    /// Whether the run came to its own end, not cut short or killed.
    pub fn ended_regularly(&self) -> bool {
        self.phases.iter().any(|phase| phase.what == Phase::Ended)
    }

    /// Whether connects of pods in this Kubernetes namespace are left out by the user's wish.
    pub fn leaves_out(&self, namespace: &str) -> bool {
        let header = self.header.as_ref();
        header.is_some_and(|h| h.what.left_out.namespaces.iter().any(|name| name == namespace))
    }

    /// Whether a namespace is a pod's own.
    pub fn is_pod_netns(&self, netns: Netns) -> bool {
        netns.inum != 0 && self.pod_netns.iter().any(|pod| same_netns(*pod, netns))
    }

    /// Whether a loss of any stage overlaps `[from, to]`.
    pub fn loses_between(&self, from_ns: u64, to_ns: u64) -> bool {
        self.losses_between(from_ns, to_ns).next().is_some()
    }

    /// Whether a loss overlaps `[from, to]` that may have hidden where a SYN went.
    pub fn loses_way_between(&self, from_ns: u64, to_ns: u64) -> bool {
        self.losses_between(from_ns, to_ns).any(|loss| match loss.what.stage {
            Stage::Ring | Stage::Map | Stage::Skipped => TELL_WAY.contains(&&*loss.what.program),
            Stage::Table | Stage::Watch => false,
            Stage::Decode | Stage::Queue | Stage::Recording | Stage::Conntrack | Stage::Read => {
                true
            }
        })
    }

    fn losses_between(&self, from_ns: u64, to_ns: u64) -> impl Iterator<Item = &Stamped<Loss>> {
        let overlaps =
            move |loss: &&Stamped<Loss>| loss.what.since_ns <= to_ns && loss.time_ns >= from_ns;
        self.losses.iter().filter(overlaps)
    }

    /// The last statement about each fact's hook.
    pub fn hook_of_each_fact(&self) -> BTreeMap<&str, &Hook> {
        let all = self.hooks.iter().flat_map(|hooks| &hooks.what.facts);
        all.map(|(fact, hook)| (fact.as_str(), hook)).collect()
    }

    /// Whether something is known to serve a fact; a recording that does not speak of it may be older than its hook.
    pub fn serves(&self, fact: &str) -> bool {
        self.served.contains(fact)
    }

    /// Whether it is known that nothing serves a fact.
    pub fn is_blind_to(&self, fact: &str) -> bool {
        self.blind.contains(fact)
    }

    /// Intervals in which a watch was not current: resource, scope, since, until, reason.
    pub fn watch_gaps(&self) -> Vec<Gap<'_>> {
        let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut gaps: Vec<Gap<'_>> = Vec::new();
        for watch in &self.watches {
            let key = (watch.what.resource.as_str(), watch.what.scope.as_str());
            match watch.what.change {
                WatchChange::Cut => {
                    if let std::collections::btree_map::Entry::Vacant(slot) = open.entry(key) {
                        slot.insert(gaps.len());
                        let from_ns = watch.what.since_ns.min(watch.time_ns);
                        let reason = watch.what.reason.as_deref();
                        gaps.push(Gap { from_ns, to_ns: None, watch: key, reason });
                    }
                }
                WatchChange::Synced => {
                    if let Some(gap) = open.remove(&key).and_then(|at| gaps.get_mut(at)) {
                        gap.to_ns = Some(watch.time_ns);
                    }
                }
            }
        }
        gaps
    }
}

/// A watch that was not current.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap<'a> {
    /// Last sign of life, ns.
    pub from_ns: u64,
    /// In sync again, ns.
    pub to_ns: Option<u64>,
    /// Resource and scope.
    pub watch: (&'a str, &'a str),
    /// The error's text.
    pub reason: Option<&'a str>,
}

/// Whether two views mean one namespace: by cookie where both have one, else by inode (F20).
pub fn same_netns(a: Netns, b: Netns) -> bool {
    if a.cookie != 0 && b.cookie != 0 { a.cookie == b.cookie } else { a.inum == b.inum }
}
