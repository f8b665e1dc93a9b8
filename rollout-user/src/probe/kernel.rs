//! What the running kernel is like: field offsets, arguments of its tracepoints, names of its numbers.
//!
//! In: `/sys/kernel/btf`, `/proc/kallsyms`. Out: the values that go into the programs' read-only data, and
//! [`Names`] for decoding.

use super::btf::Btf;
use crate::decode::names::{Functions, Names};
use crate::error::HintExt as _;
use crate::tables::cgroup::hierarchy::{self, Version};
use anyhow::{Context as _, Result};
use rollout_ebpf::offsets::{Features, MISSING, ModuleOffsets, Offsets};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes as _};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Read once at load.
pub struct Kernel {
    btf: Arc<Btf>,
    /// Offsets of the kernel's own structures.
    pub offsets: Offsets,
    /// What its hooks pass.
    pub features: Features,
    /// For decoding.
    pub names: Names,
}

impl Kernel {
    /// Reads BTF and symbols.
    pub fn inspect() -> Result<Self> {
        let data = fs::read(VMLINUX).hint(
            format!("cannot read `{VMLINUX}`"),
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount /sys",
        )?;
        let btf = Arc::new(Btf::parse(&data).with_context(|| format!("cannot use `{VMLINUX}`"))?);
        Ok(Self {
            offsets: numbers(&btf, Offsets::PATHS).unwrap_or(Offsets::UNKNOWN),
            features: features(&btf),
            names: names(&btf),
            btf,
        })
    }

    /// Offsets of ip_vs, from its module's BTF or, where it is built in, from the kernel's.
    pub fn ipvs_offsets(&self) -> Result<ModuleOffsets> {
        let file = "/sys/kernel/btf/ip_vs";
        let found = match fs::read(file) {
            Ok(data) => {
                let module = Btf::parse_split(&data, Some(self.btf.clone()))
                    .with_context(|| format!("cannot use `{file}`"))?;
                numbers(&module, ModuleOffsets::PATHS)
            }
            Err(_) => numbers(&self.btf, ModuleOffsets::PATHS),
        };
        let found: ModuleOffsets = found.context("cannot lay out the offsets of ip_vs")?;
        match missing(&found, ModuleOffsets::PATHS) {
            None => Ok(found),
            Some(path) => anyhow::bail!("no type information for `{path}`"),
        }
    }

    /// The name under which a function can be probed now, modules included: its own, or a compiler's variant such as
    /// `ip_vs_flush.isra.0` (F11).
    pub fn symbol(&self, function: &str) -> Option<String> {
        if let Some(found) = self.names.functions.variant_of(function) {
            return Some(found.to_owned());
        }
        let now = Functions::parse(&fs::read_to_string("/proc/kallsyms").ok()?);
        now.variant_of(function).map(str::to_owned)
    }

    /// Whether a function can be an fentry target.
    pub fn has_function(&self, function: &str) -> bool {
        self.btf.has_function(function)
    }
}

/// Resolves paths into a structure of `u32`, one each, in their order.
fn numbers<T: FromBytes>(btf: &Btf, paths: &[&str]) -> Option<T> {
    let found = btf.offsets(paths);
    let words: Vec<u32> =
        paths.iter().map(|path| found.get(path).copied().unwrap_or(MISSING)).collect();
    T::read_from_bytes(words.as_bytes()).ok()
}

fn missing<'p>(offsets: &ModuleOffsets, paths: &[&'p str]) -> Option<&'p str> {
    let words = <[u32]>::ref_from_bytes(offsets.as_bytes()).ok()?;
    words.iter().zip(paths).find(|(word, _)| **word == MISSING).map(|(_, path)| *path)
}

fn features(btf: &Btf) -> Features {
    let passes = |tracepoint: &str, argument: usize| {
        u32::from(btf.tracepoint_arguments(tracepoint).is_some_and(|count| count > argument))
    };
    Features {
        retransmit_err: passes("tcp_retransmit_skb", 2),
        reset_reason: passes("tcp_send_reset", 2),
        drop_reason: passes("kfree_skb", 2),
        cgroup_v1_subsys: cgroup_v1_subsystem(btf),
        connect_number: libc::SYS_connect as u32,
    }
}

/// 1 + index in `css_set->subsys` of the controller whose hierarchy `tables` walks: ids of two hierarchies collide,
/// and the index depends on the kernel's configuration. 0 on cgroup v2.
fn cgroup_v1_subsystem(btf: &Btf) -> u32 {
    let Ok(hierarchy) = hierarchy::find(Path::new("/proc")) else { return 0 };
    let Version::V1 { controller } = hierarchy.version else { return 0 };
    let wanted = format!("{controller}_cgrp_id");
    let found = btf.enumeration("cgroup_subsys_id");
    found.into_iter().find(|(_, name)| *name == wanted).map_or(0, |(index, _)| index + 1)
}

fn names(btf: &Btf) -> Names {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    Names {
        drop_reasons: without_prefix(btf, "skb_drop_reason", "SKB_DROP_REASON_"),
        reset_reasons: without_prefix(btf, "sk_rst_reason", "SK_RST_REASON_"),
        functions: Functions::parse(&symbols),
    }
}

fn without_prefix(btf: &Btf, enumeration: &str, prefix: &str) -> BTreeMap<u32, String> {
    let shorten = |name: String| name.strip_prefix(prefix).map_or(name.clone(), str::to_owned);
    btf.enumeration(enumeration).into_iter().map(|(value, name)| (value, shorten(name))).collect()
}
