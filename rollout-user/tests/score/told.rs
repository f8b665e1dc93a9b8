//! What the model's cluster and kernel tell besides the builder's whole updates: one step at a time.
//!
//! In: a time (µs) and a pod's number. Out: records in the world.

use crate::world::*;
use rollout::record::Body;
use rollout::record::cluster::*;
use rollout::record::kernel::*;
use rollout::record::table::*;

impl World {
    /// A pod without an address yet, its cgroups and namespace found 100 ms later.
    pub fn appears(&mut self, at: u64, n: u8, revision: u64, hash: &str) {
        let mut pod = self.new_pod(n, revision, hash);
        pod.meta.created = Some(UNIX + (at / S) as i64);
        self.pods.insert(n, pod);
        self.see_pod(at, n);
        self.cgroup_of(at + 100 * MS, n);
    }

    /// What the slice says of a pod from now on: ready, serving, terminating; `None`: nothing.
    pub fn lists(&mut self, at: u64, n: u8, conditions: Option<(bool, bool, bool)>) {
        match conditions {
            None => drop(self.endpoints.remove(&n)),
            Some((ready, serving, terminating)) => {
                let endpoint = Endpoint { serving, ..self.endpoint(n, ready, terminating) };
                self.endpoints.insert(n, endpoint);
            }
        }
        self.see_slice(at);
    }

    /// The object is deleted.
    pub fn object_gone(&mut self, at: u64, n: u8) {
        self.see_pod_present(at, n, false);
    }

    /// Changes the Service, and tells it.
    pub fn change_service(&mut self, at: u64, change: impl FnOnce(&mut Service)) {
        let mut service = self.service.clone();
        change(&mut service);
        self.tell_service(at, service);
    }

    /// A pod of another workload on the node, ready; its address is that of pod `n`.
    pub fn stranger(&mut self, at: u64, n: u8, uid: &str) {
        let mut pod = Pod {
            meta: meta("other", &format!("stranger-{uid}"), uid),
            node: Some("node1".into()),
            ips: vec![ip(n)],
            phase: "Running".into(),
            ready: true,
            ready_changed: Some(UNIX + (at / S) as i64),
            ..Pod::default()
        };
        pod.meta.created = Some(UNIX + (at / S) as i64);
        pod.meta.resource_version = self.next_version();
        pod.meta.owner = owner("StatefulSet", "stranger", "sts-stranger");
        let observed = self.observed(uid, at, true, pod);
        self.push(at, Body::Pod(observed));
    }

    /// A pod has failed; its slice goes on listing it until `until`.
    pub fn fails(&mut self, at: u64, n: u8, until: u64) {
        self.change_pod(at, n, |pod| {
            pod.phase = "Failed".into();
            pod.ready = false;
            pod.meta.deletion_timestamp = None;
        });
        self.lists(at + MS, n, Some((false, true, false)));
        self.lists(until, n, None);
    }

    /// A SYN of the gateway's port meets the full accept queue of pod `n`.
    pub fn backlog_full(&mut self, at: u64, n: u8, port: u16) {
        let flow = Flow { source: Some(ip(2)), source_port: Some(port), destination: backend(n) };
        let (backlog, limit, handshake_ack) = (129, 128, false);
        let full = BacklogFull { flow, netns: netns(n), backlog, limit, handshake_ack };
        self.push(at, Body::BacklogFull(full));
    }

    /// The node's conntrack table.
    pub fn conntrack_stats(
        &mut self,
        at: u64,
        count: u64,
        max: u64,
        insert_failed: u64,
        drop: u64,
    ) {
        let (netns, early_drop) = (NODE, 0);
        let stats = ConntrackStats { netns, count, max, insert_failed, drop, early_drop };
        self.push(at, Body::ConntrackStats(stats));
    }

    /// The gateway's own pod is ready or not.
    pub fn gateway_ready(&mut self, at: u64, ready: bool) {
        let Some(mut pod) = self.gateway.clone() else { return };
        pod.ready = ready;
        pod.ready_changed = Some(UNIX + (at / S) as i64);
        pod.meta.resource_version = self.next_version();
        let observed = self.observed("uid-gateway", at, true, pod);
        self.push(at, Body::Pod(observed));
    }
}
