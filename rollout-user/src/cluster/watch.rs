//! One watch: list, follow, and after any failure say so, pause, and list again.
//!
//! In: a query. Out: observations and [`WatchState`]s on the timeline. After a failure state is taken as current only
//! when a new list is complete: a resumed stream alone would not show how far it lags behind.

use super::Timing;
use super::backoff::Backoff;
use super::failure::Failure;
use super::kind::Kind;
use super::owners::Wanted;
use super::request::{self, Query};
use super::seen::{Holder, Seen};
use super::wire::{Lenient, ListPage, Status, WatchLine};
use crate::record::Body;
use crate::record::cluster::{WatchChange, WatchState};
use crate::record::meta::{Loss, Stage};
use crate::timeline::{Inlet, monotonic_ns};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, watch};

/// Where a watch stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// In sync now.
    pub synced: bool,
    /// Was in sync at least once.
    pub listed: bool,
    /// The last failure while not in sync.
    pub failure: Option<Failure>,
}

/// All that one watch needs.
pub(crate) struct Watch<K: Kind> {
    pub client: kube::Client,
    pub timing: Timing,
    pub query: Query,
    /// For messages, as in `WatchState::scope`.
    pub scope: String,
    pub holder: Holder,
    pub seen: Arc<Mutex<Seen<K>>>,
    pub inlet: Inlet,
    pub standing: watch::Sender<Standing>,
    /// Where to ask for the ReplicaSets of new pods.
    pub owners: Option<mpsc::UnboundedSender<Wanted>>,
    /// Last sign of life, ns.
    pub alive_ns: u64,
}

