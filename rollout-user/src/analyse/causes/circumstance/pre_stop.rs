//! `preStop` is missing, or shorter than the balancer needs to stop choosing the pod.
//!
//! Evidence: backend choices that fell on the pod after its stop signal. Ruled out where no choice came so late. It comes
//! beside what made the balancer slow: a sleep covers that, whatever it is.

use super::super::super::report::cause::{CauseName, Remedy, Surety};
use super::super::super::report::duration::duration;
use super::super::super::report::pre_stop::PreStop;
use super::super::case::{Case, Hit};
use super::super::life::PodLife;
use super::super::rule::{by_pod, name, number, sign};
use super::Behind;

/// Looks for it.
pub fn find<'a>(_: &Case<'_>, hits: &[Hit<'a>], pre_stop: Option<&PreStop>) -> Behind<'a> {
    let need = |life: &PodLife| {
        let needs = pre_stop.into_iter().flat_map(|found| &found.pods);
        needs
            .into_iter()
            .find(|need| need.pod.uid == life.pod.uid && is_short(need.need_ns, need.has_seconds))
    };
    let late = |hit: &&Hit<'_>| {
        let Some(life) = hit.life.filter(|life| need(life).is_some()) else { return false };
        let Some(stop) = life.stop else { return false };
        hit.time_ns() >= stop.seen_ns || hit.ended_ns().is_some_and(|ended| ended >= stop.seen_ns)
    };
    let hits: Vec<Hit<'a>> = hits.iter().filter(late).copied().collect();
    let signs = by_pod(&hits, |life, count| {
        let need = need(life)?;
        let has = match (life.spec.pre_stop_sleep_seconds, life.spec.has_other_pre_stop) {
            (Some(seconds), _) => format!("has a preStop sleep of {seconds} s"),
            (None, true) => {
                format!("has a preStop hook that took {}", duration(life.pre_stop_ns()))
            }
            (None, false) => "has no preStop".to_owned(),
        };
        let needs = duration(need.need_ns);
        let all = number(count, "bad attempt");
        let text = format!(
            "{} {has} and was still chosen {needs} after it began to stop: {all}",
            name(life)
        );
        Some(sign(text, [need.stop_signal_evidence, need.last_choice_evidence]))
    });
    let remedy = pre_stop.map(|found| Remedy {
        text: format!("set preStop.sleep to {} s{}", found.seconds, grace(found)),
        patch: Some(found.patch.clone()),
    });
    let surety = if hits.iter().any(Hit::is_sure) { Surety::Proven } else { Surety::Likely };
    Behind { name: CauseName::PreStopTooShort, surety, hits, signs, remedy }
}

/// Whether the sleep was over before the last choice.
fn is_short(need_ns: u64, has_seconds: u64) -> bool {
    need_ns > has_seconds.saturating_mul(1_000_000_000)
}

fn grace(found: &PreStop) -> String {
    match found.fits {
        Some(false) => {
            format!(", and terminationGracePeriodSeconds to {}", found.needs_grace_seconds)
        }
        _ => String::new(),
    }
}
