//! Counters of the programs, read without a system call.
//!
//! In: an array map of `u64` that may be mapped (`BPF_F_MMAPABLE`, since Linux 5.5). Out: its values. A lookup by system
//! call would cost events: while it runs, the kernel skips every kprobe's program on that CPU (`bpf_disable_instrumentation`).

use anyhow::{Context as _, Result, ensure};
use aya::maps::Map;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::os::fd::AsFd as _;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// An array map, mapped for reading.
pub struct Counters {
    first: NonNull<AtomicU64>,
    len: usize,
    /// Programs that are loaded later refer to the map by its descriptor.
    _map: Map,
}

// SAFETY: the memory is only read, and only atomically.
unsafe impl Send for Counters {}

impl Counters {
    /// Maps `map`, which has `len` entries.
    ///
    /// # Errors
    /// When it is not an array, has fewer entries, or the kernel does not map it.
    pub fn new(map: Map, name: &str, len: usize) -> Result<Self> {
        let Map::Array(data) = &map else { anyhow::bail!("map `{name}` is not an array") };
        let entries = data.info().with_context(|| format!("map `{name}`"))?.max_entries();
        ensure!(entries as usize >= len, "map `{name}` has {entries} entries, not {len}");
        let bytes = len * size_of::<u64>();
        // SAFETY: a new mapping, wherever the kernel likes; the kernel keeps the map alive as long as it is mapped.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::READ,
                MapFlags::SHARED,
                data.fd().as_fd(),
                0,
            )
        };
        let start = start.with_context(|| format!("cannot map `{name}` into memory"))?;
        let first = NonNull::new(start.cast()).context("mapped at address 0")?;
        Ok(Self { first, len, _map: map })
    }

    /// The value of one counter; 0 beyond the last.
    pub fn get(&self, index: u32) -> u64 {
        let index = index as usize;
        if index >= self.len {
            return 0;
        }
        // SAFETY: within the mapping, which is page aligned; the programs write whole words atomically.
        unsafe { self.first.add(index).as_ref() }.load(Ordering::Relaxed)
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        let bytes = self.len * size_of::<u64>();
        // SAFETY: mapped in `new`; no reference into it outlives `self`. It can only fail for a wrong address.
        let _ = unsafe { munmap(self.first.as_ptr().cast::<c_void>(), bytes) };
    }
}
