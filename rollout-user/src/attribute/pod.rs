//! The life of one pod: which states were possible at which time, and when it held which address.
//!
//! In: the pod's versions, the clock, the state of the watches. Out: runs of states with overlapping bounds.

use super::clock::ClockMap;
use super::slice::SLICES;
use super::sync::Sync;
use super::tag::{PodState, StateAt};
use super::versions::{Sighting, Step, Versions, WATCH_LAG_NS};
use crate::record::cluster::{Observed, Pod};
use std::net::IpAddr;

/// The resource's name in `WatchState`.
pub(super) const PODS: &str = "pods";

/// How long the sandbox of a pod that was removed by force may outlive its object, ns.
pub(super) const LINGER_NS: u64 = 60_000_000_000;

/// What a version of a pod contributes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct PodFacts {
    pub created: Option<i64>,
    pub updated: Option<i64>,
    pub ips: Vec<IpAddr>,
    pub ready: bool,
    pub ready_changed: Option<i64>,
    /// Unix seconds, rounded down.
    pub deletion_requested: Option<i64>,
    pub deleting: bool,
    pub finished: bool,
    /// When the last container ended, if all have.
    pub containers_ended: Option<i64>,
    /// No container has ever run: it cannot have been ready before.
    pub untouched: bool,
}

impl PodFacts {
    fn of(pod: &Pod) -> Self {
        let grace = pod.meta.deletion_grace_seconds.or(pod.grace_seconds);
        let ended: Option<Vec<i64>> = pod.containers.iter().map(|one| one.finished).collect();
        let touched = |one: &crate::record::cluster::Container| {
            one.started.is_some() || one.finished.is_some() || one.restarts > 0
        };
        Self {
            created: pod.meta.created,
            updated: pod.meta.updated,
            ips: pod.ips.clone(),
            ready: pod.ready,
            ready_changed: pod.ready_changed,
            deletion_requested: match (pod.meta.deletion_timestamp, grace) {
                (Some(at), Some(grace)) => Some(at.saturating_sub(grace)),
                _ => None,
            },
            deleting: pod.meta.deletion_timestamp.is_some(),
            finished: matches!(pod.phase.as_str(), "Succeeded" | "Failed"),
            containers_ended: ended.and_then(|times| times.into_iter().max()),
            untouched: !pod.ready && !pod.containers.iter().any(touched),
        }
    }
}

/// Clock and watches, as far as a pod's life depends on them.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub clock: &'a ClockMap,
    pub sync: &'a Sync,
    /// This pod's watches.
    pub scopes: &'a [String],
    /// Time of the last record, ns.
    pub last_ns: u64,
}

impl Context<'_> {
    /// Whether a version between two sightings can have gone unseen.
    fn may_have_missed(&self, from_ns: u64, to_ns: u64) -> bool {
        let mut losses = self.sync.lost_observations(PODS, from_ns, to_ns);
        let lost = losses.next().is_some();
        lost || !self.watched_throughout(from_ns, to_ns) || self.listed(to_ns)
    }

    /// The same for a slice.
    pub fn missed_slices(&self, from_ns: u64, to_ns: u64) -> bool {
        let sync = self.sync;
        let mut losses = sync.lost_observations(SLICES, from_ns, to_ns);
        let lost = losses.next().is_some();
        let mut scopes = sync.scopes(SLICES);
        lost || !scopes.any(|scope| sync.in_sync_throughout(SLICES, scope, from_ns, to_ns))
    }

    /// Whether the version that arrived then may have come with a first list, which tells of no versions between.
    fn listed(&self, arrival_ns: u64) -> bool {
        let until = arrival_ns.saturating_add(WATCH_LAG_NS);
        self.scopes.iter().any(|scope| self.sync.listed_between(PODS, scope, arrival_ns, until))
    }

    fn watched_throughout(&self, from_ns: u64, to_ns: u64) -> bool {
        self.scopes.iter().any(|scope| self.sync.in_sync_throughout(PODS, scope, from_ns, to_ns))
    }
}

/// A time during which the pod was in one state, with bounds for its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The state; several where a version cannot tell, in order.
    pub states: &'static [PodState],
    /// It began after this, ns.
    pub not_before_ns: u64,
    /// It, or a later one, had begun at this time, ns.
    pub seen_ns: u64,
    /// Record id.
    pub id: u64,
}

