//! Rolling updates as rows of observations.

mod sets;

use super::*;
use crate::record::cluster::{Meta, Owner, Pod};

/// A Deployment's history, one record at a time.
struct Story {
    progress: Progress,
    id: u64,
}

#[derive(Clone, Copy)]
enum Is {
    Starting,
    Ready,
    Terminating,
    Failed,
    Gone,
}

fn owner(kind: &str, name: &str) -> Option<Owner> {
    Some(Owner { kind: kind.into(), name: name.into(), uid: format!("uid-{name}") })
}

fn pod_object(mut meta: Meta, is: Is) -> Pod {
    meta.deletion_timestamp = matches!(is, Is::Terminating).then_some(1);
    let phase = if matches!(is, Is::Failed) { "Failed" } else { "Running" };
    Pod { meta, phase: phase.into(), ready: matches!(is, Is::Ready), ..Pod::default() }
}

impl Story {
    fn new() -> Story {
        let target =
            Target { kind: "Deployment".into(), namespace: "default".into(), name: "serv".into() };
        Story { progress: Progress::new(target), id: 0 }
    }

    /// One ready pod of revision 1, all watches in sync.
    fn settled() -> Story {
        let mut story = Story::new();
        story.deployment(1, 1, 1, [1, 1, 1, 1]);
        story.set("a", 1);
        story.pod("old", "a", Is::Ready);
        story.synced();
        assert_eq!(story.progress.state(), State::Waiting);
        story
    }

    fn say(&mut self, body: Body) -> State {
        self.id += 1;
        let before = self.progress.state();
        let changed = self.progress.observe(&Record { id: self.id, time_ns: self.id * 10, body });
        assert_eq!(changed, before != self.progress.state());
        self.progress.state()
    }

    fn meta(&self, name: &str) -> Meta {
        Meta {
            namespace: "default".into(),
            name: name.into(),
            uid: format!("uid-{name}"),
            resource_version: self.id.to_string(),
            ..Meta::default()
        }
    }

    /// `counts`: desired, replicas, updated, available. The digest follows the revision.
    fn deployment(
        &mut self,
        generation: i64,
        observed: i64,
        revision: u64,
        counts: [i32; 4],
    ) -> State {
        let object = self.deployment_object(generation, observed, revision, counts);
        self.say(Body::Deployment(Observed { present: true, not_before_ns: 0, object }))
    }

    fn deployment_object(
        &self,
        generation: i64,
        observed_generation: i64,
        revision: u64,
        [desired, replicas, updated, available]: [i32; 4],
    ) -> Deployment {
        Deployment {
            meta: self.meta("serv"),
            generation,
            observed_generation,
            revision: Some(revision),
            desired,
            replicas,
            updated,
            ready: available,
            available,
            template_digest: format!("digest-{revision}"),
            ..Deployment::default()
        }
    }

    fn set(&mut self, hash: &str, revision: u64) -> State {
        let mut meta = self.meta(&format!("serv-{hash}"));
        meta.owner = owner("Deployment", "serv");
        let object = ReplicaSet {
            meta,
            revision: Some(revision),
            template_hash: hash.into(),
            ..ReplicaSet::default()
        };
        self.say(Body::ReplicaSet(Observed { present: true, not_before_ns: 0, object }))
    }

    fn pod(&mut self, name: &str, hash: &str, is: Is) -> State {
        let mut meta = self.meta(name);
        meta.owner = owner("ReplicaSet", &format!("serv-{hash}"));
        meta.labels.insert("pod-template-hash".into(), hash.into());
        let object = pod_object(meta, is);
        let present = !matches!(is, Is::Gone);
        self.say(Body::Pod(Observed { present, not_before_ns: 0, object }))
    }

    fn watch(&mut self, resource: &str) -> State {
        self.say(Body::Watch(WatchState {
            resource: resource.into(),
            scope: "default/serv".into(),
            change: WatchChange::Synced,
            reason: None,
            since_ns: 0,
        }))
    }

    fn synced(&mut self) -> State {
        needed(&self.progress.target).map(|resource| self.watch(resource))[2]
    }

    /// The user's change, before the controller has seen it.
    fn deployment_change(&mut self) -> State {
        let mut object = self.deployment_object(2, 1, 1, [1, 1, 1, 1]);
        object.template_digest = "digest-2".into();
        self.say(Body::Deployment(Observed { present: true, not_before_ns: 0, object }))
    }
}

