//! The milestones of one pod's life, as the rules need them: each with its bounds and its record.
//!
//! In: a pod's timeline, the recording's facts, what its spec says. Out: [`PodLife`].

use super::super::facts::Facts;
use super::super::pod_timeline::moment;
use super::super::report::attempt::Role;
use super::super::report::pod::Step;
use super::super::workload::Spec;
use crate::attribute::tag::PodRef;
use crate::attribute::timeline::{Happened, Moment, PodTimeline};
use crate::record::kernel::{Exit, Netns, Signal};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const SIGKILL: u32 = 9;
/// `SI_KERNEL`: not sent by a process.
const SI_KERNEL: i32 = 128;

/// When something happened: not before the one, seen at the other; equal for kernel events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Not earlier than this, ns.
    pub not_before_ns: u64,
    /// Not later than this, ns.
    pub seen_ns: u64,
    /// The record that says so.
    pub evidence: u64,
}

/// One port's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening {
    /// When it was first open.
    pub opened: Option<Point>,
    /// When it was closed for the last time, and not opened again.
    pub closed: Option<Point>,
}

/// One pod's milestones; `None`: not seen, or it did not happen.
#[derive(Debug, Clone)]
pub struct PodLife {
    /// The pod.
    pub pod: PodRef,
    /// Old or new; `None`: not of the watched workload.
    pub role: Option<Role>,
    /// It runs on another node, whose kernel is not seen.
    pub elsewhere: bool,
    /// What its spec says of its end.
    pub spec: Spec,
    /// Names of its containers.
    pub containers: Vec<String>,
    /// Its network namespaces.
    pub netns: Vec<Netns>,
    /// Its listening ports.
    pub listening: BTreeMap<u16, Listening>,
    /// Condition Ready.
    pub ready: Option<Point>,
    /// A slice has it as ready.
    pub in_slice: Option<Point>,
    /// Deletion was requested.
    pub deletion: Option<Point>,
    /// Its stop signal.
    pub stop: Option<Point>,
    /// A slice has it no longer as ready.
    pub out_of_slice: Option<Point>,
    /// A proxy had to stop choosing it.
    pub had_to_leave: Option<Point>,
    /// The balancer stopped choosing it.
    pub unprogrammed: Option<Point>,
    /// A container's init began to exit.
    pub exit: Option<Point>,
    /// How it ended.
    pub exited: Option<Exit>,
    /// SIGKILL from outside for a container's init.
    pub killed: Option<Point>,
    /// Condition Ready became false without a deletion, and true again where that was seen.
    pub unready: Vec<(Point, Option<Point>)>,
    /// The object was deleted.
    pub gone: Option<Point>,
    /// The last process, the sandbox's included, began to exit: time and record.
    pub emptied: Option<(u64, u64)>,
}

impl From<&Moment> for Point {
    fn from(moment: &Moment) -> Self {
        let Moment { not_before_ns, seen_ns, evidence, .. } = *moment;
        Self { not_before_ns, seen_ns, evidence }
    }
}

/// What a life is read from besides the timeline.
pub struct About<'a> {
    /// The recording's statements.
    pub facts: &'a Facts,
    /// Old or new.
    pub role: Option<Role>,
    /// Its spec.
    pub spec: Spec,
    /// Names of its containers.
    pub containers: Vec<String>,
    /// Its network namespaces.
    pub netns: Vec<Netns>,
    /// See [`PodLife::emptied`].
    pub emptied: Option<(u64, u64)>,
    /// When a proxy had to stop choosing it, between the time when it left its slice and the one when it was unprogrammed:
    /// time and record.
    pub had_to_leave: &'a dyn Fn((u64, u64)) -> Option<(u64, u64)>,
}

