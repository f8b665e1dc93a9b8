//! Updates as the pods of a node show them: kinds of workloads, phases, and what cannot be told.

use crate::play::{SECOND_NS, setting};
use rollout::record::cluster::{Meta, Observed, Owner, Pod, WatchChange, WatchState};
use rollout::record::meta::Phase;
use rollout::record::{Body, Record};
use rollout::top::state::Top;
use rollout::top::view::UpdateRow;
use std::sync::Arc;

const BEGIN_S: u64 = 100;

/// A node whose watch is in sync since [`BEGIN_S`].
struct Node {
    top: Top,
    id: u64,
    kind: &'static str,
}

/// One version of a pod.
#[derive(Clone, Copy)]
struct Version {
    name: &'static str,
    hash: &'static str,
    created: i64,
    ready: bool,
    terminating: bool,
    present: bool,
}

const OLD: Version = Version {
    name: "db-0",
    hash: "aaaa",
    created: 1000,
    ready: true,
    terminating: false,
    present: true,
};
const NEW: Version = Version { name: "db-1", hash: "bbbb", created: 2000, ready: false, ..OLD };

impl Node {
    fn new(kind: &'static str) -> Node {
        let mut node = Node { top: Top::new(setting()), id: 0, kind };
        for resource in ["pods", "endpointslices", "services"] {
            let synced = WatchState {
                resource: resource.into(),
                scope: String::new(),
                change: WatchChange::Synced,
                reason: None,
                since_ns: 0,
            };
            node.push(BEGIN_S, Body::Watch(synced));
        }
        node
    }

    fn push(&mut self, second: u64, body: Body) {
        self.id += 1;
        let record = Record { id: self.id, time_ns: second * SECOND_NS, body };
        self.top.observe(&Arc::new(record));
    }

    fn watching(&mut self) {
        self.push(BEGIN_S, Body::Phase(Phase::Watching));
    }

    fn pod(&mut self, second: u64, version: Version) {
        let key = if self.kind == "ReplicaSet" {
            "pod-template-hash"
        } else {
            "controller-revision-hash"
        };
        let owner = Owner { kind: self.kind.into(), name: "db".into(), uid: "db".into() };
        let meta = Meta {
            namespace: "shop".into(),
            name: version.name.into(),
            uid: format!("{}-{}", version.name, version.hash),
            resource_version: (self.id + 1).to_string(),
            created: Some(version.created),
            deletion_timestamp: version.terminating.then_some(version.created + 9000),
            deletion_grace_seconds: version.terminating.then_some(30),
            labels: [(key.to_owned(), version.hash.to_owned())].into(),
            owner: Some(owner),
            ..Meta::default()
        };
        let object = Pod { meta, ready: version.ready, phase: "Running".into(), ..Pod::default() };
        let seen = Observed { present: version.present, not_before_ns: 0, object };
        self.push(second, Body::Pod(seen));
    }

    fn rows(&mut self, second: u64) -> Vec<UpdateRow> {
        self.top.advance(second * SECOND_NS, 0);
        self.top.view(second * SECOND_NS).updates
    }

    fn only(&mut self, second: u64) -> UpdateRow {
        let mut rows = self.rows(second);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }
}

#[test]
fn kinds_without_replica_sets_are_followed_by_their_own_hashes() {
    for kind in ["StatefulSet", "DaemonSet"] {
        let mut node = Node::new(kind);
        node.pod(BEGIN_S, OLD);
        node.pod(BEGIN_S, Version { name: "db-1", ..OLD });
        node.watching();
        assert!(node.rows(101).is_empty(), "nothing is replaced");
        node.pod(110, Version { name: "db-1", terminating: true, ..OLD });
        assert!(node.rows(110).is_empty(), "a pod that ends is no update");
        node.pod(111, Version { name: "db-1", present: false, ..OLD });
        node.pod(112, NEW);
        let row = node.only(113);
        assert_eq!((row.name.as_str(), row.phase.as_str()), ("shop/db", "new pods starting"));
        assert_eq!((row.old, row.new, row.revision.as_str()), ((1, 1), Some((1, 0)), "? → ?"));
        assert_eq!((row.took_ns, row.at_least), (SECOND_NS, false));
        node.pod(114, Version { ready: true, ..NEW });
        assert_eq!(node.only(115).phase, "replacing pods");
        node.pod(116, Version { terminating: true, ..OLD });
        assert_eq!(node.only(117).phase, "old pods ending");
        node.pod(118, Version { present: false, ..OLD });
        let new = Version { name: "db-0", ready: false, created: 3000, ..NEW };
        node.pod(119, new);
        assert_eq!(node.only(120).phase, "new pods starting");
        node.pod(121, Version { ready: true, ..new });
        let row = node.only(122);
        assert_eq!((row.phase.as_str(), row.took_ns), ("complete", 9 * SECOND_NS));
        assert_eq!(node.only(180).phase, "complete");
        assert!(node.rows(183).is_empty());
    }
}

#[test]
fn what_was_under_way_before_took_at_least_so_long() {
    let mut node = Node::new("ReplicaSet");
    node.pod(BEGIN_S, OLD);
    node.pod(BEGIN_S, NEW);
    node.watching();
    let row = node.only(105);
    assert!(row.at_least && row.took_ns == 5 * SECOND_NS);
}

#[test]
fn revisions_of_the_same_age_are_not_told_apart() {
    let mut node = Node::new("StatefulSet");
    node.watching();
    node.pod(101, OLD);
    node.pod(101, Version { created: OLD.created, ..NEW });
    let row = node.only(102);
    assert_eq!((row.new, row.phase.as_str()), (None, "several revisions"));
}

#[test]
fn an_update_that_does_not_go_on_stands_still() {
    let mut node = Node::new("DaemonSet");
    node.watching();
    node.pod(101, OLD);
    node.pod(102, NEW);
    assert_eq!(node.only(162).phase, "new pods starting");
    assert_eq!(node.only(163).phase, "standing still");
}

#[test]
fn a_pod_that_is_gone_leaves_after_a_minute() {
    let mut node = Node::new("ReplicaSet");
    node.watching();
    node.pod(101, OLD);
    node.pod(110, Version { present: false, ..OLD });
    let mut states = |second: u64| {
        node.rows(second);
        let pods = node.top.view(second * SECOND_NS).pods;
        pods.into_iter().map(|row| row.state).collect::<Vec<_>>()
    };
    assert_eq!(states(169), ["gone"]);
    assert!(states(171).is_empty());
}
