//! Losses by program.
//!
//! In: the maps `LOSSES` and `STOOD_IN`. Out: `Loss` records with what is new since the last look, and how often a second
//! program did the work of one that the kernel skipped.

use super::counters::Counters;
use crate::record::meta::{Loss, Stage};
use anyhow::Result;
use aya::maps::Map;
use rollout_ebpf::program::{Guarded, LOSS_COUNTERS, LossPlace, Program, loss_counter};
use std::collections::BTreeMap;

/// Reads the counters and remembers what was told.
pub struct Losses {
    lost: Counters,
    stood_in: Counters,
    told: BTreeMap<u32, u64>,
}

impl Losses {
    pub fn new(losses: Map, stood_in: Map) -> Result<Self> {
        let lost = Counters::new(losses, "LOSSES", LOSS_COUNTERS as usize)?;
        let stood_in = Counters::new(stood_in, "STOOD_IN", Guarded::ALL.len())?;
        Ok(Self { lost, stood_in, told: BTreeMap::new() })
    }

    /// How often the second program did a guarded program's work so far.
    pub fn stood_in(&self, which: Guarded) -> u64 {
        self.stood_in.get(which as u32)
    }

    /// What was lost since the last call, which was at `since_ns`.
    pub fn new_losses(&mut self, since_ns: u64) -> Vec<Loss> {
        let mut losses = Vec::new();
        for program in Program::ALL.iter().copied() {
            for place in LossPlace::ALL.iter().copied() {
                let index = loss_counter(program, place);
                let total = self.lost.get(index);
                let told = self.told.insert(index, total).unwrap_or(0);
                let stage = match place {
                    LossPlace::Ring => Stage::Ring,
                    LossPlace::Map => Stage::Map,
                };
                if total > told {
                    let program = program.name().to_owned();
                    losses.push(Loss { stage, program, count: total - told, since_ns });
                }
            }
        }
        losses
    }
}