impl Run {
    /// Whether it is this state and no other.
    pub fn is(&self, state: PodState) -> bool {
        self.states == [state]
    }
}

/// What a pod may have been before it was first seen, in order of a pod's life.
pub(super) const UNSEEN: &[PodState] = &[
    PodState::Starting,
    PodState::Ready,
    PodState::NotReady,
    PodState::Terminating,
    PodState::Finished,
];
/// Not ready, and whether it ever was is not known.
pub(super) const UNREADY: &[PodState] = &[PodState::Starting, PodState::NotReady];

/// When a pod held an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// It can have had it from here on.
    pub possible_from_ns: u64,
    /// It had it from here …
    pub sure_from_ns: u64,
    /// … until here.
    pub sure_until_ns: u64,
    /// After this it had given it up.
    pub possible_until_ns: u64,
}

/// A pod's life, derived from all of its versions.
#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    pub runs: Vec<Run>,
    /// The object came into being after this, ns.
    pub created_ns: u64,
    /// Sorted, by address.
    pub claims: Vec<(IpAddr, Claim)>,
    /// Times at which versions may have been lost, sorted.
    pub blind: Vec<(u64, u64)>,
    /// From here on nothing tells its state, ns (a pod that is known from slices, and left them).
    pub lost_sight_ns: Option<u64>,
}

/// States that are possible at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Possible {
    pub states: Vec<PodState>,
    pub blind: bool,
}

impl Possible {
    /// One state, or between the first and the last possible one.
    pub fn state(&self) -> Option<StateAt> {
        let from = *self.states.first()?;
        let last = *self.states.last()?;
        let other = self.states.iter().copied().find(|state| *state != from);
        Some(match other {
            None => StateAt::Is(from),
            Some(other) => StateAt::Changing { from, to: if last == from { other } else { last } },
        })
    }
}

impl Life {
    /// Whether the pod's sandbox can have existed then, and held an address: after the object, too.
    pub fn may_run_at(&self, time_ns: u64) -> bool {
        let gone = self.runs.iter().find(|run| run.is(PodState::Gone));
        let until = gone.map_or(u64::MAX, |run| run.seen_ns.saturating_add(LINGER_NS));
        self.created_ns <= time_ns && time_ns <= until
    }

    /// What was possible at `time_ns`. Empty: the pod did not exist yet.
    pub fn at(&self, time_ns: u64) -> Possible {
        let begun = self.runs.partition_point(|run| run.not_before_ns <= time_ns);
        // A run is over for sure once the next one has been seen.
        let over = self.runs.partition_point(|run| run.seen_ns <= time_ns).saturating_sub(1);
        let lost_sight = self.lost_sight_ns.is_some_and(|from| time_ns >= from);
        let runs = self.runs.get(over..begun.max(over)).filter(|_| !lost_sight).unwrap_or_default();
        let mut states = Vec::new();
        for run in runs {
            for state in run.states {
                if states.last() != Some(state) {
                    states.push(*state);
                }
            }
        }
        let blind = self.blind.iter().any(|(from, to)| *from <= time_ns && time_ns <= *to);
        Possible { states, blind }
    }
}

/// A pod's versions.
#[derive(Debug, Clone, Default)]
pub(super) struct PodHistory {
    pub versions: Versions<PodFacts>,
}

impl PodHistory {
    pub fn observe(&mut self, time_ns: u64, id: u64, observed: &Observed<Pod>) {
        let pod = &observed.object;
        let sighting = Sighting { arrival_ns: time_ns, id };
        let version = &pod.meta.resource_version;
        self.versions.insert(version, observed.present, sighting, PodFacts::of(pod));
    }

