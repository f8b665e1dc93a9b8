//! The model: when each pod lives, listens, is programmed, stops; and the records that the cluster and the kernel tell of it.
//!
//! In: a plan and a source of random numbers. Out: pods with their times (µs of the world), written into the world.

use crate::plan::{Fault, OnStop, Plan};
use crate::random::Random;
use crate::world::*;
use rollout::record::kernel::DestinationChange;
use rollout::record::meta::Phase;

/// When the update begins.
pub const START: u64 = 5 * S;
/// Never, within a run.
pub const NEVER: u64 = u64::MAX;

/// What is told at a time; the order decides between equal times.
struct Step<'a> {
    at: u64,
    order: u8,
    tell: Box<dyn Fn(&mut World) + 'a>,
}

/// All steps of a run.
#[derive(Default)]
struct Steps<'a>(Vec<Step<'a>>);

impl<'a> Steps<'a> {
    fn add(&mut self, at: u64, order: u8, tell: impl Fn(&mut World) + 'a) {
        self.0.push(Step { at, order, tell: Box::new(tell) });
    }
}

/// One pod's true times, µs.
#[derive(Debug, Clone)]
pub struct PodTimes {
    /// Its number: its address and its namespace follow from it.
    pub n: u8,
    /// Of the old revision.
    pub old: bool,
    /// Its listener is open from…
    pub listens: u64,
    /// …and closed from.
    pub closes: u64,
    /// From here on it accepts nothing, though it listens.
    pub hangs: u64,
    /// The slice lists it as ready from…
    pub listed: u64,
    /// …until.
    pub unlisted: u64,
    /// The balancer chooses it from…
    pub programmed: u64,
    /// …until.
    pub unprogrammed: u64,
    /// Deletion is requested.
    pub deleted: u64,
    /// Its stop signal.
    pub stop: u64,
    /// Its process begins to exit.
    pub exit: u64,
    /// It is killed, not stopped.
    pub killed: bool,
    /// Its network is gone.
    pub net_gone: u64,
    /// The way to it is cut from here on.
    pub cut: u64,
}

impl PodTimes {
    fn ready_for_ever(n: u8) -> Self {
        Self {
            n,
            old: true,
            listens: 0,
            closes: NEVER,
            hangs: NEVER,
            listed: 0,
            unlisted: NEVER,
            programmed: 0,
            unprogrammed: NEVER,
            deleted: NEVER,
            stop: NEVER,
            exit: NEVER,
            killed: false,
            net_gone: NEVER,
            cut: NEVER,
        }
    }
}

/// A run's pods and its end.
pub struct Model {
    pub plan: Plan,
    pub pods: Vec<PodTimes>,
    /// Clients dial until then.
    pub until: u64,
}

fn draw(random: &mut Random, range: [u64; 2]) -> u64 {
    random.between(range[0] * MS, range[1] * MS + 1)
}

impl Model {
    /// Draws the times of every pod.
    pub fn new(plan: &Plan, random: &mut Random) -> Model {
        let count = random.between(plan.replicas[0], plan.replicas[1] + 1) as u8;
        let mut pods = Vec::new();
        let mut at = START + draw(random, [200, 600]);
        if plan.recreate {
            for i in 0..count {
                pods.push(old(plan, random, 10 + i, at + u64::from(i) * 5 * MS));
            }
            let last = pods.iter().map(|pod| pod.exit).max().unwrap_or(at);
            for i in 0..count {
                pods.push(new(plan, random, 110 + i, last + 300 * MS));
            }
        } else {
            for i in 0..count {
                let fresh = new(plan, random, 110 + i, at);
                let after = draw(random, [30, 300]);
                let gone = old(plan, random, 10 + i, fresh.listed + after);
                at = gone.deleted + draw(random, [100, 400]);
                pods.extend([fresh, gone]);
            }
        }
        let last = pods.iter().filter(|pod| pod.old).map(|pod| pod.net_gone).max().unwrap_or(at);
        let new = pods.iter().filter(|pod| !pod.old).map(|pod| pod.programmed).max().unwrap_or(at);
        let off = pods.iter().map(|pod| pod.unprogrammed).filter(|at| *at != NEVER).max();
        Model { plan: plan.clone(), until: last.max(new).max(off.unwrap_or(0)) + 2 * S, pods }
    }

    /// A pod by number.
    pub fn pod(&self, n: u8) -> &PodTimes {
        self.pods.iter().find(|pod| pod.n == n).expect("a pod of the model")
    }

    /// Whether the slices list a ready pod at that time.
    pub fn any_ready(&self, at: u64) -> bool {
        self.pods.iter().any(|pod| pod.listed <= at && at < pod.unlisted)
    }

    /// Writes what cluster and kernel tell of the pods.
    pub fn write(&self, world: &mut World) {
        let mut steps = Steps::default();
        for pod in &self.pods {
            self.begin(pod, &mut steps);
            self.end(pod, &mut steps);
        }
        steps.0.sort_by_key(|step| (step.at, step.order));
        world.update_begins(START);
        for step in &steps.0 {
            (step.tell)(world);
        }
        world.update_complete(self.until - S);
        world.phase(self.until + 7 * S, Phase::Ended);
    }