/// Hands over without loss: waits while the queue is full.
pub(crate) async fn push(inlet: &Inlet, time_ns: u64, body: Body) {
    let mut waiting = body;
    while let Err(back) = inlet.offer(time_ns, waiting) {
        waiting = *back;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl<K: Kind> Watch<K> {
    /// Runs until it is aborted.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(&self.timing);
        let mut version = String::new();
        loop {
            let begun = Instant::now();
            let failure = self.follow(&mut version).await;
            self.cut(failure).await;
            tokio::time::sleep(backoff.pause(begun.elapsed(), monotonic_ns() >> 10)).await;
        }
    }

    /// Lists and follows until something fails.
    async fn follow(&mut self, version: &mut String) -> Failure {
        if let Err(failure) = self.list(version).await {
            return failure;
        }
        loop {
            let begun = Instant::now();
            match self.stream(version).await {
                Err(failure) => return failure,
                // The server ends each watch at its time-out; the next one goes on from the same version.
                Ok(()) if begun.elapsed() >= self.timing.shortest => {}
                Ok(()) => {
                    let lived = begun.elapsed().as_millis();
                    return Failure::Ended(format!("the server ended the watch after {lived} ms"));
                }
            }
        }
    }

    /// Reads all pages, then tells what vanished, what is there, and that the watch is in sync.
    async fn list(&mut self, version: &mut String) -> Result<(), Failure> {
        let mut token = String::new();
        let mut objects: Vec<(u64, K)> = Vec::new();
        let mut unreadable = 0;
        let mut list_version;
        let mut stamp_ns;
        loop {
            let answer =
                request::get(&self.client, &self.query.page(&token), self.timing.answer).await?;
            stamp_ns = answer.stamp_ns;
            let page: ListPage<K::Wire> = serde_json::from_slice(&answer.body)
                .map_err(|error| Failure::Malformed(error.to_string()))?;
            for item in page.items.unwrap_or_default() {
                match item {
                    Lenient::Good(wire) => match self.readable(*wire) {
                        Some(object) => objects.push((stamp_ns, object)),
                        None => unreadable += 1,
                    },
                    Lenient::Bad(_) => unreadable += 1,
                }
            }
            list_version = page.metadata.resource_version;
            token = page.metadata.r#continue;
            if token.is_empty() {
                break;
            }
        }
        if list_version.is_empty() {
            return Err(Failure::Malformed("a list without resource version".into()));
        }
        let rewound = match (version.parse::<u64>(), list_version.parse::<u64>()) {
            (Ok(before), Ok(now)) => now < before,
            _ => false,
        };
        *version = list_version;
        self.lost(unreadable).await;
        let seen = self.seen.clone();
        let mut seen = seen.lock().await;
        let listed: BTreeSet<String> =
            objects.iter().map(|(_, object)| object.meta().uid.clone()).collect();
        for gone in seen.vanished(self.holder, &listed) {
            push(&self.inlet, stamp_ns, K::body(gone)).await;
        }
        for (arrival_ns, object) in objects {
            self.observe(&mut seen, arrival_ns, object, rewound).await;
        }
        drop(seen);
        self.alive_ns = stamp_ns;
        self.say(stamp_ns, WatchChange::Synced, None).await;
        self.standing.send_replace(Standing { synced: true, listed: true, failure: None });
        Ok(())
    }

    async fn stream(&mut self, version: &mut String) -> Result<(), Failure> {
        let url = self.query.watch(version, self.timing.watch);
        let mut lines = request::stream(&self.client, &url, self.timing.answer).await?;
        let patience = self.timing.watch + self.timing.grace;
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let next = match tokio::time::timeout_at(deadline, lines.next()).await {
                Ok(next) => next?,
                Err(_) => return Err(Failure::Silent(patience)),
            };
            let Some((stamp_ns, line)) = next else { return Ok(()) };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let line: WatchLine = serde_json::from_slice(&line)
                .map_err(|error| Failure::Malformed(error.to_string()))?;
            if line.r#type == "ERROR" {
                let status: Status = serde_json::from_value(line.object).unwrap_or_default();
                return Err(Failure::status(status.code, &status.message));
            }
            self.alive_ns = stamp_ns;
            if let Some(next) = line.object["metadata"]["resourceVersion"].as_str() {
                next.clone_into(version);
            }
            self.event(stamp_ns, line).await;
        }
    }

    async fn event(&mut self, stamp_ns: u64, line: WatchLine) {
        if line.r#type == "BOOKMARK" {
            return;
        }
        let wire = serde_json::from_value::<K::Wire>(line.object).ok();
        let Some(object) = wire.and_then(|wire| self.readable(wire)) else {
            return self.lost(1).await;
        };
        let seen = self.seen.clone();
        let mut seen = seen.lock().await;
        match line.r#type.as_str() {
            "ADDED" | "MODIFIED" => self.observe(&mut seen, stamp_ns, object, false).await,
            "DELETED" => {
                if let Some(gone) = seen.delete(self.holder, object) {
                    push(&self.inlet, stamp_ns, K::body(gone)).await;
                }
            }
            _ => {
                drop(seen);
                self.lost(1).await;
            }
        }
    }

    /// An object without identity or version cannot be followed.
    fn readable(&self, wire: K::Wire) -> Option<K> {
        let object = K::from_wire(wire);
        let meta = object.meta();
        (!meta.uid.is_empty() && !meta.resource_version.is_empty()).then_some(object)
    }

    async fn observe(&self, seen: &mut Seen<K>, stamp_ns: u64, object: K, rewound: bool) {
        if let Some(owners) = &self.owners
            && !seen.knows(&object.meta().uid)
            && let Some(wanted) = Wanted::of(object.meta())
        {
            // The other end lives as long as the watches do.
            let _ = owners.send(wanted);
        }
        if let Some(observed) = seen.apply(self.holder, stamp_ns, object, rewound) {
            push(&self.inlet, stamp_ns, K::body(observed)).await;
        }
    }

    /// Objects that could not be read, since the last sign of life.
    async fn lost(&self, count: u64) {
        if count == 0 {
            return;
        }
        let loss = Loss {
            stage: Stage::Watch,
            program: K::RESOURCE.into(),
            count,
            since_ns: self.alive_ns,
        };
        push(&self.inlet, monotonic_ns(), Body::Loss(loss)).await;
    }

    /// Says that the watch broke; once for each reason until it is in sync again.
    async fn cut(&mut self, failure: Failure) {
        let before = self.standing.borrow().clone();
        let said = before.failure.as_ref().is_some_and(|said| said.reason() == failure.reason());
        if before.synced || !said {
            self.say(monotonic_ns(), WatchChange::Cut, Some(failure.reason())).await;
        }
        self.standing.send_modify(|standing| {
            standing.synced = false;
            standing.failure = Some(failure);
        });
    }

    async fn say(&self, time_ns: u64, change: WatchChange, reason: Option<String>) {
        let since_ns = if change == WatchChange::Cut { self.alive_ns } else { 0 };
        let state = WatchState {
            resource: K::RESOURCE.into(),
            scope: self.scope.clone(),
            change,
            reason,
            since_ns,
        };
        push(&self.inlet, time_ns, Body::Watch(state)).await;
    }
}
