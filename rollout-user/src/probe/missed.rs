//! Runs that the kernel itself skipped: a program that would interrupt itself on the same CPU does not run.
//!
//! In: `/proc/self/fdinfo` of the attached programs (`recursion_misses`, since Linux 5.12), and how often the second
//! program of a guarded one did its work. Out: `Loss` records of what neither did.

use crate::record::meta::{Loss, Stage};
use aya::programs::ProgramFd;
use rollout_ebpf::program::Guarded;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

/// Programs whose skipped runs lose nothing: the second ones of guarded programs, since the first ran then, and the one
/// that only clears an attempt which the transition to CLOSE has told and cleared before.
const HARMLESS: [&str; 7] = [
    "outcome_again",
    "listener_again",
    "syn_dropped_again",
    "reset_received_again",
    "reset_sent_again",
    "icmp_sent_again",
    "outcome_destroyed",
];

/// Holds the attached programs, so that their counters can be read after they were detached.
#[derive(Default)]
pub struct Missed {
    programs: BTreeMap<&'static str, Watched>,
}

struct Watched {
    descriptor: ProgramFd,
    fact: &'static str,
    told: u64,
}

impl Missed {
    /// Watches one more program.
    pub fn watch(&mut self, program: &'static str, fact: &'static str, descriptor: ProgramFd) {
        if !HARMLESS.contains(&program) {
            self.programs.insert(program, Watched { descriptor, fact, told: 0 });
        }
    }

    /// What was skipped since the last call, which was at `since_ns`, and not done by a second program; `stood_in`
    /// counts those.
    pub fn new_losses(&mut self, since_ns: u64, stood_in: impl Fn(Guarded) -> u64) -> Vec<Loss> {
        // All skipped runs before any work of a second program, which comes right after: a run in between must not
        // look like a loss.
        let skipped: Vec<_> =
            self.programs.values().map(|watched| skipped(&watched.descriptor)).collect();
        let mut losses = Vec::new();
        for ((program, watched), total) in self.programs.iter_mut().zip(skipped) {
            let Some(total) = total else { continue };
            let guarded = Guarded::ALL.iter().find(|guarded| guarded.program() == *program);
            let lost = total.saturating_sub(guarded.map_or(0, |guarded| stood_in(*guarded)));
            if lost > watched.told {
                losses.push(Loss {
                    stage: Stage::Skipped,
                    program: watched.fact.to_owned(),
                    count: lost - watched.told,
                    since_ns,
                });
                watched.told = lost;
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