    fn begin<'a>(&'a self, pod: &'a PodTimes, steps: &mut Steps<'a>) {
        if pod.old {
            return;
        }
        let n = pod.n;
        let ready = pod.listed.saturating_sub(40 * MS);
        let created = ready.saturating_sub(900 * MS);
        steps.add(created, 0, move |world| world.appears(created, n, 2, "bbbbbbbbbb"));
        let addressed = created + 200 * MS;
        steps.add(addressed, 0, move |world| {
            world.change_pod(addressed, n, |pod| {
                pod.ips = vec![ip(n)];
                pod.phase = "Running".into();
                pod.containers[0].started = Some(UNIX + (addressed / S) as i64);
            });
        });
        steps.add(pod.listens, 1, move |world| world.listener(pod.listens, n, true));
        steps.add(ready, 2, move |world| {
            world.change_pod(ready, n, |pod| {
                pod.ready = true;
                pod.ready_changed = Some(UNIX + (ready / S) as i64);
            });
        });
        steps
            .add(pod.listed, 3, move |world| world.lists(pod.listed, n, Some((true, true, false))));
        let add = DestinationChange::Add;
        steps.add(pod.programmed, 4, move |world| world.program(pod.programmed, n, add, Some(1)));
    }

    fn end<'a>(&'a self, pod: &'a PodTimes, steps: &mut Steps<'a>) {
        if pod.deleted == NEVER {
            return;
        }
        let n = pod.n;
        let (grace, pre_stop) = (self.plan.grace_s as i64, self.plan.pre_stop_s as i64);
        steps.add(pod.deleted, 5, move |world| {
            world.change_pod(pod.deleted, n, |object| {
                object.meta.deletion_timestamp = Some(UNIX + (pod.deleted / S) as i64 + grace);
                object.meta.deletion_grace_seconds = Some(grace);
                object.grace_seconds = Some(grace);
                object.pre_stop_sleep_seconds = Some(pre_stop).filter(|seconds| *seconds > 0);
            });
        });
        steps.add(pod.stop, 6, move |world| world.signal(pod.stop, n, 15, "serv", 0, 0));
        if pod.killed {
            let kill = pod.exit - 200;
            steps.add(kill, 6, move |world| world.signal(kill, n, 9, "serv", 0, 0));
        }
        let terminating = Some((false, true, true));
        steps.add(pod.unlisted, 7, move |world| world.lists(pod.unlisted, n, terminating));
        let edit = DestinationChange::Edit;
        let off = pod.unprogrammed;
        if off != NEVER {
            steps.add(off, 8, move |world| world.program(off, n, edit, Some(0)));
        }
        if pod.closes != NEVER {
            steps.add(pod.closes, 9, move |world| world.listener(pod.closes, n, false));
        }
        let (status, signal) = if pod.killed { (None, Some(9)) } else { (Some(0), None) };
        steps.add(pod.exit, 10, move |world| world.exit(pod.exit, n, "serv", status, signal));
        let told = pod.exit.max(pod.closes.min(pod.exit + S)) + 120 * MS;
        steps.add(told, 10, move |world| {
            world.change_pod(told, n, |object| {
                object.ready = false;
                object.containers[0].finished = Some(UNIX + (pod.exit / S) as i64);
            });
        });
        steps.add(pod.net_gone, 11, move |world| world.sandbox_ends(pod.net_gone - MS, n));
        // A failed pod stays until somebody deletes it, and so does its address in the slice.
        if self.plan.fault != Some(Fault::FailedPodIp) {
            let removed = (pod.net_gone + 100 * MS).max(pod.unlisted + 50 * MS);
            steps.add(removed, 12, move |world| world.lists(removed, n, None));
            let gone = pod.net_gone + 200 * MS;
            steps.add(gone, 13, move |world| world.object_gone(gone, n));
        }
    }
}

fn new(plan: &Plan, random: &mut Random, n: u8, created: u64) -> PodTimes {
    let ready = created + 900 * MS + draw(random, [0, 400]);
    let listed = ready + 40 * MS;
    let late = draw(random, plan.listens_late_ms);
    let early = draw(random, [20, 300]);
    let listens = if late > 0 { ready + late } else { ready - early };
    let programmed = listed + draw(random, [5, 60]);
    PodTimes { old: false, listens, listed, programmed, ..PodTimes::ready_for_ever(n) }
}

fn old(plan: &Plan, random: &mut Random, n: u8, deleted: u64) -> PodTimes {
    let began = deleted + draw(random, [5, 30]);
    let stop = began + plan.pre_stop_s * S;
    let unlisted = deleted + draw(random, plan.controller_ms);
    let linger = draw(random, plan.linger_ms);
    let soon = draw(random, [10, 60]);
    let kill = began + plan.grace_s * S;
    let (closes, hangs, exit, killed) = match plan.on_stop {
        OnStop::Drain => (stop + linger, NEVER, stop + linger + soon, false),
        OnStop::Close => (stop + soon, NEVER, stop + soon + linger, false),
        OnStop::Exit => (stop + soon + 300, NEVER, stop + soon, false),
        OnStop::Hang => (stop + linger, stop, stop + linger + soon, false),
        OnStop::Ignore => (kill + 300, NEVER, kill, true),
    };
    let net_gone = exit.max(closes) + draw(random, [300, 900]);
    // While no endpoint is ready, the proxy keeps terminating ones that serve (KEP-1669).
    let proxy = draw(random, plan.proxy_ms);
    let unprogrammed = if plan.recreate { net_gone + 100 * MS + proxy } else { unlisted + proxy };
    let cut = match plan.fault {
        Some(Fault::CniCut) => deleted + draw(random, [100, 300]),
        _ => NEVER,
    };
    PodTimes {
        closes,
        hangs,
        unlisted,
        unprogrammed,
        deleted,
        stop,
        exit,
        killed,
        net_gone,
        cut,
        ..PodTimes::ready_for_ever(n)
    }
}