#[test]
fn a_whole_update_from_waiting_to_complete() {
    let mut story = Story::settled();
    assert_eq!(story.progress.baseline_revision(), Some(1));
    assert_eq!(story.progress.missing(), None);
    assert_eq!(story.deployment_change(), State::Updating);
    let began = story.progress.began_ns();
    assert!(began.is_some());
    story.set("b", 2);
    story.deployment(2, 2, 2, [1, 2, 1, 1]);
    assert_eq!(story.pod("new", "b", Is::Starting), State::Updating);
    let pods = story.progress.pods();
    assert_eq!((pods.old.ready, pods.new.starting), (1, 1));
    assert_eq!(story.progress.missing(), Some(Missing::OldReplicas(1)));
    story.pod("new", "b", Is::Ready);
    story.pod("old", "a", Is::Terminating);
    assert_eq!(story.deployment(2, 2, 2, [1, 1, 1, 1]), State::Draining);
    assert_eq!(story.progress.missing(), Some(Missing::OldPods(1)));
    assert_eq!(story.pod("old", "a", Is::Gone), State::Complete);
    assert_eq!(story.progress.began_ns(), began);
    assert_eq!(story.progress.ended_ns(), Some(story.id * 10));
    assert_eq!(story.progress.revision(), Some(2));
    assert!(!story.progress.came_in_the_middle() && !story.progress.rolled_back());
    assert_eq!(story.progress.superseded(), 0);
}

#[test]
fn a_lagging_deployment_watch_does_not_end_an_update_early() {
    let mut story = Story::settled();
    // The old status is complete by its own numbers.
    assert_eq!(story.set("b", 2), State::Updating);
    assert_eq!(story.progress.missing(), Some(Missing::Observed));
    assert_eq!(story.pod("old", "a", Is::Gone), State::Updating);
    assert_eq!(story.pod("new", "b", Is::Ready), State::Updating);
    assert_eq!(story.deployment(2, 2, 2, [1, 1, 1, 1]), State::Complete);
}

#[test]
fn a_pod_of_a_new_hash_alone_begins_an_update() {
    let mut story = Story::settled();
    assert_eq!(story.pod("new", "b", Is::Starting), State::Updating);
    let pods = story.progress.pods();
    assert_eq!((pods.old.there(), pods.new.there()), (1, 1));
}

#[test]
fn scaling_and_unready_pods_are_no_update() {
    let mut story = Story::settled();
    assert_eq!(story.deployment(2, 1, 1, [3, 1, 1, 1]), State::Waiting);
    assert_eq!(story.deployment(2, 2, 1, [3, 3, 3, 1]), State::Waiting);
    assert_eq!(story.pod("two", "a", Is::Starting), State::Waiting);
    assert_eq!(story.pod("old", "a", Is::Starting), State::Waiting);
    assert_eq!(story.progress.pods().old.not_ready, 1);
    assert_eq!(story.progress.pods().new, Counts::default());
}

#[test]
fn pods_of_others_do_not_count() {
    let mut story = Story::settled();
    let mut meta = story.meta("gateway-1");
    meta.owner = owner("ReplicaSet", "gateway-b");
    meta.labels.insert("pod-template-hash".into(), "b".into());
    let object = Pod { meta, ready: true, ..Pod::default() };
    let observed = Observed { present: true, not_before_ns: 0, object };
    assert_eq!(story.say(Body::Pod(observed)), State::Waiting);
}

#[test]
fn nothing_is_judged_before_all_lists_are_in() {
    let mut story = Story::new();
    story.deployment(2, 2, 2, [1, 2, 1, 1]);
    story.set("a", 1);
    story.set("b", 2);
    story.pod("old", "a", Is::Ready);
    assert_eq!(story.watch("pods"), State::Unknown);
    assert_eq!(story.watch("deployments"), State::Unknown);
    assert_eq!(story.watch("replicasets"), State::Updating);
}

#[test]
fn coming_in_the_middle_is_said_and_followed_to_the_end() {
    let mut story = Story::new();
    story.deployment(2, 2, 2, [1, 2, 1, 1]);
    story.set("a", 1);
    story.set("b", 2);
    story.pod("old", "a", Is::Ready);
    story.pod("new", "b", Is::Starting);
    assert_eq!(story.synced(), State::Updating);
    assert!(story.progress.came_in_the_middle());
    assert_eq!(story.progress.began_ns(), None, "its begin was not seen");
    story.pod("new", "b", Is::Ready);
    story.pod("old", "a", Is::Terminating);
    assert_eq!(story.deployment(2, 2, 2, [1, 1, 1, 1]), State::Draining);
    assert_eq!(story.pod("old", "a", Is::Gone), State::Complete);
    assert!(!story.progress.rolled_back());
}

#[test]
fn leftovers_of_an_update_that_is_over_are_waited_past() {
    let mut story = Story::new();
    story.deployment(2, 2, 2, [1, 1, 1, 1]);
    story.set("a", 1);
    story.set("b", 2);
    story.pod("old", "a", Is::Terminating);
    story.pod("new", "b", Is::Ready);
    assert_eq!(story.synced(), State::Waiting);
    assert!(!story.progress.came_in_the_middle());
    assert_eq!(story.pod("old", "a", Is::Gone), State::Waiting);
    assert_eq!(story.set("c", 3), State::Updating);
}

