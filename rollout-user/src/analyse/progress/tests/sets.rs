//! StatefulSets and DaemonSets as rows of observations: the same pod name before and after, nodes without a pod.

use super::*;
use crate::record::cluster::{ControllerRevision, DaemonSet, Rolling, StatefulSet};

/// A set's history, one record at a time.
struct Set {
    story: Story,
    kind: &'static str,
    partition: u32,
}

impl Set {
    /// `count` ready pods of revision 1, all watches in sync.
    fn settled(kind: &'static str, count: i32, partition: u32) -> Set {
        let target = Target { kind: kind.into(), namespace: "default".into(), name: "serv".into() };
        let story = Story { progress: Progress::new(target), id: 0 };
        let mut set = Set { story, kind, partition };
        set.seen(1, 1, "a", [count, count, count, count]);
        set.revision("a", 1);
        for ordinal in 0..count {
            set.pod(&format!("old-{ordinal}"), &format!("serv-{ordinal}"), "a", Is::Ready);
        }
        set.story.synced();
        assert_eq!(set.story.progress.state(), State::Waiting);
        set
    }

    /// `counts`: desired, replicas, updated, available. `update`: the newest revision as the status has it.
    fn seen(&mut self, generation: i64, observed: i64, update: &str, counts: [i32; 4]) -> State {
        let mut object = self.story.deployment_object(generation, observed, 0, counts);
        object.revision = None;
        object.template_digest = format!("digest-{generation}");
        let update_hash = (self.kind == "StatefulSet").then(|| update.to_owned());
        let partition = self.partition;
        object.rolling = Some(Rolling { partition, update_hash, ..Rolling::default() });
        let (present, not_before_ns) = (true, 0);
        self.story.say(if self.kind == "StatefulSet" {
            Body::StatefulSet(Observed { present, not_before_ns, object: StatefulSet(object) })
        } else {
            Body::DaemonSet(Observed { present, not_before_ns, object: DaemonSet(object) })
        })
    }

    fn revision(&mut self, hash: &str, revision: u64) -> State {
        let mut meta = self.story.meta(&format!("serv-{hash}"));
        meta.owner = owner(self.kind, "serv");
        let (revision, template_hash) = (Some(revision), hash.into());
        let set = ReplicaSet { meta, revision, template_hash, ..ReplicaSet::default() };
        let object = ControllerRevision(set);
        self.story.say(Body::ControllerRevision(Observed {
            present: true,
            not_before_ns: 0,
            object,
        }))
    }

    fn pod(&mut self, uid: &str, name: &str, hash: &str, is: Is) -> State {
        let mut object = pod_object(self.story.meta(name), is);
        object.meta.uid = uid.into();
        object.meta.owner = owner(self.kind, "serv");
        let label = if self.kind == "StatefulSet" { format!("serv-{hash}") } else { hash.into() };
        object.meta.labels.insert("controller-revision-hash".into(), label);
        let present = !matches!(is, Is::Gone);
        self.story.say(Body::Pod(Observed { present, not_before_ns: 0, object }))
    }

    fn counts(&self) -> (u32, u32) {
        let counts = self.story.progress.pods();
        (counts.old.there(), counts.new.there())
    }
}

#[test]
fn a_stateful_sets_new_pod_of_the_same_name_is_another_pod() {
    let mut set = Set::settled("StatefulSet", 2, 0);
    assert_eq!(set.seen(2, 1, "a", [2, 2, 2, 2]), State::Updating);
    set.revision("b", 2);
    set.seen(2, 2, "b", [2, 2, 0, 2]);
    for (ordinal, updated) in [(1, 1), (0, 2)] {
        let (name, old) = (format!("serv-{ordinal}"), format!("old-{ordinal}"));
        set.pod(&old, &name, "a", Is::Terminating);
        set.pod(&old, &name, "a", Is::Gone);
        assert_eq!(set.counts(), (1 - (updated - 1), updated - 1), "serv-{ordinal} is gone");
        set.pod(&format!("new-{ordinal}"), &name, "b", Is::Starting);
        set.pod(&format!("new-{ordinal}"), &name, "b", Is::Ready);
        assert_eq!(set.counts(), (2 - updated, updated));
        let updated = updated as i32;
        assert_eq!(set.story.progress.state(), State::Updating);
        set.seen(2, 2, "b", [2, 2, updated, 2]);
    }
    assert_eq!(set.story.progress.state(), State::Complete);
    assert_eq!(set.story.progress.revision(), Some(2));
    assert!(set.story.progress.has_pod("new-0") && set.story.progress.has_pod("old-0"));
}

