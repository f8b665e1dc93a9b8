//! Runs that the kernel itself skipped: a program that would interrupt itself on the same CPU does not run.
//!
//! In: `/proc/self/fdinfo` of the attached programs (`recursion_misses`, since Linux 5.12). Out: `Loss` records.

use crate::record::meta::{Loss, Stage};
use aya::programs::ProgramFd;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

/// Holds the attached programs, so that their counters can be read after they were detached.
#[derive(Default)]
pub struct Missed {
    programs: BTreeMap<String, Watched>,
}

struct Watched {
    descriptor: ProgramFd,
    fact: &'static str,
    told: u64,
}

impl Missed {
    /// Watches one more program.
    pub fn watch(&mut self, program: &str, fact: &'static str, descriptor: ProgramFd) {
        self.programs.insert(program.to_owned(), Watched { descriptor, fact, told: 0 });
    }

    /// What was skipped since the last call, which was at `since_ns`.
    pub fn new_losses(&mut self, since_ns: u64) -> Vec<Loss> {
        let mut losses = Vec::new();
        for watched in self.programs.values_mut() {
            let Some(total) = skipped(&watched.descriptor) else { continue };
            if total > watched.told {
                losses.push(Loss {
                    stage: Stage::Skipped,
                    program: watched.fact.to_owned(),
                    count: total - watched.told,
                    since_ns,
                });
                watched.told = total;
            }
        }
        losses
    }
}

fn skipped(descriptor: &ProgramFd) -> Option<u64> {
    let number = descriptor.as_fd().as_raw_fd();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    parse(&text)
}

fn parse(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_counter_is_found_and_its_absence_is_not_zero() {
        assert_eq!(parse("pos:\t0\nrecursion_misses:\t7\nverified_insns:\t9\n"), Some(7));
        assert_eq!(parse("pos:\t0\n"), None);
    }
}
