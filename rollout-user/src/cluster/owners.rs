//! The ReplicaSets of pods that no watch covers, fetched one by one, so that every pod here gets its revision without
//! watching all ReplicaSets of the cluster.
//!
//! In: [`Wanted`] names, when a pod is seen for the first time (its ReplicaSet has its revision by then, also after a
//! rollback). Out: ReplicaSet observations.

use super::Timing;
use super::backoff::Backoff;
use super::failure::Failure;
use super::kind::Kind;
use super::request;
use super::seen::{Holder, Seen};
use super::watch::push;
use super::wire;
use crate::record::cluster::{Meta, ReplicaSet};
use crate::timeline::{Inlet, monotonic_ns};
use std::sync::Arc;
use std::sync::Mutex as PlainMutex;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// A ReplicaSet that a pod names as its owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    namespace: String,
    name: String,
}

impl Wanted {
    /// The owner of a pod, if it is a ReplicaSet.
    pub(crate) fn of(pod: &Meta) -> Option<Wanted> {
        let owner = pod.owner.as_ref().filter(|owner| owner.kind == "ReplicaSet")?;
        Some(Wanted { namespace: pod.namespace.clone(), name: owner.name.clone() })
    }
}

/// Fetches what is asked for.
pub(crate) struct Owners {
    pub client: kube::Client,
    pub timing: Timing,
    pub wanted: mpsc::UnboundedReceiver<Wanted>,
    pub seen: Arc<Mutex<Seen<ReplicaSet>>>,
    pub inlet: Inlet,
    /// What could not be fetched, for a user.
    pub notes: Arc<PlainMutex<Vec<String>>>,
}

impl Owners {
    /// Runs until all watches are gone. Requests that wait together are made once.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.wanted.recv_many(&mut batch, 1024).await > 0 {
            batch.sort();
            batch.dedup();
            for wanted in batch.drain(..) {
                self.fetch(&wanted).await;
            }
        }
    }

    async fn fetch(&self, wanted: &Wanted) {
        let path = ReplicaSet::path(Some(&wanted.namespace));
        let url = format!("{path}/{}", request::encoded(&wanted.name));
        let mut backoff = Backoff::new(&self.timing);
        loop {
            match request::get(&self.client, &url, self.timing.answer).await {
                Ok(answer) => return self.observe(wanted, answer).await,
                // Its pod is being collected, or we may not look: the revision stays unknown.
                Err(Failure::NotFound(_)) => return,
                Err(failure @ (Failure::Forbidden(_) | Failure::Malformed(_))) => {
                    return self.note(wanted, &failure);
                }
                Err(_) => {
                    let pause = backoff.pause(Duration::ZERO, monotonic_ns() >> 10);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn observe(&self, wanted: &Wanted, answer: request::Answer) {
        match serde_json::from_slice::<wire::ReplicaSet>(&answer.body) {
            Ok(wire) => {
                let set = ReplicaSet::from_wire(wire);
                let mut seen = self.seen.lock().await;
                if let Some(observed) = seen.apply(Holder::Fetched, answer.stamp_ns, set, false) {
                    push(&self.inlet, answer.stamp_ns, ReplicaSet::body(observed)).await;
                }
            }
            Err(error) => self.note(wanted, &Failure::Malformed(error.to_string())),
        }
    }

    fn note(&self, wanted: &Wanted, failure: &Failure) {
        let note = format!(
            "revision of pods of `{}/{}` unknown: {}",
            wanted.namespace,
            wanted.name,
            failure.reason()
        );
        if let Ok(mut notes) = self.notes.lock()
            && !notes.contains(&note)
            && notes.len() < 100
        {
            notes.push(note);
        }
    }
}