#[test]
fn the_status_of_an_older_update_is_not_taken_for_the_newest() {
    let mut set = Set::settled("StatefulSet", 1, 0);
    set.seen(2, 2, "b", [1, 1, 1, 1]);
    set.revision("b", 2);
    set.pod("old-0", "serv-0", "a", Is::Gone);
    assert_eq!(set.story.progress.state(), State::Complete);

    let mut set = Set::settled("StatefulSet", 1, 0);
    set.seen(2, 2, "b", [1, 1, 1, 1]);
    set.revision("b", 2);
    set.revision("c", 3);
    set.pod("old-0", "serv-0", "a", Is::Gone);
    assert_eq!(set.story.progress.missing(), Some(Missing::Observed));
}

#[test]
fn a_partition_lets_the_lowest_ordinals_stay() {
    let mut set = Set::settled("StatefulSet", 2, 1);
    set.seen(2, 2, "b", [2, 2, 0, 2]);
    set.revision("b", 2);
    assert_eq!(set.story.progress.missing(), Some(Missing::Updated { have: 0, want: 1 }));
    set.pod("old-1", "serv-1", "a", Is::Gone);
    set.pod("new-1", "serv-1", "b", Is::Ready);
    assert_eq!(set.seen(2, 2, "b", [2, 2, 1, 1]), State::Updating);
    assert_eq!(set.story.progress.missing(), Some(Missing::Available { have: 1, want: 2 }));
    assert_eq!(set.seen(2, 2, "b", [2, 2, 1, 2]), State::Complete);
    assert_eq!(set.counts(), (1, 1));
}

#[test]
fn a_roll_back_half_way_ends_though_the_template_is_the_first_again() {
    let mut set = Set::settled("StatefulSet", 1, 0);
    set.seen(2, 2, "b", [1, 1, 0, 1]);
    set.revision("b", 2);
    // The controller gives the old revision the newest number.
    set.revision("a", 3);
    let mut object = set.story.deployment_object(3, 3, 0, [1, 1, 1, 1]);
    object.revision = None;
    object.template_digest = "digest-1".into();
    let update_hash = Some("a".to_owned());
    object.rolling = Some(Rolling { update_hash, ..Rolling::default() });
    let object = StatefulSet(object);
    let seen = Body::StatefulSet(Observed { present: true, not_before_ns: 0, object });
    assert_eq!(set.story.say(seen), State::Complete);
    assert!(set.story.progress.rolled_back());
}

#[test]
fn a_daemon_sets_node_is_without_a_pod_for_a_while() {
    let mut set = Set::settled("DaemonSet", 2, 0);
    set.revision("b", 2);
    set.seen(2, 2, "", [2, 2, 0, 2]);
    for (node, updated) in [(0, 1), (1, 2)] {
        let old = format!("old-{node}");
        set.pod(&old, &format!("serv-{node}"), "a", Is::Terminating);
        set.pod(&old, &format!("serv-{node}"), "a", Is::Gone);
        // No pod on this node: fewer are there than before, and fewer than are wanted.
        set.seen(2, 2, "", [2, 1, updated - 1, 1]);
        assert_eq!(set.story.progress.state(), State::Updating, "node {node} is empty");
        set.pod(&format!("new-{node}"), &format!("serv-n{node}"), "b", Is::Ready);
        set.seen(2, 2, "", [2, 2, updated, 2]);
    }
    assert_eq!(set.story.progress.state(), State::Complete);
}

#[test]
fn a_deployment_of_the_same_name_is_none_of_it() {
    let mut set = Set::settled("StatefulSet", 1, 0);
    set.story.deployment(9, 9, 9, [5, 5, 5, 5]);
    set.story.set("z", 9);
    set.story.pod("serv-z-1", "z", Is::Ready);
    assert_eq!(set.story.progress.state(), State::Waiting);
    assert_eq!(set.counts(), (1, 0));
}
