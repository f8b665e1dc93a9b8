//! The end-to-end tier: every variant under `rollout watch`, against the witnesses.
//! Comes in: the static binary. Goes out: both sides of every statement on the terminal, and their counts.

use super::life::{self, Lab};
use super::place::NODE;
use super::{RATE, interrupted, node_pod, programs, variant, verify};
use crate::dist;
use crate::test::Counts;
use crate::witness::Comparison;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;

/// SYNs of each class over all runs, at least.
const ENOUGH: u64 = 20;
/// Classes that the variants lead to.
const CLASSES: &[&str] = &["pod", "dropped_in_ipvs", "no_destination", "not_sent", "undelivered"];

/// Runs the tier. A lab that was down before is down afterwards.
///
/// # Errors
/// When the binary does not build or the lab does not come up.
pub fn run() -> Result<Counts> {
    let program = dist::build()?;
    let lab = life::up()?;
    let result = in_lab(&lab, &program);
    if !lab.found {
        life::down()?;
    }
    result
}

fn in_lab(lab: &Lab, program: &Path) -> Result<Counts> {
    verify::install(program)?;
    let mut counts = Counts::default();
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for variant in variant::all()?.iter().filter(|variant| variant.tier) {
        let verified = verify::run(lab, program, variant, RATE, false).map(|verified| {
            for (class, syns) in &verified.comparison.classes {
                *classes.entry(class.clone()).or_default() += syns;
            }
            verified.comparison
        });
        tell(&mut counts, &format!("{}: {}", variant.name, variant.summary), verified);
    }
    let log = programs::workspace()?.join("target/lab/node-pod.jsonl");
    let node_pod = format!("node-pod: the binary in a pod of `kubectl debug node/{NODE}`");
    tell(&mut counts, &node_pod, node_pod::compare(lab, RATE, &log));
    tell(&mut counts, "interrupted: Ctrl-C before the update", interrupted::compare());
    for class in CLASSES {
        let syns = classes.get(*class).copied().unwrap_or(0);
        let mark = if syns >= ENOUGH { "ok" } else { "NO" };
        println!("{mark} SYNs of class `{class}` over all runs: {syns}, at least {ENOUGH}");
        count(&mut counts, syns >= ENOUGH);
    }
    Ok(counts)
}

/// Puts the statements of one part on the terminal; one that could not be made counts as one that does not hold.
fn tell(counts: &mut Counts, what: &str, compared: Result<Comparison>) {
    match compared {
        Ok(comparison) => {
            println!("lab {what}");
            print!("{comparison}");
            for statement in &comparison.statements {
                count(counts, statement.holds);
            }
        }
        Err(error) => {
            println!("lab {what}: FAILED");
            eprint!("{}", crate::hint::render(&error));
            count(counts, false);
        }
    }
}

fn count(counts: &mut Counts, holds: bool) {
    if holds { counts.passed += 1 } else { counts.failed += 1 }
}
