//! What a rule is: whether it explains an attempt, what it says of all that it explains, and its rivals.
//!
//! In: nothing. Out: [`Rule`], and the small words that rules are written in.

use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::life::{PodLife, When};
use std::collections::{BTreeMap, BTreeSet};

/// Pods that signs name; the others are counted.
const NAMED: usize = 3;

/// One cause's rule.
pub struct Rule {
    /// The cause.
    pub name: CauseName,
    /// Whether it is what went wrong with an attempt first.
    pub fits: fn(&Case<'_>, &Hit<'_>) -> Option<Fit>,
    /// Whether it made an attempt worse that another cause explains first.
    pub also: fn(&Case<'_>, &Hit<'_>) -> bool,
    /// What shows it.
    pub signs: fn(&Case<'_>, &[Hit<'_>]) -> Vec<Sign>,
    /// What to do; `None`: nothing in the workload's hands.
    pub remedy: fn(&Case<'_>, &[Hit<'_>]) -> Option<Remedy>,
    /// Causes that look alike.
    pub rivals: &'static [Rival],
}

/// A cause that looks alike, and what would show it.
pub struct Rival {
    /// Which one.
    pub cause: CauseName,
    /// The fact whose hook would have told; empty where none is needed.
    pub needs: &'static str,
    /// What is said when it did not tell.
    pub absent: &'static str,
}

/// A rule explains an attempt.
pub struct Fit {
    /// How sure.
    pub surety: Surety,
    /// Records that say so, besides those of the attempt.
    pub evidence: Vec<u64>,
}

/// For rules that never explain an attempt second.
pub fn never(_: &Case<'_>, _: &Hit<'_>) -> bool {
    false
}

/// A fit whose certainty is that of a moment: in an interval it is `likely`. None where the moment had not come.
pub fn by_then(when: When, evidence: impl IntoIterator<Item = u64>) -> Option<Fit> {
    let surety = match when {
        When::Surely => Surety::Proven,
        When::Perhaps => Surety::Likely,
        When::Not => return None,
    };
    Some(Fit { surety, evidence: evidence.into_iter().collect() })
}

/// A sign; a record that says so twice is cited once.
pub fn sign(text: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Sign {
    let mut cited = BTreeSet::new();
    let evidence = evidence.into_iter().filter(|id| cited.insert(*id)).collect();
    Sign { text: text.into(), evidence }
}

/// One sign for each pod that the hits met, those with most hits first; pods beyond a few are counted.
pub fn by_pod(hits: &[Hit<'_>], say: impl Fn(&PodLife, usize) -> Option<Sign>) -> Vec<Sign> {
    let mut pods: BTreeMap<&str, (&PodLife, usize)> = BTreeMap::new();
    for life in hits.iter().filter_map(|hit| hit.life) {
        pods.entry(&life.pod.uid).or_insert((life, 0)).1 += 1;
    }
    let mut pods: Vec<_> = pods.into_values().collect();
    pods.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.pod.cmp(&b.0.pod)));
    let rest = pods.len().saturating_sub(NAMED);
    let mut signs: Vec<Sign> =
        pods.into_iter().take(NAMED).filter_map(|(life, count)| say(life, count)).collect();
    if rest > 0 {
        signs.push(sign(format!("the same of {rest} more pods"), []));
    }
    signs
}

/// A pod's name; its UID where the cluster told no name.
pub fn name(life: &PodLife) -> &str {
    if life.pod.name.is_empty() { &life.pod.uid } else { &life.pod.name }
}

/// `1 SYN`, `2 SYNs`.
pub fn number(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A remedy without a patch.
pub fn advice(text: impl Into<String>) -> Option<Remedy> {
    Some(Remedy { text: text.into(), patch: None })
}
