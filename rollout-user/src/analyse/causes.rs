//! Why: each bad attempt is explained by one rule first, then what stands behind those explanations.
//!
//! In: a [`Case`]. Out: [`Cause`]s: those of connects, dearest first, then what stands behind them. A rule is a small file of its own: the evidence that it needs, what rules
//! it out, its rivals, its remedy. Loss and blindness only ever lower a cause's surety.

mod black_hole;
mod case;
mod circumstance;
mod client_gave_up;
mod cni_cut_early;
mod conntrack_invalid;
mod conntrack_table;
mod cost;
mod dropped_in_ipvs;
pub mod endpoints;
mod exits_at_once;
mod flow_cut_at_removal;
mod grace_overrun;
mod host_unreachable;
mod keep_alive_race;
mod late_syn;
pub mod life;
mod listener_closed_first;
mod local_policy;
mod no_destination;
mod not_sent;
mod ready_before_listening;
mod reuse;
mod rule;
pub mod server;
mod stale_upstream;
mod surge_overload;
mod unaccepted_reset;
mod wrong_pod;

use super::report::cause::{Cause, CauseName, RuledOut, Surety};
use super::report::pre_stop::PreStop;
use super::report::verdict::{Doubt, Verdict};
pub use case::Case;
use case::Hit;
use rule::{Fit, Rule};
use std::collections::{BTreeMap, BTreeSet};

/// Every rule, in order: of two that fit an attempt equally well, the earlier one says more.
const RULES: [Rule; 23] = [
    wrong_pod::FAILED_POD,
    wrong_pod::STALE,
    not_sent::RULE,
    local_policy::RULE,
    no_destination::RULE,
    conntrack_table::FULL,
    conntrack_table::RACE,
    reuse::DROP,
    reuse::WEIGHT_ZERO,
    stale_upstream::RULE,
    ready_before_listening::RULE,
    listener_closed_first::RULE,
    conntrack_invalid::RULE,
    grace_overrun::RULE,
    exits_at_once::RULE,
    unaccepted_reset::RULE,
    keep_alive_race::RULE,
    flow_cut_at_removal::RULE,
    surge_overload::RULE,
    host_unreachable::RULE,
    cni_cut_early::RULE,
    black_hole::RULE,
    late_syn::RULE,
];

/// Rules of SYNs that nothing answered: they also explain why an attempt waited before its deciding SYN.
const SILENT: [Rule; 4] =
    [surge_overload::RULE, cni_cut_early::RULE, black_hole::RULE, late_syn::RULE];

/// Rules that explain what no other does.
const LAST: [Rule; 2] = [dropped_in_ipvs::RULE, client_gave_up::RULE];

/// Finds every cause.
pub fn causes(case: &Case<'_>, verdict: &Verdict, pre_stop: Option<&PreStop>) -> Vec<Cause> {
    let hits = case.hits();
    let mut causes = single(case, &hits);
    let late = circumstance::late(&hits, &causes);
    let behind = [
        circumstance::intended::find(case, &late),
        circumstance::slow_proxy::find(case, &late),
        circumstance::slow_controller::find(case, &late),
        circumstance::pre_stop::find(case, &late, pre_stop),
        circumstance::cascade::find(case, &hits),
    ];
    let behind: Vec<Cause> =
        behind.into_iter().filter_map(|found| found.cause(case, &causes)).collect();
    causes.extend(behind);
    for found in circumstance::wrong_pod::find(case) {
        match causes.iter_mut().find(|cause| cause.name == found.name) {
            Some(cause) => cause.cost.misdirected += found.hits.len() as u64,
            None => causes.extend(found.cause(case, &[])),
        }
    }
    if verdict.doubts.iter().any(weakens) {
        causes.iter_mut().for_each(|cause| cause.surety = Surety::Possible);
    }
    causes.extend(circumstance::blindness::find(case, verdict));
    causes.sort_by_key(|cause| (cause.name.is_behind(), std::cmp::Reverse(bad(cause)), cause.name));
    causes
}

fn bad(cause: &Cause) -> u64 {
    cause.cost.failed + cause.cost.slowed + cause.cost.misdirected
}

/// Whether a doubt may hide a sign that would speak for another cause.
fn weakens(doubt: &Doubt) -> bool {
    matches!(doubt, Doubt::Lost { .. } | Doubt::WatchCut { .. } | Doubt::HooksUnknown)
}

/// Who explains an attempt: the rule that fits best, and the others that fit.
struct Explained<'a> {
    hit: Hit<'a>,
    fit: Fit,
    others: Vec<CauseName>,
}

