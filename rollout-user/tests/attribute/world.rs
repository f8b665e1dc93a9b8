//! Builders for records of a small cluster. Monotonic time 0 is Unix time 0; times in ms unless named otherwise.

use rollout::attribute::Histories;
use rollout::record::cluster::{Container, Meta, Observed, Owner, Pod, WatchChange, WatchState};
use rollout::record::meta::Clock;
use rollout::record::{Body, Record};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Nanoseconds of a millisecond.
pub const MS: u64 = 1_000_000;

/// Records in order of arrival.
#[derive(Default)]
pub struct Book {
    pub records: Vec<Record>,
    versions: u64,
    last_of: BTreeMap<String, u64>,
}

impl Book {
    /// A recording with a clock, and all watches of node `n1` in sync since 1 ms.
    pub fn started() -> Self {
        let mut book = Self::default();
        book.push(0, Body::Clock(Clock { unix_ns: 0, error_ns: 0 }));
        for (resource, scope) in [("pods", "node=n1"), ("endpointslices", ""), ("services", "")] {
            book.watch(1, resource, scope, WatchChange::Synced);
        }
        book
    }

    pub fn push(&mut self, ms: u64, body: Body) -> u64 {
        let id = self.records.len() as u64 + 1;
        self.records.push(Record { id, time_ns: ms * MS, body });
        id
    }

    pub fn watch(&mut self, ms: u64, resource: &str, scope: &str, change: WatchChange) {
        let since_ns = ms * MS;
        let (resource, scope) = (resource.to_owned(), scope.to_owned());
        self.push(ms, Body::Watch(WatchState { resource, scope, change, reason: None, since_ns }));
    }

    /// Links a new version of an object to the one before: resource version and the previous arrival.
    pub fn link(&mut self, ms: u64, uid: &str) -> (String, u64) {
        self.versions += 1;
        let before = self.last_of.insert(uid.to_owned(), ms * MS).unwrap_or(0);
        (self.versions.to_string(), before)
    }

    pub fn pod(&mut self, ms: u64, pod: &Pod) -> u64 {
        self.pod_present(ms, pod, true)
    }

    pub fn pod_present(&mut self, ms: u64, pod: &Pod, present: bool) -> u64 {
        let (version, not_before_ns) = self.link(ms, &pod.meta.uid);
        let mut object = pod.clone();
        object.meta.resource_version = version;
        self.push(ms, Body::Pod(Observed { present, not_before_ns, object }))
    }

    pub fn histories(&self) -> Histories {
        let mut histories = Histories::default();
        self.records.iter().for_each(|record| histories.observe(record));
        histories
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("a test's address")
}

/// A pod of Deployment `serv` on node `n1`, with its address.
pub fn pod(uid: &str, ip: &str) -> Pod {
    Pod {
        meta: Meta {
            namespace: "default".into(),
            name: format!("serv-{uid}"),
            uid: uid.into(),
            owner: Some(Owner {
                kind: "ReplicaSet".into(),
                name: "serv-1".into(),
                uid: "rs1".into(),
            }),
            labels: BTreeMap::from([("pod-template-hash".into(), "1".into())]),
            ..Meta::default()
        },
        node: Some("n1".into()),
        ips: vec![address(ip)],
        phase: "Running".into(),
        grace_seconds: Some(30),
        containers: vec![Container {
            name: "main".into(),
            started: Some(1),
            ..Container::default()
        }],
        ..Pod::default()
    }
}

/// Created at that Unix second, without address, no container has run.
pub fn starting(pod: &Pod, seconds: i64) -> Pod {
    let mut pod = pod.clone();
    pod.meta.created = Some(seconds);
    pod.ips.clear();
    pod.phase = "Pending".into();
    pod.containers.iter_mut().for_each(|one| one.started = None);
    pod
}

pub fn ready(pod: &Pod, seconds: i64) -> Pod {
    Pod { ready: true, ready_changed: Some(seconds), ..pod.clone() }
}

pub fn deleted(pod: &Pod, seconds: i64, grace: i64) -> Pod {
    let mut pod = pod.clone();
    pod.meta.deletion_timestamp = Some(seconds + grace);
    pod.meta.deletion_grace_seconds = Some(grace);
    pod
}
