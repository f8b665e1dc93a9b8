//! Losses by program, from the per-CPU counters of the programs.
//!
//! In: the map `LOSSES`. Out: `Loss` records with what is new since the last look.

use crate::record::meta::{Loss, Stage};
use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, PerCpuArray};
use rollout_ebpf::program::{LossPlace, Program, loss_counter};
use std::collections::BTreeMap;

/// Reads the counters and remembers what was told.
pub struct Counters {
    map: PerCpuArray<MapData, u64>,
    told: BTreeMap<u32, u64>,
}

impl Counters {
    pub fn new(map: Map) -> Result<Self> {
        let map = PerCpuArray::try_from(map).context("map `LOSSES`")?;
        Ok(Self { map, told: BTreeMap::new() })
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