#[test]
fn a_change_while_paused_begins_when_it_is_resumed() {
    let mut story = Story::settled();
    let mut object = story.deployment_object(2, 2, 1, [1, 1, 1, 1]);
    object.paused = true;
    object.template_digest = "digest-2".into();
    let observed = Observed { present: true, not_before_ns: 0, object: object.clone() };
    assert_eq!(story.say(Body::Deployment(observed)), State::Waiting);
    assert!(story.progress.paused());
    object.paused = false;
    object.generation = 3;
    let observed = Observed { present: true, not_before_ns: 0, object };
    assert_eq!(story.say(Body::Deployment(observed)), State::Updating);
    assert!(!story.progress.paused());
}

#[test]
fn pausing_in_the_middle_does_not_end_it() {
    let mut story = Story::settled();
    story.set("b", 2);
    story.pod("new", "b", Is::Ready);
    let mut object = story.deployment_object(3, 3, 2, [2, 3, 1, 3]);
    object.paused = true;
    let observed = Observed { present: true, not_before_ns: 0, object };
    assert_eq!(story.say(Body::Deployment(observed)), State::Updating);
    assert_eq!(story.progress.missing(), Some(Missing::Updated { have: 1, want: 2 }));
}

#[test]
fn a_roll_back_half_way_ends_with_the_first_revision() {
    let mut story = Story::settled();
    story.set("b", 2);
    story.deployment(2, 2, 2, [1, 2, 1, 1]);
    story.pod("new", "b", Is::Starting);
    // `kubectl rollout undo`: the old ReplicaSet gets the newest number.
    assert_eq!(story.set("a", 3), State::Updating);
    assert!(story.progress.rolled_back());
    assert_eq!(story.progress.superseded(), 1);
    let pods = story.progress.pods();
    assert_eq!((pods.old.starting, pods.new.ready), (1, 1), "the given-up pods are the old ones");
    let mut object = story.deployment_object(3, 3, 3, [1, 1, 1, 1]);
    object.template_digest = "digest-1".into();
    let observed = Observed { present: true, not_before_ns: 0, object };
    assert_eq!(story.say(Body::Deployment(observed)), State::Draining);
    assert_eq!(story.pod("new", "b", Is::Gone), State::Complete);
}

#[test]
fn a_template_that_is_changed_back_before_anything_happened_is_no_update() {
    let mut story = Story::settled();
    assert_eq!(story.deployment_change(), State::Updating);
    assert_eq!(story.deployment(3, 3, 1, [1, 1, 1, 1]), State::Waiting);
    assert_eq!(story.progress.began_ns(), None);
}

#[test]
fn an_evicted_old_pod_does_not_hold_the_end_up() {
    let mut story = Story::settled();
    story.set("b", 2);
    story.pod("new", "b", Is::Ready);
    story.deployment(2, 2, 2, [1, 1, 1, 1]);
    assert_eq!(story.pod("old", "a", Is::Failed), State::Complete);
    assert_eq!(story.progress.pods().old.finished, 1);
}

#[test]
fn a_new_pod_that_does_not_become_available_keeps_it_open() {
    let mut story = Story::settled();
    story.set("b", 2);
    story.pod("new", "b", Is::Starting);
    story.pod("old", "a", Is::Gone);
    assert_eq!(story.deployment(2, 2, 2, [1, 1, 1, 0]), State::Updating);
    assert_eq!(story.progress.missing(), Some(Missing::Available { have: 0, want: 1 }));
}

#[test]
fn a_deleted_deployment_is_the_end() {
    let mut story = Story::settled();
    let object = story.deployment_object(1, 1, 1, [1, 1, 1, 1]);
    let observed = Observed { present: false, not_before_ns: 0, object };
    assert_eq!(story.say(Body::Deployment(observed)), State::Deleted);
    assert_eq!(story.set("b", 2), State::Deleted);
}

#[test]
fn an_older_version_that_comes_late_brings_no_pod_back() {
    let mut story = Story::settled();
    let stale = {
        let mut meta = story.meta("old");
        meta.resource_version = "1".into();
        meta.owner = owner("ReplicaSet", "serv-a");
        meta.labels.insert("pod-template-hash".into(), "a".into());
        Pod { meta, ready: true, ..Pod::default() }
    };
    story.pod("old", "a", Is::Gone);
    story.say(Body::Pod(Observed { present: true, not_before_ns: 0, object: stale }));
    assert_eq!(story.progress.pods().old.there(), 0);
}

#[test]
fn without_watch_records_the_phase_makes_the_baseline() {
    let mut story = Story::new();
    story.deployment(1, 1, 1, [1, 1, 1, 1]);
    story.set("a", 1);
    assert_eq!(story.say(Body::Phase(Phase::Watching)), State::Waiting);
}