impl PodLife {
    /// Reads the milestones out of a timeline.
    pub fn of(timeline: &PodTimeline, about: About<'_>) -> PodLife {
        let About { facts, role, spec, containers, netns, emptied, had_to_leave } = about;
        let at = |step| moment(step, timeline, facts).map(Point::from);
        let local = facts.header.as_ref().map(|header| header.what.node.as_str());
        let node = timeline.pod.node.as_deref();
        let exit = at(Step::Exit);
        let out_of_slice = at(Step::OutOfSlice);
        let unprogrammed = at(Step::Unprogrammed);
        let until_ns = unprogrammed.map_or(u64::MAX, |off| off.seen_ns);
        let had_to_leave = out_of_slice.and_then(|out| had_to_leave((out.seen_ns, until_ns)));
        let mut kills = timeline.moments.iter().filter(|m| m.what == Happened::Signal);
        let killed = kills.rfind(|m| facts.signals.get(&m.evidence).is_some_and(is_kill));
        PodLife {
            role,
            spec,
            containers,
            netns,
            emptied,
            elsewhere: node.is_some() && local.is_some() && node != local,
            listening: listening(timeline),
            ready: at(Step::Ready),
            in_slice: at(Step::InSlice),
            deletion: at(Step::DeletionSeen),
            stop: at(Step::StopSignal),
            had_to_leave: had_to_leave.map(|(time_ns, evidence)| Point {
                not_before_ns: time_ns,
                seen_ns: time_ns,
                evidence,
            }),
            out_of_slice,
            unprogrammed,
            exited: exit.and_then(|exit| facts.exits.get(&exit.evidence).cloned()),
            exit,
            killed: killed.map(Point::from),
            unready: unready(timeline),
            gone: at(Step::Gone),
            pod: timeline.pod.clone(),
        }
    }

    /// Whether deletion had been requested by then: surely, perhaps, or not.
    pub fn terminating_at(&self, time_ns: u64) -> When {
        when(self.deletion, time_ns)
    }

    /// What is known of one port's listener.
    pub fn port(&self, port: u16) -> Listening {
        self.listening.get(&port).copied().unwrap_or_default()
    }

    /// Whether its process lived then and had the port open, as far as the kernel told.
    pub fn serves_at(&self, port: u16, time_ns: u64) -> bool {
        let over = |point: Option<Point>| point.is_some_and(|point| point.seen_ns <= time_ns);
        let Listening { opened, closed } = self.port(port);
        over(opened) && !over(closed) && !over(self.exit)
    }

    /// When kubelet began to stop it: its stop signal less the `preStop` sleep that it has, ns.
    pub fn stop_began_ns(&self) -> Option<u64> {
        let stop = self.stop?;
        Some(stop.seen_ns.saturating_sub(self.pre_stop_ns()))
    }

    /// How long `preStop` took: what the spec says of `sleep`, else what was measured of a hook of another kind, ns.
    pub fn pre_stop_ns(&self) -> u64 {
        let measured = || {
            let (stop, deletion) = (self.stop?, self.deletion?);
            Some(stop.seen_ns.saturating_sub(deletion.seen_ns))
        };
        match (self.spec.pre_stop_sleep_seconds, self.spec.has_other_pre_stop) {
            (Some(seconds), _) => seconds.saturating_mul(1_000_000_000),
            (None, true) => measured().unwrap_or(0),
            (None, false) => 0,
        }
    }
}

/// Each time that the pod was not ready for a while.
fn unready(timeline: &PodTimeline) -> Vec<(Point, Option<Point>)> {
    let mut times: Vec<(Point, Option<Point>)> = Vec::new();
    for moment in &timeline.moments {
        match (moment.what, times.last_mut()) {
            (Happened::NotReady, _) => times.push((moment.into(), None)),
            (Happened::Ready, Some((_, again))) => *again = again.or(Some(moment.into())),
            _ => {}
        }
    }
    times
}

/// Every port that was ever listened on.
fn listening(timeline: &PodTimeline) -> BTreeMap<u16, Listening> {
    let mut ports: BTreeMap<u16, Listening> = BTreeMap::new();
    for moment in &timeline.moments {
        let opened = match moment.what {
            Happened::ListenerOpened => true,
            Happened::ListenerClosed => false,
            _ => continue,
        };
        let Ok(address) = moment.detail.parse::<SocketAddr>() else { continue };
        let of = ports.entry(address.port()).or_default();
        if opened {
            of.opened = of.opened.or(Some(moment.into()));
            of.closed = None;
        } else {
            of.closed = Some(moment.into());
        }
    }
    ports
}

fn is_kill(signal: &Signal) -> bool {
    signal.signal == SIGKILL && signal.code != SI_KERNEL
}

/// Whether something had happened by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It had.
    Surely,
    /// It lies in an interval that holds the time.
    Perhaps,
    /// It had not, or it was never seen.
    Not,
}

/// Whether `point` had happened at `time_ns`.
pub fn when(point: Option<Point>, time_ns: u64) -> When {
    match point {
        Some(point) if point.seen_ns <= time_ns => When::Surely,
        Some(point) if point.not_before_ns <= time_ns => When::Perhaps,
        _ => When::Not,
    }
}