    /// Derives the pod's life.
    pub fn life(&self, context: Context<'_>) -> Life {
        let steps = self.versions.steps();
        let Some(first) = steps.first() else { return Life::default() };
        let created = steps.iter().find_map(|step| step.value.created);
        let created_ns = created.and_then(|at| context.clock.not_before(at)).unwrap_or(0);
        let mut runs = vec![];
        if !first.value.untouched || !first.present {
            // What came before the first version was not seen.
            let states = unseen(first);
            runs.push(Run { states, not_before_ns: created_ns, seen_ns: 0, id: first.id });
        }
        let mut was_ready = Before::new(first);
        let mut before: Option<&Step<'_, PodFacts>> = None;
        for step in &steps {
            let missed =
                before.is_some_and(|before| context.may_have_missed(before.last_ns, step.seen_ns));
            let states = was_ready.states(step, missed);
            let same = runs.last().is_some_and(|run: &Run| run.states == states);
            if !same || before.is_none() {
                let own = states.first().and_then(|state| own_time(step, *state, context.clock));
                let lower = match before {
                    None => own.unwrap_or(created_ns).max(created_ns),
                    Some(_) => own.unwrap_or(step.after_ns).max(created_ns),
                };
                // A timestamp later than the sighting comes from a clock that is ahead: worth nothing.
                let lower =
                    if lower > step.seen_ns { step.after_ns.max(created_ns) } else { lower };
                let not_before_ns = lower.min(step.seen_ns);
                runs.push(Run { states, not_before_ns, seen_ns: step.seen_ns, id: step.id });
            }
            before = Some(step);
        }
        let mut lowest = u64::MAX;
        for run in runs.iter_mut().rev() {
            lowest = lowest.min(run.not_before_ns);
            run.not_before_ns = lowest;
        }
        let mut blind = blind(&steps, context.sync, PODS, context.last_ns);
        for pair in steps.windows(2) {
            if let [before, step] = pair
                && context.listed(step.seen_ns)
            {
                blind.push((before.last_ns.max(step.after_ns), step.seen_ns));
            }
        }
        blind.sort_unstable();
        let claims = claims(&steps, &runs, created_ns, &blind, context);
        Life { runs, created_ns, claims, blind, lost_sight_ns: None }
    }
}

