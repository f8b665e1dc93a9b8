//! What happened to one pod, as intervals with evidence: the rows of the report's per-pod timeline.
//!
//! In: histories. Out: [`PodTimeline`].

use super::tag::PodRef;
use serde::Serialize;
use std::net::IpAddr;

/// A kind of thing that happens to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The object was created.
    Created,
    /// Its address was in its status.
    AddressAssigned,
    /// A listener was opened in its network namespace.
    ListenerOpened,
    /// Condition Ready became true.
    Ready,
    /// Condition Ready became false, without deletion.
    NotReady,
    /// First seen in an EndpointSlice.
    InSlice,
    /// An EndpointSlice says ready.
    SliceReady,
    /// An IPVS destination for its address got a weight above 0.
    Programmed,
    /// Deletion was requested (`deletionTimestamp` less grace).
    DeletionRequested,
    /// An EndpointSlice says not ready.
    SliceNotReady,
    /// An EndpointSlice says terminating.
    SliceTerminating,
    /// An EndpointSlice says not serving.
    SliceNotServing,
    /// An EndpointSlice lists it no more.
    SliceRemoved,
    /// A signal from outside reached a container's init.
    Signal,
    /// A listener was closed in its network namespace.
    ListenerClosed,
    /// An IPVS destination for its address got weight 0.
    WeightZero,
    /// An IPVS destination for its address was deleted.
    DestinationDeleted,
    /// A container's init began to exit.
    Exit,
    /// The sandbox's init began to exit: the pod's network namespace follows.
    SandboxExit,
    /// Phase Succeeded or Failed.
    Finished,
    /// The object was deleted.
    Gone,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment {
    /// Not later than this, ns of `CLOCK_MONOTONIC`; for kernel events exactly then.
    pub seen_ns: u64,
    /// Not earlier than this, ns. Equal to `seen_ns` for kernel events.
    pub not_before_ns: u64,
    /// What happened.
    pub what: Happened,
    /// More of it: an address, a signal's name, a slice's name; possibly empty.
    pub detail: String,
    /// The record that says so.
    pub evidence: u64,
}

/// One pod's moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodTimeline {
    /// The pod.
    pub pod: PodRef,
    /// Its addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Sorted by time.
    pub moments: Vec<Moment>,
}

impl PodTimeline {
    /// The first moment of that kind.
    pub fn first(&self, what: Happened) -> Option<&Moment> {
        self.moments.iter().find(|moment| moment.what == what)
    }

    /// The last moment of that kind.
    pub fn last(&self, what: Happened) -> Option<&Moment> {
        self.moments.iter().rev().find(|moment| moment.what == what)
    }
}
