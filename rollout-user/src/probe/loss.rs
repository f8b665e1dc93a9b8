//! Losses by program, from the per-CPU counters of the programs.
//!
//! In: the maps `LOSSES` and `STOOD_IN`. Out: `Loss` records with what is new since the last look, and how often a second
//! program did the work of one that the kernel skipped.

use crate::record::meta::{Loss, Stage};
use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, PerCpuArray};
use rollout_ebpf::program::{Guarded, LossPlace, Program, loss_counter};
use std::collections::BTreeMap;

/// Reads the counters and remembers what was told.
pub struct Counters {
    map: PerCpuArray<MapData, u64>,
    stood_in: PerCpuArray<MapData, u64>,
    told: BTreeMap<u32, u64>,
}

impl Counters {
    pub fn new(losses: Map, stood_in: Map) -> Result<Self> {
        let map = PerCpuArray::try_from(losses).context("map `LOSSES`")?;
        let stood_in = PerCpuArray::try_from(stood_in).context("map `STOOD_IN`")?;
        Ok(Self { map, stood_in, told: BTreeMap::new() })
    }

    /// How often the second program did a guarded program's work so far.
    pub fn stood_in(&self, which: Guarded) -> u64 {
        self.stood_in.get(&(which as u32), 0).map_or(0, |values| values.iter().sum())
    }

    /// What was lost since the last call, which was at `since_ns`.
    pub fn new_losses(&mut self, since_ns: u64) -> Vec<Loss> {
        let mut losses = Vec::new();
        for program in Program::ALL.iter().copied() {
            for place in LossPlace::ALL.iter().copied() {
                let index = loss_counter(program, place);
                let Ok(values) = self.map.get(&index, 0) else { continue };
                let total = values.iter().sum();
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
