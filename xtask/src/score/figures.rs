//! Figures of many runs. Comes in: for each run what was true, what was allowed to follow, what was named. Goes out: a table.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Precision and recall that every cause is to have.
const TARGET: f64 = 0.95;

/// How often a cause was true and named, named though not true, and true though not named.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Figures {
    /// True and named.
    pub hits: u64,
    /// Named, though neither true nor allowed.
    pub false_alarms: u64,
    /// True and not named.
    pub missed: u64,
}

/// All figures of one kind of runs.
#[derive(Debug, Default, Deserialize)]
pub struct Score {
    /// The seed from which the runs follow; 0 for the lab.
    pub seed: u64,
    /// Runs.
    pub runs: u64,
    /// Runs in which nothing went wrong.
    pub healthy_runs: u64,
    /// Of these, the ones with a cause.
    pub alarms_on_healthy: u64,
    /// Attempts of which a wrong pod was named as known.
    pub wrong_pods: u64,
    /// Attempts that went badly; 0 where that is not known one by one.
    pub bad_attempts: u64,
    /// Of these, the ones of which a true reason was named.
    pub explained_attempts: u64,
    /// By cause.
    pub causes: BTreeMap<String, Figures>,
    /// Cause that was missed → what was falsely named in the same run, and how often.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Figures {
    fn precision(self) -> f64 {
        share(self.hits, self.false_alarms)
    }

    fn recall(self) -> f64 {
        share(self.hits, self.missed)
    }
}

fn share(part: u64, rest: u64) -> f64 {
    if part + rest == 0 { 1.0 } else { part as f64 / (part + rest) as f64 }
}

impl Score {
    /// Takes one run in.
    pub fn add(
        &mut self,
        expects: &BTreeSet<String>,
        allows: &BTreeSet<String>,
        named: &BTreeSet<String>,
    ) {
        self.runs += 1;
        if expects.is_empty() && allows.is_empty() {
            self.healthy_runs += 1;
            self.alarms_on_healthy += u64::from(!named.is_empty());
        }
        for cause in expects {
            let of = self.causes.entry(cause.clone()).or_default();
            if named.contains(cause) { of.hits += 1 } else { of.missed += 1 }
        }
        let alarms: Vec<&String> =
            named.iter().filter(|n| !expects.contains(*n) && !allows.contains(*n)).collect();
        for cause in &alarms {
            self.causes.entry((*cause).clone()).or_default().false_alarms += 1;
        }
        for missed in expects.difference(named) {
            let of = self.confusion.entry(missed.clone()).or_default();
            for instead in &alarms {
                *of.entry((*instead).clone()).or_default() += 1;
            }
        }
    }

    /// Whether every cause has what it is to have, with no alarm on a healthy run and no wrong pod.
    pub fn meets_target(&self) -> bool {
        let good = |of: &Figures| of.precision() >= TARGET && of.recall() >= TARGET;
        self.causes.values().all(good) && self.alarms_on_healthy == 0 && self.wrong_pods == 0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, runs, healthy_runs, alarms_on_healthy, wrong_pods, .. } = self;
        if *seed > 0 {
            writeln!(f, "Seed {seed}.")?;
        }
        writeln!(
            f,
            "{runs} runs, {healthy_runs} of them healthy: {alarms_on_healthy} false alarms on these, {wrong_pods} wrong pods."
        )?;
        if self.bad_attempts > 0 {
            let (all, right) = (self.bad_attempts, self.explained_attempts);
            writeln!(f, "{all} bad attempts, a true reason named for {right}.")?;
        }
        writeln!(f, "\n| cause | true | precision | recall |\n|---|---|---|---|")?;
        for (name, of) in &self.causes {
            let (precision, recall) = (of.precision(), of.recall());
            let mark = if precision < TARGET || recall < TARGET { " ← missed" } else { "" };
            let all = of.hits + of.missed;
            writeln!(f, "| `{name}` | {all} | {precision:.3} | {recall:.3}{mark} |")?;
        }
        let confused: Vec<_> = self.confusion.iter().collect();
        if confused.is_empty() {
            return writeln!(f, "\nNo cause was missed in any run.");
        }
        writeln!(f, "\n| missed | named falsely in the same runs |\n|---|---|")?;
        for (missed, instead) in confused {
            let words: Vec<String> =
                instead.iter().map(|(name, count)| format!("`{name}` × {count}")).collect();
            let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
            writeln!(f, "| `{missed}` | {words} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_allowed_is_neither_a_hit_nor_an_alarm() {
        let mut score = Score::default();
        score.add(&set(&["a"]), &set(&["b"]), &set(&["a", "b"]));
        assert_eq!(score.causes.get("a").copied().unwrap_or_default().hits, 1);
        assert!(!score.causes.contains_key("b"));
        assert!(score.meets_target());
        score.add(&set(&["a"]), &set(&["b"]), &set(&["c"]));
        assert!(!score.meets_target());
        assert_eq!(score.confusion.get("a").and_then(|of| of.get("c")), Some(&1));
    }

    #[test]
    fn an_alarm_on_a_healthy_run_misses_the_target() {
        let mut score = Score::default();
        score.add(&set(&[]), &set(&[]), &set(&[]));
        assert!(score.meets_target());
        score.add(&set(&[]), &set(&[]), &set(&["a"]));
        assert!(!score.meets_target());
    }
}
