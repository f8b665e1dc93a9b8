//! Runs of the lab. Comes in: the folders of runs that were made, and variants. Goes out: more runs, and their figures.

use super::figures::Score;
use crate::lab;
use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Makes runs until every variant has `wanted` that count. What was made before counts, so that a break costs one run.
///
/// # Errors
/// When the lab does not come up or a run cannot be made.
pub fn make(program: &Path, wanted: usize, only: &[String]) -> Result<()> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for (variant, _) in lab::stored_runs()? {
        *made.entry(variant).or_default() += 1;
    }
    let variants = lab::labels()?;
    let chosen = variants.keys().filter(|name| only.is_empty() || only.contains(name));
    let mut missing: Vec<(String, usize)> = chosen
        .map(|name| (name.clone(), wanted.saturating_sub(made.get(name).copied().unwrap_or(0))))
        .collect();
    let all: usize = missing.iter().map(|(_, count)| count).sum();
    eprintln!("{all} runs are missing, about {} minutes", all * 75 / 60);
    // One of each in turn: a break leaves every variant with about as many.
    while missing.iter().any(|(_, count)| *count > 0) {
        for (name, count) in missing.iter_mut().filter(|(_, count)| *count > 0) {
            if let Err(error) = lab::make_run(program, name) {
                eprint!("{}", crate::hint::render(&error));
            }
            *count -= 1;
        }
    }
    Ok(())
}

/// Judges every run that was made.
///
/// # Errors
/// When a run's files cannot be read.
pub fn score(program: &Path) -> Result<Score> {
    let labels = lab::labels()?;
    let mut score = Score::default();
    for (variant, folder) in lab::stored_runs()? {
        let Some((expects, allows)) = labels.get(&variant) else { continue };
        let named = named(program, &folder)?;
        let alarms: Vec<_> =
            named.iter().filter(|n| !expects.contains(*n) && !allows.contains(*n)).collect();
        let missed: Vec<_> = expects.difference(&named).collect();
        if !alarms.is_empty() || !missed.is_empty() {
            println!("{}: missed {missed:?}, false {alarms:?}", folder.display());
        }
        score.add(expects, allows, &named);
    }
    Ok(score)
}

fn named(program: &Path, folder: &Path) -> Result<BTreeSet<String>> {
    let report: PathBuf = lab::explain_run(program, folder)?;
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let causes = report["causes"].as_array().into_iter().flatten();
    Ok(causes.filter_map(|cause| cause["name"].as_str().map(str::to_owned)).collect())
}