/// The causes of single attempts.
fn single(case: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Cause> {
    let mut by_rule: BTreeMap<CauseName, Vec<Explained<'_>>> = BTreeMap::new();
    let mut unexplained: Vec<Hit<'_>> = Vec::new();
    for hit in hits {
        match explain(case, hit) {
            Some((name, explained)) => by_rule.entry(name).or_default().push(explained),
            None => unexplained.push(*hit),
        }
    }
    let waits: BTreeMap<usize, BTreeSet<CauseName>> =
        hits.iter().map(|hit| (hit.position, waits(case, hit))).collect();
    let waited = |rule: &Rule, hit: &Hit<'_>| {
        waits.get(&hit.position).is_some_and(|names| names.contains(&rule.name))
    };
    let mut causes = Vec::new();
    for rule in RULES.iter().chain(&LAST) {
        let first = by_rule.remove(&rule.name).unwrap_or_default();
        let explained: BTreeSet<usize> = first.iter().map(|one| one.hit.position).collect();
        let also = |hit: &&Hit<'_>| (rule.also)(case, hit) || waited(rule, hit);
        let second = hits.iter().filter(|hit| !explained.contains(&hit.position)).filter(also);
        let second: Vec<Hit<'_>> = second.copied().collect();
        causes.extend(of_rule(case, rule, first, second));
    }
    let text = format!("no rule explains {}", rule::number(unexplained.len(), "attempt"));
    let evidence = unexplained.iter().flat_map(Hit::evidence).take(5);
    let signs = vec![rule::sign(text, evidence)];
    causes.extend(cost::cause(case, CauseName::Unexplained, Surety::Possible, &unexplained, signs));
    causes
}

/// Why the SYNs beside the deciding one got no answer.
fn waits(case: &Case<'_>, hit: &Hit<'_>) -> BTreeSet<CauseName> {
    let deciding = hit.syn.map(|syn| syn.at.time_ns);
    let others = hit.attempt.syns.iter().filter(|syn| Some(syn.at.time_ns) != deciding);
    let first = |syn| {
        let other = case.hit_of(hit, syn);
        SILENT.iter().find(|rule| (rule.fits)(case, &other).is_some()).map(|rule| rule.name)
    };
    others.filter_map(first).collect()
}

fn explain<'a>(case: &Case<'_>, hit: &Hit<'a>) -> Option<(CauseName, Explained<'a>)> {
    let fit = |rule: &Rule| Some((rule.name, (rule.fits)(case, hit)?));
    let mut fits: Vec<(CauseName, Fit)> = RULES.iter().filter_map(fit).collect();
    if fits.is_empty() {
        fits.extend(LAST.iter().filter_map(fit).take(1));
    }
    // What is merely possible gives way to what was seen.
    let best = fits.iter().position(|(_, fit)| fit.surety < Surety::Possible).unwrap_or(0);
    if fits.is_empty() {
        return None;
    }
    let (name, fit) = fits.remove(best);
    let others = fits.into_iter().map(|(name, _)| name).collect();
    Some((name, Explained { hit: *hit, fit, others }))
}

fn of_rule(
    case: &Case<'_>,
    rule: &Rule,
    first: Vec<Explained<'_>>,
    second: Vec<Hit<'_>>,
) -> Option<Cause> {
    let mut hits: Vec<Hit<'_>> = first.iter().map(|one| one.hit).collect();
    hits.extend(second);
    hits.sort_by_key(|hit| hit.position);
    let best = first.iter().map(|one| one.fit.surety).min();
    let sure = hits.iter().any(Hit::is_sure);
    let seen = if sure { Surety::Proven } else { Surety::Likely };
    let mut surety = best.unwrap_or(seen);
    let mut signs = (rule.signs)(case, &hits);
    let evidence: BTreeSet<u64> = first
        .iter()
        .flat_map(|one| one.fit.evidence.iter().copied().chain(one.hit.evidence()))
        .collect();
    if let Some(sign) = signs.first_mut() {
        let known: BTreeSet<u64> = sign.evidence.iter().copied().collect();
        sign.evidence.extend(evidence.difference(&known).take(EVIDENCE));
    }
    let mut competing: BTreeSet<CauseName> =
        first.iter().flat_map(|one| one.others.iter().copied()).collect();
    let mut ruled_out = Vec::new();
    for rival in rule.rivals {
        if competing.contains(&rival.cause) {
            continue;
        }
        if case.sees(rival.needs) {
            let why = rival.absent.to_owned();
            ruled_out.push(RuledOut { cause: rival.cause, why });
        } else {
            competing.insert(rival.cause);
            surety = surety.max(Surety::Likely);
        }
    }
    let mut cause = cost::cause(case, rule.name, surety, &hits, signs)?;
    cause.competing = competing.into_iter().collect();
    cause.ruled_out = ruled_out;
    cause.remedy = (rule.remedy)(case, &hits);
    Some(cause)
}

/// Records of single attempts that a cause's first sign cites; the attempts themselves name theirs.
const EVIDENCE: usize = 20;