/// What the pod may have been before the first version: nothing that comes after what it was then.
fn unseen(first: &Step<'_, PodFacts>) -> &'static [PodState] {
    let possible = match (first.present, first.value.finished) {
        (false, _) => 5,
        (true, true) => 4,
        (true, false) => 3,
    };
    UNSEEN.get(..possible).unwrap_or(UNSEEN)
}

/// Remembers whether the pod can have been ready before a version.
struct Before {
    ready: bool,
    unsure: bool,
}

impl Before {
    fn new(first: &Step<'_, PodFacts>) -> Self {
        Self { ready: false, unsure: !first.value.untouched }
    }

    fn states(&mut self, step: &Step<'_, PodFacts>, missed: bool) -> &'static [PodState] {
        let facts = step.value;
        self.unsure |= missed && !facts.untouched;
        if !step.present {
            return &[PodState::Gone];
        }
        if facts.finished {
            return &[PodState::Finished];
        }
        if facts.deleting {
            return &[PodState::Terminating];
        }
        if facts.ready {
            self.ready = true;
            return &[PodState::Ready];
        }
        match (self.ready, self.unsure) {
            (true, _) => &[PodState::NotReady],
            (false, true) => UNREADY,
            (false, false) => &[PodState::Starting],
        }
    }
}

/// Lower bound from the API's own timestamp of this very change, where there is one.
fn own_time(step: &Step<'_, PodFacts>, state: PodState, clock: &ClockMap) -> Option<u64> {
    let facts = step.value;
    let at = |seconds: Option<i64>| seconds.and_then(|seconds| clock.not_before(seconds));
    let updated = at(facts.updated);
    match state {
        PodState::Ready | PodState::NotReady => at(facts.ready_changed).or(updated),
        PodState::Starting => updated,
        PodState::Terminating => at(facts.deletion_requested).or(updated),
        PodState::Finished => at(facts.containers_ended).or(updated),
        // An object goes after its last update, and after its containers have ended.
        PodState::Gone => at(facts.containers_ended).max(updated).max(Some(step.after_ns)),
    }
}

/// Where versions may have been lost: from the version before a loss to the one after it. A lost version's interval
/// begins like any other's: at the arrival of the version before it.
pub(super) fn blind<T>(
    steps: &[Step<'_, T>],
    sync: &Sync,
    resource: &str,
    last_ns: u64,
) -> Vec<(u64, u64)> {
    let mut blind = Vec::new();
    let begin = |before: &Step<'_, T>, since: u64| {
        before.last_ns.min(since.max(before.last_ns).saturating_sub(WATCH_LAG_NS))
    };
    for pair in steps.windows(2) {
        let [before, step] = pair else { continue };
        for (since, _) in sync.lost_observations(resource, before.last_ns, step.seen_ns) {
            blind.push((begin(before, since), step.seen_ns));
        }
    }
    if let Some(last) = steps.last().filter(|last| last.present) {
        for (since, until) in sync.lost_observations(resource, last.last_ns, u64::MAX) {
            // A loss up to the recording's end cuts it short, and takes nothing from the time before.
            let at_end = until >= last_ns;
            let cut_short = since.saturating_sub(WATCH_LAG_NS);
            blind.push((if at_end { cut_short } else { begin(last, since) }, u64::MAX));
        }
    }
    blind.sort_unstable();
    blind
}

/// Where the first version that hints at the address's end follows a hole, the end may lie in that hole, or as far
/// before it as a version in it would have reached back.
fn before_unseen_change(
    steps: &[Step<'_, PodFacts>],
    with: &dyn Fn(&&Step<'_, PodFacts>) -> bool,
    context: Context<'_>,
) -> u64 {
    let holds = |step: &Step<'_, PodFacts>| {
        step.present && !step.value.deleting && !step.value.finished && with(&step)
    };
    if !steps.iter().any(holds) {
        return 0;
    }
    let hint = steps.windows(2).find_map(|pair| match pair {
        [before, step] if holds(before) && !holds(step) => Some((before, step)),
        _ => None,
    });
    match hint {
        Some((before, step)) if context.may_have_missed(before.last_ns, step.seen_ns) => {
            before.last_ns.saturating_sub(2 * WATCH_LAG_NS)
        }
        _ => u64::MAX,
    }
}

/// From here on later versions may have been lost up to the end, ns.
pub(super) fn lost_tail(blind: &[(u64, u64)]) -> u64 {
    let tails = blind.iter().filter(|(_, to)| *to == u64::MAX);
    tails.map(|(from, _)| *from).min().unwrap_or(u64::MAX)
}

/// When the pod held which address. It can have had it since its creation (the runtime assigns it before the API
/// knows); it gives it up when its containers have ended at the earliest.
fn claims(
    steps: &[Step<'_, PodFacts>],
    runs: &[Run],
    created_ns: u64,
    blind: &[(u64, u64)],
    context: Context<'_>,
) -> Vec<(IpAddr, Claim)> {
    let mut addresses: Vec<IpAddr> = steps.iter().flat_map(|step| step.value.ips.clone()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let end = runs.iter().find(|run| run.is(PodState::Finished) || run.is(PodState::Gone));
    let terminating = runs.iter().find(|run| run.is(PodState::Terminating));
    let ended = steps.iter().rev().find_map(|step| step.value.containers_ended);
    let ended_ns = ended.and_then(|at| context.clock.not_before(at));
    // The version that tells of the end, had it come, would reach back as far (see `before_unseen_change`).
    let cut = context.sync.blind_tail(PODS, context.scopes.iter().map(String::as_str));
    let tail = match lost_tail(blind).min(cut) {
        u64::MAX => u64::MAX,
        tail => tail.saturating_sub(2 * WATCH_LAG_NS),
    };
    let mut claims = Vec::new();
    for address in addresses {
        let with = |step: &&Step<'_, PodFacts>| step.value.ips.contains(&address);
        let Some(sure_from_ns) = steps.iter().filter(with).map(|step| step.seen_ns).min() else {
            continue;
        };
        let last_with = steps.iter().rposition(|step| with(&step)).unwrap_or(0);
        let moved = steps.get(last_with + 1).filter(|next| next.present && !next.value.finished);
        // What the status says of a sandbox that is gone comes late, too.
        let before = |ns: u64| ns.saturating_sub(WATCH_LAG_NS);
        let (released, gone_ns) = match (moved, end) {
            (Some(next), _) => (before(next.after_ns), next.seen_ns),
            (None, Some(end)) => {
                let deletion = terminating.map(|run| run.not_before_ns);
                let teardown = ended_ns.or(deletion).unwrap_or(before(end.not_before_ns));
                (teardown.min(end.not_before_ns), end.seen_ns)
            }
            (None, None) => (u64::MAX, u64::MAX),
        };
        let released = match (moved, end, ended_ns) {
            (None, None, _) if tail == u64::MAX => released,
            (None, Some(_), Some(_)) => released,
            _ => released.min(before_unseen_change(steps, &with, context)),
        };
        let claim = Claim {
            possible_from_ns: created_ns.min(sure_from_ns),
            sure_from_ns,
            sure_until_ns: if end.is_some() { released } else { released.min(tail) },
            possible_until_ns: gone_ns,
        };
        claims.push((address, claim));
    }
    claims
}
