//! The `preStop` sleep that would have covered every late backend choice: measured on the old pods of an update.
//!
//! In: last backend choices, lives of old pods. Out: [`PreStop`]. What a pod needed is `last choice − (stop signal − the sleep
//! that it has)`: kubelet begins with the sleep and then sends the signal, so this counts from kubelet's beginning.

use super::base::TimeBase;
use super::causes::life::PodLife;
use super::facts::Facts;
use super::report::attempt::Role;
use super::report::pre_stop::{Need, PreStop};
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
/// What is added at least: kube-proxy's usual `minSyncPeriod`.
const LEAST_MARGIN_NS: u64 = SECOND_NS;

/// Computes it; `None` where of no old pod both the stop signal and the last choice were seen.
pub fn pre_stop(
    lives: &BTreeMap<String, PodLife>,
    last_choices: &BTreeMap<String, (u64, u64)>,
    facts: &Facts,
    base: &TimeBase,
) -> Option<PreStop> {
    let old: Vec<&PodLife> = lives.values().filter(|life| life.role == Some(Role::Old)).collect();
    // Where the recording ends before, the pod may have been chosen later still.
    let over = |life: &&&PodLife| {
        facts.ended_regularly() || life.unprogrammed.is_some() || life.gone.is_some()
    };
    let mut pods: Vec<Need> = old
        .iter()
        .filter(over)
        .filter_map(|life| need(life, last_choices.get(&life.pod.uid), base))
        .collect();
    pods.sort_by(|a, b| (a.need_ns, &a.pod).cmp(&(b.need_ns, &b.pod)));
    let needs = || pods.iter().map(|need| need.need_ns);
    let (least_ns, most_ns) = (needs().min()?, needs().max()?);
    let median_ns = needs().nth(pods.len() / 2)?;
    // Of n pods seen, the next one exceeds the largest need with a chance of one in n + 1; and the more they differ, the
    // less they show of what the next one needs.
    let seen = u64::try_from(pods.len()).unwrap_or(u64::MAX);
    let unseen_ns = most_ns / seen.saturating_add(1);
    let margin_ns = LEAST_MARGIN_NS.max(most_ns.saturating_sub(median_ns)).max(unseen_ns);
    let seconds = most_ns.saturating_add(margin_ns).div_ceil(SECOND_NS);
    let has_seconds = old.iter().filter_map(|life| life.spec.pre_stop_sleep_seconds).max();
    let grace_seconds = old.iter().filter_map(|life| life.spec.grace_seconds).max();
    let shutdowns =
        old.iter().filter_map(|life| life.exit?.seen_ns.checked_sub(life.stop?.seen_ns));
    let shutdown_ns = shutdowns.max();
    let needs_grace_seconds =
        seconds.saturating_add(shutdown_ns.unwrap_or(0).div_ceil(SECOND_NS)).saturating_add(1);
    let fits = grace_seconds.map(|grace| needs_grace_seconds <= grace);
    let grace = grace_seconds.filter(|_| fits == Some(false)).map(|_| needs_grace_seconds);
    let not_known = (old.len() - pods.len()) as u64;
    let containers = containers(&old);
    Some(PreStop {
        pods,
        not_known,
        least_ns,
        median_ns,
        most_ns,
        margin_ns,
        seconds,
        has_seconds,
        grace_seconds,
        shutdown_ns,
        needs_grace_seconds,
        fits,
        patch: patch(&containers, seconds, grace),
        containers,
    })
}

fn need(life: &PodLife, last: Option<&(u64, u64)>, base: &TimeBase) -> Option<Need> {
    let (stop, (last_ns, evidence)) = (life.stop?, *last?);
    Some(Need {
        pod: life.pod.clone(),
        last_choice: base.at(last_ns),
        last_choice_evidence: evidence,
        stop_signal: base.at(stop.seen_ns),
        stop_signal_evidence: stop.evidence,
        has_seconds: life.spec.pre_stop_sleep_seconds.unwrap_or(0),
        need_ns: last_ns.saturating_sub(life.stop_began_ns()?),
    })
}

/// Names of the containers that listen; one of them is enough to hold the pod, but each is stopped by itself.
fn containers(old: &[&PodLife]) -> Vec<String> {
    let mut names: Vec<String> =
        old.iter().flat_map(|life| life.containers.iter().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// A strategic merge patch of the pod template.
fn patch(containers: &[String], seconds: u64, grace: Option<u64>) -> String {
    let sleep = serde_json::json!({ "preStop": { "sleep": { "seconds": seconds } } });
    let containers: Vec<serde_json::Value> = containers
        .iter()
        .map(|name| serde_json::json!({ "name": name, "lifecycle": sleep }))
        .collect();
    let mut spec = serde_json::json!({ "containers": containers });
    if let (Some(grace), Some(spec)) = (grace, spec.as_object_mut()) {
        spec.insert("terminationGracePeriodSeconds".to_owned(), grace.into());
    }
    serde_json::json!({ "spec": { "template": { "spec": spec } } }).to_string()
}
