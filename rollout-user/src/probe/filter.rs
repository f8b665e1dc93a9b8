//! The filter inside the kernel: it only ever narrows by what is known not to matter (F17).
//!
//! In: ports, namespaces and cgroups from user space, at any time. Out: entries of the programs' maps.

use super::load::take;
use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, MapData};
use aya::{Ebpf, Pod};
use rollout_ebpf::control::Control;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// [`Control`] as aya takes it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct ControlValue(Control);

// SAFETY: `u32`s without padding, valid for any bits.
unsafe impl Pod for ControlValue {}

/// A handle; clones change the same filter.
#[derive(Clone)]
pub struct Filter {
    maps: Arc<Mutex<Maps>>,
}

struct Maps {
    control: Control,
    control_map: Array<MapData, ControlValue>,
    ports: HashMap<MapData, u16, u8>,
    netns: HashMap<MapData, u32, u8>,
    cgroups: HashMap<MapData, u64, u8>,
    wanted_ports: BTreeSet<u16>,
    denied_netns: BTreeSet<u32>,
    denied_cgroups: BTreeSet<u64>,
}

impl Filter {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self> {
        let maps = Maps {
            control: Control::default(),
            control_map: Array::try_from(take(ebpf, "CONTROL")?).context("map `CONTROL`")?,
            ports: HashMap::try_from(take(ebpf, "PORTS")?).context("map `PORTS`")?,
            netns: HashMap::try_from(take(ebpf, "DENIED_NETNS")?).context("map `DENIED_NETNS`")?,
            cgroups: HashMap::try_from(take(ebpf, "DENIED_CGROUPS")?)
                .context("map `DENIED_CGROUPS`")?,
            wanted_ports: BTreeSet::new(),
            denied_netns: BTreeSet::new(),
            denied_cgroups: BTreeSet::new(),
        };
        Ok(Self { maps: Arc::new(Mutex::new(maps)) })
    }

    /// Only flows with one of these ports at either end: a Service's port, its target port, a listener's.
    pub fn set_ports(&self, ports: &BTreeSet<u16>) -> Result<()> {
        let mut maps = self.lock();
        // New ones first: while the set changes it is open for old and new.
        for port in ports {
            maps.ports.insert(port, 1, 0).with_context(|| format!("port {port}"))?;
        }
        let gone: Vec<u16> = maps.wanted_ports.difference(ports).copied().collect();
        maps.wanted_ports.clone_from(ports);
        maps.change(|control| control.by_port = 1)?;
        for port in gone {
            maps.ports.remove(&port).with_context(|| format!("port {port}"))?;
        }
        Ok(())
    }

    /// Any port again.
    pub fn clear_ports(&self) -> Result<()> {
        let mut maps = self.lock();
        maps.change(|control| control.by_port = 0)?;
        for port in std::mem::take(&mut maps.wanted_ports) {
            maps.ports.remove(&port).with_context(|| format!("port {port}"))?;
        }
        Ok(())
    }

    /// Leaves a network namespace out, by the inode number of `/proc/PID/ns/net`.
    pub fn deny_netns(&self, inum: u32) -> Result<()> {
        let mut maps = self.lock();
        maps.netns.insert(inum, 1, 0).with_context(|| format!("network namespace {inum}"))?;
        maps.denied_netns.insert(inum);
        maps.change(|control| control.by_netns = 1)
    }

    /// Takes it in again.
    pub fn allow_netns(&self, inum: u32) -> Result<()> {
        let mut maps = self.lock();
        if maps.denied_netns.remove(&inum) {
            maps.netns.remove(&inum).with_context(|| format!("network namespace {inum}"))?;
        }
        let by_netns = u32::from(!maps.denied_netns.is_empty());
        maps.change(|control| control.by_netns = by_netns)
    }

    /// Leaves a cgroup out with everything below it, by the inode number of its directory.
    pub fn deny_cgroup(&self, id: u64) -> Result<()> {
        let mut maps = self.lock();
        maps.cgroups.insert(id, 1, 0).with_context(|| format!("cgroup {id}"))?;
        maps.denied_cgroups.insert(id);
        maps.change(|control| control.by_cgroup = 1)
    }

    /// Takes it in again.
    pub fn allow_cgroup(&self, id: u64) -> Result<()> {
        let mut maps = self.lock();
        if maps.denied_cgroups.remove(&id) {
            maps.cgroups.remove(&id).with_context(|| format!("cgroup {id}"))?;
        }
        let by_cgroup = u32::from(!maps.denied_cgroups.is_empty());
        maps.change(|control| control.by_cgroup = by_cgroup)
    }

    /// Changes the other settings that the programs read.
    pub(super) fn change(&self, change: impl FnOnce(&mut Control)) -> Result<()> {
        self.lock().change(change)
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn change(&mut self, change: impl FnOnce(&mut Control)) -> Result<()> {
        change(&mut self.control);
        self.control_map.set(0, ControlValue(self.control), 0).context("map `CONTROL`")
    }
}
