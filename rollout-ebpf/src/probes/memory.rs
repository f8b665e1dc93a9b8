//! Reading kernel memory at offsets that user space filled in.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use rollout_ebpf::offsets::{Features, MISSING, ModuleOffsets, Offsets};

/// Frozen before the programs load: the verifier takes its words for constants.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::UNKNOWN;

/// Like [`OFFSETS`].
#[unsafe(no_mangle)]
pub static FEATURES: Features = Features {
    retransmit_err: 0,
    reset_reason: 0,
    drop_reason: 0,
    cgroup_v1_subsys: 0,
    connect_number: 0,
};

/// One offset. Volatile, because user space rewrites the section after compilation.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a static of this program.
        unsafe { core::ptr::read_volatile(&raw const crate::probes::memory::OFFSETS.$field) }
    };
}

/// Whether this kernel has a feature; a constant for the verifier.
macro_rules! kernel_feature {
    ($field:ident) => {
        // SAFETY: a static of this program.
        unsafe { core::ptr::read_volatile(&raw const crate::probes::memory::FEATURES.$field) }
    };
}

/// One offset of ip_vs, from the map.
macro_rules! module_offset {
    ($field:ident) => {
        match crate::probes::maps::MODULE_OFFSETS.get_ptr(0) {
            // SAFETY: a map value that user space wrote before attaching.
            Some(offsets) => unsafe { (*offsets).$field },
            None => rollout_ebpf::offsets::MISSING,
        }
    };
}

pub(crate) use {kernel_feature, module_offset, offset};

/// Ties the map's type to the macro above.
pub type Module = ModuleOffsets;

/// An address in the kernel, possibly null or stale: every read may fail.
#[derive(Clone, Copy)]
pub struct Address(pub u64);

impl Address {
    /// Whether it is null.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `bytes` further on.
    #[inline(always)]
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Reads a value at an offset; `None` if the field or the memory is missing.
    #[inline(always)]
    pub fn read<T>(self, offset: u32) -> Option<T> {
        if offset == MISSING {
            return None;
        }
        let source = self.plus(u64::from(offset)).0 as *const T;
        // SAFETY: the helper checks the address and fails instead of faulting.
        unsafe { bpf_probe_read_kernel(source) }.ok()
    }

    /// Follows a pointer at an offset; `None` if it is null.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Option<Self> {
        let next = Self(self.read::<u64>(offset)?);
        if next.is_null() { None } else { Some(next) }
    }
}
