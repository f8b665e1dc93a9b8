//! The clients: each connect goes through the balancer and the pods of the model, and the log says what truly happened to it.
//!
//! In: the model, a source of random numbers. Out: kernel records in the world, and [`Log`].

use crate::dial::Dial;
use crate::model::{Model, NEVER, PodTimes, START};
use crate::plan::{Fault, OnStop};
use crate::random::Random;
use crate::world::*;
use rollout::analyse::report::cause::CauseName;
use rollout::record::Body;
use rollout::record::cluster::EndpointSlice;
use rollout::record::kernel::{Chooser, Flow};
use rollout::record::meta::Stage;
use std::collections::{BTreeMap, BTreeSet};

/// A SYN is sent again after these times, µs: the kernel's linear retries, then doubling.
const AGAIN: [u64; 8] =
    [0, 1_020_000, 2_050_000, 3_070_000, 4_100_000, 6_150_000, 10_200_000, 18_400_000];

/// What the model did, to whom.
#[derive(Debug, Default)]
pub struct Log {
    /// By attempt number: what went wrong first, and what made it worse; only of those that went badly.
    pub fates: BTreeMap<u64, BTreeSet<CauseName>>,
    /// By attempt number: the pod that its first SYN truly went to.
    pub sent_to: BTreeMap<u64, u8>,
    /// Everything that was truly a cause in this run.
    pub causes: BTreeSet<CauseName>,
    last_choice: BTreeMap<u8, u64>,
    bad_at: Vec<(u64, u8, u64)>,
}

impl Log {
    fn fate(&mut self, attempt: u64, cause: CauseName) {
        self.fates.entry(attempt).or_default().insert(cause);
    }
}

/// Everything that a run needs.
pub struct Clients<'a> {
    pub world: &'a mut World,
    pub model: &'a Model,
    pub random: &'a mut Random,
    pub log: Log,
    /// Client ports whose entries lead to a pod.
    entries: Vec<(u16, u8, u64)>,
    begun: BTreeMap<u64, u64>,
}

/// What a pod makes of a SYN.
enum Answer {
    Accepts,
    Queues,
    Full,
    Refuses,
    Gone,
    Cut,
}

impl<'a> Clients<'a> {
    pub fn new(world: &'a mut World, model: &'a Model, random: &'a mut Random) -> Self {
        Self {
            world,
            model,
            random,
            log: Log::default(),
            entries: Vec::new(),
            begun: BTreeMap::new(),
        }
    }

    /// Dials until the end, does what the plan's fault says, and completes the log.
    pub fn run(mut self) -> Log {
        let mut at = 3 * S;
        while at < self.model.until {
            self.connect(at);
            at += self.random.between(500, 2 * S / self.model.plan.rate);
        }
        self.faults();
        self.circumstances();
        self.log
    }

    fn connect(&mut self, at: u64) {
        if self.model.plan.direct_ms.is_some() {
            return self.connect_directly(at);
        }
        let attempt = {
            let dial = self.world.dial(at);
            dial.attempt
        };
        self.begun.insert(attempt, at);
        self.follow(at, attempt, None);
    }

    /// A connect of a proxy that dials pods by itself and knows their slice as it was a while ago.
    fn connect_directly(&mut self, at: u64) {
        let late = self.model.plan.direct_ms.unwrap_or(0) * MS;
        let known = at.saturating_sub(late);
        let listed =
            self.model.pods.iter().filter(|pod| pod.listed <= known && known < pod.unlisted);
        let listed: Vec<u8> = listed.map(|pod| pod.n).collect();
        if listed.is_empty() {
            return;
        }
        let n = listed[self.random.below(listed.len() as u64) as usize];
        self.world.port += 1;
        let flow = Flow {
            source: Some(ip(2)),
            source_port: Some(self.world.port),
            destination: backend(n),
        };
        let attempt = self.world.dial_as(at, flow, GATEWAY, GATEWAY_CGROUP, "ingress").attempt;
        let stale = at >= self.model.pod(n).unlisted;
        self.follow(at, attempt, Some(n));
        if stale && let Some(fates) = self.log.fates.get_mut(&attempt) {
            *fates = BTreeSet::from([CauseName::StaleUpstream]);
        }
    }

