//! Connects that went well, to the wrong pod.
//!
//! In: users' attempts that were established. Out: the same causes as for those that failed there.

use super::super::super::report::attempt::Outcome;
use super::super::super::report::cause::Surety;
use super::super::case::{Case, Hit};
use super::super::rule::Rule;
use super::super::wrong_pod::{FAILED_POD, STALE};
use super::Behind;

/// Looks for both.
pub fn find<'a>(case: &'a Case<'_>) -> Vec<Behind<'a>> {
    let established: Vec<Hit<'a>> = case
        .users()
        .filter(|hit| hit.attempt.outcome == Outcome::Established && !hit.attempt.slowed)
        .collect();
    [FAILED_POD, STALE].into_iter().map(|rule| behind(case, &rule, &established)).collect()
}

fn behind<'a>(case: &'a Case<'_>, rule: &Rule, all: &[Hit<'a>]) -> Behind<'a> {
    let fits = all.iter().filter_map(|hit| Some((*hit, (rule.fits)(case, hit)?)));
    let (hits, fits): (Vec<Hit<'a>>, Vec<_>) = fits.unzip();
    let surety = fits.iter().map(|fit| fit.surety).min().unwrap_or(Surety::Possible);
    let (signs, remedy) = ((rule.signs)(case, &hits), (rule.remedy)(case, &hits));
    Behind { name: rule.name, surety, hits, signs, remedy }
}
