//! The object: settings written into it, maps created, programs not yet loaded.
//!
//! In: the object inside this binary. Out: [`Loaded`], with the maps taken out.

use super::Options;
use super::filter::Filter;
use super::kernel::Kernel;
use super::log::{self, Messages};
use super::loss::Losses;
use crate::error::HintExt as _;
use anyhow::{Context as _, Result};
use aya::maps::{Array, MapData, RingBuf};
use aya::{Ebpf, EbpfLoader, Pod};
use rollout_ebpf::offsets::ModuleOffsets;
use zerocopy::IntoBytes as _;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probes.bpf.o"));

/// [`ModuleOffsets`] as aya takes it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct ModuleValue(pub ModuleOffsets);

// SAFETY: `u32`s without padding, valid for any bits.
unsafe impl Pod for ModuleValue {}

/// The object after its maps were created.
pub struct Loaded {
    /// Programs and links.
    pub ebpf: Ebpf,
    /// Debug messages of the programs, if they are asked for.
    pub log: Option<Messages>,
    /// All records.
    pub ring: RingBuf<MapData>,
    /// Losses by program.
    pub losses: Losses,
    /// The filter and the other settings of `CONTROL`.
    pub filter: Filter,
    /// Offsets of ip_vs.
    pub module: Array<MapData, ModuleValue>,
}

/// Creates the maps.
pub fn load(kernel: &Kernel, options: &Options) -> Result<Loaded> {
    let level = if options.log { u8::MAX } else { 0 };
    let mut ebpf = EbpfLoader::new()
        .override_global("OFFSETS", kernel.offsets.as_bytes(), true)
        .override_global("FEATURES", kernel.features.as_bytes(), true)
        .override_global(aya_log::LEVEL, &level, false)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("ATTEMPTS", options.attempts)
        .load(OBJECT)
        .hint(
            "cannot load the eBPF object",
            "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; `rollout doctor` tells what is missing",
        )?;
    Ok(Loaded {
        log: options.log.then(|| log::messages(&mut ebpf)).transpose()?,
        ring: RingBuf::try_from(take(&mut ebpf, "EVENTS")?).context("map `EVENTS`")?,
        losses: Losses::new(take(&mut ebpf, "LOSSES")?, take(&mut ebpf, "STOOD_IN")?)?,
        module: Array::try_from(take(&mut ebpf, "MODULE_OFFSETS")?)
            .context("map `MODULE_OFFSETS`")?,
        filter: Filter::new(&mut ebpf)?,
        ebpf,
    })
}

/// Takes a map out of the object.
pub fn take(ebpf: &mut Ebpf, name: &str) -> Result<aya::maps::Map> {
    ebpf.take_map(name).with_context(|| format!("map `{name}` is not in the object"))
}