    fn dial(&mut self, at: u64, attempt: u64, direct: Option<u8>) -> Dial<'_> {
        let port = self.world.port;
        let destination = direct.map_or_else(vip, backend);
        let flow = Flow { source: Some(ip(2)), source_port: Some(port), destination };
        Dial::resumed(self.world, attempt, flow, GATEWAY, at)
    }

    /// Every SYN of a connect, until it is decided.
    fn follow(&mut self, at: u64, attempt: u64, direct: Option<u8>) {
        let timeout = match self.model.plan.connect_timeout_ms {
            0 => NEVER,
            timeout => timeout * MS,
        };
        let mut entry = direct;
        let mut unserved = 0;
        for (k, off) in AGAIN.into_iter().enumerate() {
            if off >= timeout {
                self.dial(at, attempt, direct).failed(timeout, None);
                self.log.fate(attempt, CauseName::ClientGaveUp);
                return;
            }
            if at + off >= self.model.until + 6 * S {
                return;
            }
            if k > 0 {
                self.dial(at, attempt, direct).resent(off, None);
            }
            let now = at + off;
            let Some(n) = self.balance(at, off, attempt, &mut entry, direct, k) else {
                if entry.is_none() && !self.programmed(now).is_empty() {
                    continue;
                }
                if self.programmed(now).is_empty() && entry.is_none() {
                    unserved += 1;
                }
                if unserved == 2 {
                    self.dial(at, attempt, direct).failed(off + 900, Some(111));
                    return;
                }
                continue;
            };
            self.log.sent_to.entry(attempt).or_insert(n);
            if self.answer(at, off, attempt, n, direct) {
                return;
            }
        }
    }

    fn programmed(&self, now: u64) -> Vec<u8> {
        let on = self.model.pods.iter().filter(|p| p.programmed <= now && now < p.unprogrammed);
        on.map(|pod| pod.n).collect()
    }

    /// Where the balancer sends a SYN; `None`: nowhere.
    fn balance(
        &mut self,
        at: u64,
        off: u64,
        attempt: u64,
        entry: &mut Option<u8>,
        direct: Option<u8>,
        k: usize,
    ) -> Option<u8> {
        if direct.is_some() {
            return direct;
        }
        let now = at + off;
        if let Some(n) = *entry {
            if k > 0 && now >= self.model.pod(n).unprogrammed {
                self.dial(at, attempt, None).dropped(off + 40, "NETFILTER_DROP", NODE);
                self.log.fate(attempt, CauseName::DroppedInIpvs);
                *entry = None;
                return None;
            }
            return Some(n);
        }
        let on = self.programmed(now);
        if on.is_empty() {
            self.dial(at, attempt, None).no_destination(off + 20);
            if k == 0 {
                self.log.fate(attempt, CauseName::NoDestination);
            }
            return None;
        }
        let n = on[self.random.below(on.len() as u64) as usize];
        self.dial(at, attempt, None).chosen(off + 30, n);
        let last = self.log.last_choice.entry(n).or_default();
        *last = (*last).max(now + 30);
        *entry = Some(n);
        self.entries.push((self.world.port, n, now));
        Some(n)
    }

    fn pod_answers(&mut self, pod: &PodTimes, now: u64) -> Answer {
        let surge = self.model.plan.fault == Some(Fault::Surge);
        if now >= pod.net_gone {
            return Answer::Gone;
        }
        if now >= pod.cut {
            return Answer::Cut;
        }
        if now < pod.listens || now >= pod.closes {
            return Answer::Refuses;
        }
        if now >= pod.hangs {
            // Two find room in the queue, the others none.
            let room = self.log.bad_at.iter().filter(|(_, n, _)| *n == pod.n).count() < 2;
            return if room { Answer::Queues } else { Answer::Full };
        }
        if surge && !pod.old && now < pod.programmed + S && self.random.chance(60) {
            return Answer::Full;
        }
        Answer::Accepts
    }

    /// What the pod answers; whether that decides the connect.
    fn answer(&mut self, at: u64, off: u64, attempt: u64, n: u8, direct: Option<u8>) -> bool {
        let pod = self.model.pod(n).clone();
        let now = at + off;
        let answer = self.pod_answers(&pod, now);
        if !matches!(answer, Answer::Accepts) {
            self.log.bad_at.push((now, n, now));
        }
        match answer {
            Answer::Accepts => self.serve(at, off, attempt, &pod, direct),
            Answer::Queues => {
                let mut dial = self.dial(at, attempt, direct);
                dial.established(off + 350);
                let cut = pod.closes.max(now + 1000) - at + 400;
                dial.reset_sent(cut - 50, n, None);
                dial.reset(cut, "ESTABLISHED");
                dial.closed(cut + 5, Some(104));
                self.log.fate(attempt, CauseName::UnacceptedReset);
            }
            Answer::Full => {
                let cause =
                    if now >= pod.deleted { CauseName::LateSyn } else { CauseName::SurgeOverload };
                self.log.fate(attempt, cause);
                if cause == CauseName::SurgeOverload {
                    self.world.backlog_full(now + 60, n, self.world.port);
                }
                return false;
            }
            Answer::Refuses => {
                let early = now < pod.listens;
                let cause = if early {
                    CauseName::ReadyBeforeListening
                } else {
                    CauseName::ListenerClosedFirst
                };
                self.dial(at, attempt, direct).refused(off + 240, n);
                self.log.fate(attempt, cause);
            }
            Answer::Gone if self.model.plan.fault == Some(Fault::NoRoute) => {
                self.dial(at, attempt, direct).failed(off + 3_050_000, Some(113));
                self.log.fate(attempt, CauseName::HostUnreachable);
            }
            Answer::Gone => {
                // The bridge floods what it has no port for.
                let flow = self.dial(at, attempt, direct).flow;
                let flow = Flow { destination: backend(n), ..flow };
                self.dial(at, attempt, direct).dropped_flow(
                    off + 80,
                    "OTHERHOST",
                    netns(251),
                    flow,
                );
                self.log.fate(attempt, CauseName::BlackHole);
                return false;
            }
            Answer::Cut => {
                let flow = self.dial(at, attempt, direct).flow;
                let flow = Flow { destination: backend(n), ..flow };
                self.dial(at, attempt, direct).dropped_flow(off + 80, "NETFILTER_DROP", NODE, flow);
                self.log.fate(attempt, CauseName::CniCutEarly);
                return false;
            }
        }
        true
    }

    /// The pod accepts; the request ends well, or with the process.
    fn serve(&mut self, at: u64, off: u64, attempt: u64, pod: &PodTimes, direct: Option<u8>) {
        let n = pod.n;
        let [least, most] = self.model.plan.request_ms;
        let ends = off + 400 + self.random.between(least * MS, most * MS + 1);
        let fault = self.model.plan.fault;
        // Others finish what is open before they exit.
        let cuts = matches!(self.model.plan.on_stop, OnStop::Exit | OnStop::Ignore);
        let mut dial = self.dial(at, attempt, direct);
        dial.established(off + 350);
        let cut_at = match fault {
            Some(Fault::FlowCut) if pod.unprogrammed != NEVER => pod.unprogrammed + 300 * MS,
            _ => NEVER,
        };
        let idle = fault == Some(Fault::KeepAlive) && attempt.is_multiple_of(9) && at > START;
        let invalid = fault == Some(Fault::Invalid) && attempt.is_multiple_of(11) && at > START;
        let end = at + ends;
        if end > cut_at && at + off < cut_at && cut_at < pod.exit {
            let cut = cut_at - at;
            dial.reset(cut, "ESTABLISHED");
            dial.closed(cut + 5, Some(104));
            self.log.fate(attempt, CauseName::FlowCutAtRemoval);
        } else if end > pod.exit && cuts {
            let cut = pod.exit.max(at + off) - at + 700;
            dial.reset_sent(cut - 50, n, Some("ESTABLISHED"));
            dial.reset(cut, "ESTABLISHED");
            dial.closed(cut + 5, Some(104));
            let cause = if pod.killed { CauseName::GraceOverrun } else { CauseName::ExitsAtOnce };
            self.log.fate(attempt, cause);
            self.log.bad_at.push((pod.exit, n, at + off));
        } else if idle {
            dial.reset_sent(ends - 60, n, None);
            dial.reset(ends, "CLOSE_WAIT");
            dial.closed(ends + 5, Some(32));
            self.log.fate(attempt, CauseName::KeepAliveRace);
        } else if invalid {
            dial.stray_reset(ends - 200, n);
            dial.reset(ends, "ESTABLISHED");
            dial.closed(ends + 5, Some(104));
            self.log.fate(attempt, CauseName::ConntrackInvalid);
        } else {
            dial.closed(ends, None);
        }
    }

    /// What the plan's fault does besides the pods' own lives.
    fn faults(&mut self) {
        let Some(fault) = self.model.plan.fault else { return };
        let old: Vec<PodTimes> = self.model.pods.iter().filter(|pod| pod.old).cloned().collect();
        let Some(first) = old.first().cloned() else { return };
        match fault {
            Fault::ConntrackFull | Fault::SourceNatRace => self.conntrack(fault, START + 600 * MS),
            Fault::WeightZero => self.old_entries(&first),
            Fault::ReuseDrop => self.reuse(first.deleted),
            Fault::StaleEntry => self.stranger(&first, false),
            Fault::FailedPodIp => self.stranger(&first, true),
            Fault::ClientBlocked => self.blocked(START + 500 * MS),
            Fault::Cascade => self.cascade(),
            Fault::LocalPolicy => self.local(),
            Fault::Loss => {
                self.world.loss(START + 100 * MS, START + 900 * MS, Stage::Ring, 17);
                self.log.causes.insert(CauseName::OwnBlindness);
            }
            Fault::CniCut
            | Fault::Invalid
            | Fault::FlowCut
            | Fault::KeepAlive
            | Fault::Surge
            | Fault::NoRoute => {}
        }
    }

    /// The node's table is full for a while, or entries race: SYNs are dropped, their retransmits pass.
    fn conntrack(&mut self, fault: Fault, from: u64) {
        let full = fault == Fault::ConntrackFull;
        let count = self.random.between(4, 20);
        self.world.conntrack_stats(from - S, 900, 1000, 3, 5);
        for i in 0..count {
            let at = from + i * 20 * MS;
            let Some(n) = self.programmed(at + 1_030_000).first().copied() else { continue };
            let attempt = self.world.dial(at).attempt;
            let mut dial = self.dial(at, attempt, None);
            if full {
                dial.dropped(60, "NETFILTER_DROP", NODE);
            } else {
                dial.chosen(30, n);
                let flow = Flow { destination: backend(n), ..dial.flow };
                dial.dropped_flow(60, "NETFILTER_DROP", NODE, flow);
            }
            dial.resent(1_020_000, None);
            if full {
                dial.chosen(1_020_030, n);
            }
            dial.established(1_020_400);
            dial.closed(1_030_000, None);
            let cause = if full { CauseName::ConntrackFull } else { CauseName::SourceNatRace };
            self.log.fate(attempt, cause);
            self.log.sent_to.insert(attempt, n);
        }
        let (held, drops, failed) = if full { (1000, 5 + count, 3) } else { (910, 5, 3 + count) };
        self.world.conntrack_stats(from + 400 * MS, held, 1000, failed, drops);
    }

    /// Ports are used again whose entries lead to a pod that has weight 0 by now.
    fn old_entries(&mut self, pod: &PodTimes) {
        let known: Vec<(u16, u8, u64)> = self
            .entries
            .iter()
            .filter(|(_, n, at)| *n == pod.n && *at < pod.deleted)
            .copied()
            .collect();
        let from = pod.unprogrammed.max(pod.closes) + 5 * MS;
        for (i, (port, n, _)) in known.into_iter().take(6).enumerate() {
            let at = from + i as u64 * 7 * MS;
            if at >= pod.net_gone {
                return;
            }
            let flow = Flow { source: Some(ip(2)), source_port: Some(port), destination: vip() };
            let attempt = self.world.dial_as(at, flow, GATEWAY, GATEWAY_CGROUP, "nginx").attempt;
            Dial::resumed(self.world, attempt, flow, GATEWAY, at).refused(240, n);
            self.log.fate(attempt, CauseName::WeightZeroReuse);
            self.log.sent_to.insert(attempt, n);
            self.log.bad_at.push((at, n, at));
        }
    }

    /// Ports are used again whose entries are in TIME_WAIT: the first SYN is dropped.
    fn reuse(&mut self, from: u64) {
        let known: Vec<(u16, u8, u64)> = self.entries.iter().take(8).copied().collect();
        for (i, (port, _, _)) in known.into_iter().enumerate() {
            let at = from + i as u64 * 30 * MS;
            let Some(n) = self.programmed(at + 1_020_000).first().copied() else { continue };
            let flow = Flow { source: Some(ip(2)), source_port: Some(port), destination: vip() };
            let attempt = self.world.dial_as(at, flow, GATEWAY, GATEWAY_CGROUP, "nginx").attempt;
            let mut dial = Dial::resumed(self.world, attempt, flow, GATEWAY, at);
            dial.dropped(40, "NETFILTER_DROP", NODE);
            dial.resent(1_020_000, None);
            dial.chosen(1_020_030, n);
            dial.established(1_020_400);
            dial.closed(1_025_000, None);
            self.log.fate(attempt, CauseName::ReuseDrop);
        }
    }

    /// Another workload's pod has an old pod's address, and is still reached under the Service's.
    fn stranger(&mut self, pod: &PodTimes, failed: bool) {
        let from = pod.net_gone + 400 * MS;
        if failed {
            self.world.fails(pod.net_gone + 90 * MS, pod.n, from + 2 * S);
        }
        self.world.stranger(from, pod.n, "uid-stranger");
        for i in 0..self.random.between(3, 9) {
            let at = from + 150 * MS + i * 40 * MS;
            let attempt = self.world.dial(at).attempt;
            let mut dial = self.dial(at, attempt, None);
            let by = Chooser::Conntrack;
            dial.chosen_by(25, pod.n, by);
            dial.established(400);
            dial.closed(5 * MS, None);
            let cause =
                if failed { CauseName::FailedPodIpReused } else { CauseName::StaleConntrack };
            self.log.fate(attempt, cause);
        }
    }

    fn blocked(&mut self, from: u64) {
        for i in 0..self.random.between(4, 12) {
            let at = from + i * 35 * MS;
            let Some(n) = self.programmed(at + 1_020_000).first().copied() else { continue };
            let attempt = self.world.dial(at).attempt;
            let mut dial = self.dial(at, attempt, None);
            dial.dropped(3, "NETFILTER_DROP", GATEWAY);
            dial.resent(1_020_000, None);
            dial.chosen(1_020_030, n);
            dial.established(1_020_400);
            dial.closed(1_025_000, None);
            self.log.fate(attempt, CauseName::NotSent);
        }
    }

    /// The gateway's probe goes through the backend: some seconds after its connects fail it is not ready.
    fn cascade(&mut self) {
        let bad = self.log.bad_at.iter().map(|(at, _, _)| *at).filter(|at| *at > START);
        let Some(first) = bad.min() else { return };
        let left = first + self.random.between(2 * S, 4 * S);
        self.world.gateway_ready(left, false);
        self.world.gateway_ready(left + 3 * S, true);
        self.log.causes.insert(CauseName::ReadinessCascade);
    }

    /// The Service is Local, this node's pod has gone, and another node has a ready one.
    fn local(&mut self) {
        self.world.change_service(100 * MS, |service| {
            service.internal_traffic_policy = "Local".into();
        });
        // While the slice has no pod of this node; then the balancer is late by itself.
        let begun: BTreeMap<u64, u64> = self.begun.clone();
        for (attempt, fates) in &mut self.log.fates {
            let at = begun.get(attempt).copied().unwrap_or(0);
            if !self.model.any_ready(at) && fates.remove(&CauseName::NoDestination) {
                fates.insert(CauseName::LocalPolicyNoEndpoint);
            }
        }
        // Slices of this Service list another node's pod as ready throughout.
        for record in &mut self.world.records {
            if let Body::EndpointSlice(seen) = &mut record.body {
                elsewhere(&mut seen.object);
            }
        }
    }

    /// What stood behind the fates: true because it was planned, and somebody met it.
    fn circumstances(&mut self) {
        let plan = &self.model.plan;
        let met = |wanted: &dyn Fn(&PodTimes, u64, u64) -> bool, log: &Log| {
            log.bad_at.iter().any(|(ended, n, sent)| {
                let pod = self.model.pod(*n);
                pod.old && wanted(pod, *sent, *ended)
            })
        };
        let mut causes = Vec::new();
        if plan.proxy_ms[0] >= 2000
            && met(&|pod, sent, _| sent >= pod.unlisted && sent < pod.unprogrammed, &self.log)
        {
            causes.push(CauseName::SlowProxy);
        }
        if plan.controller_ms[0] >= 2500
            && met(&|pod, sent, _| sent >= pod.deleted && sent < pod.unprogrammed, &self.log)
        {
            causes.push(CauseName::SlowController);
        }
        if plan.on_stop == OnStop::Exit
            && met(
                &|pod, sent, ended| (sent.max(ended) >= pod.stop) && sent < pod.net_gone,
                &self.log,
            )
        {
            causes.push(CauseName::ExitsAtOnce);
        }
        let late =
            |pod: &PodTimes| self.log.last_choice.get(&pod.n).is_some_and(|at| *at > pod.stop);
        if met(&|pod, sent, ended| late(pod) && (sent >= pod.stop || ended >= pod.stop), &self.log)
        {
            causes.push(CauseName::PreStopTooShort);
        }
        let alone = |pod: &PodTimes, sent: u64| {
            sent >= pod.unlisted && sent < pod.net_gone + 100 * MS && !self.model.any_ready(sent)
        };
        if plan.recreate && met(&|pod, sent, _| alone(pod, sent), &self.log) {
            causes.push(CauseName::Intended);
        }
        self.log.causes.extend(causes);
        let of_attempts: Vec<CauseName> = self.log.fates.values().flatten().copied().collect();
        self.log.causes.extend(of_attempts);
    }
}

fn elsewhere(slice: &mut EndpointSlice) {
    let uid = "uid-elsewhere".to_owned();
    if slice.endpoints.iter().any(|endpoint| endpoint.pod_uid.as_ref() == Some(&uid)) {
        return;
    }
    slice.endpoints.push(rollout::record::cluster::Endpoint {
        addresses: vec![ip(240)],
        pod_uid: Some(uid),
        pod_name: Some("serv-elsewhere".into()),
        node: Some("node2".into()),
        ready: true,
        serving: true,
        terminating: false,
    });
}
