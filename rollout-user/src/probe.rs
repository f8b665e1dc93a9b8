//! The programs in the kernel: loading, the ladder of hooks, the ring.
//!
//! In: the eBPF object inside this binary, the running kernel's BTF, [`Options`]. Out: decoded events pushed into the
//! timeline, [`Hooks`] that say which hook serves which fact, losses. Nothing is pinned: whatever way the process
//! ends, the kernel detaches everything with its last file descriptor.
//!
//! Only this module uses aya.

mod attach;
pub mod btf;
mod counters;
mod facts;
pub mod filter;
mod kernel;
mod ladder;
mod load;
mod log;
mod loss;
mod missed;
mod running;

pub use filter::Filter;
pub use ladder::Rung;
pub use running::Running;

use crate::record::meta::Hooks;
use crate::timeline::Inlet;
use anyhow::Result;
use kernel::Kernel;
use ladder::Ladder;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of the ring in bytes; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Sockets that can be in an attempt or a traced connection at once.
    pub attempts: u32,
    /// Debug messages of the programs on standard error. Off: their code is removed by the verifier.
    pub log: bool,
    /// Facts that must use one rung and no other.
    pub force: BTreeMap<String, Rung>,
    /// Hook ip_vs, now or when it is loaded.
    pub ipvs: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 8 * 1024 * 1024,
            attempts: 65536,
            log: false,
            force: BTreeMap::new(),
            ipvs: true,
        }
    }
}

/// Attached programs whose events wait in the ring.
pub struct Probes {
    ladder: Ladder,
    loaded: load::Loaded,
    kernel: Arc<Kernel>,
}

impl Probes {
    /// Loads and attaches. Fails only if nothing can work: no BTF, no permission; a single missing hook is told by
    /// [`Probes::hooks`].
    pub fn load(options: &Options) -> Result<Self> {
        let kernel = Arc::new(Kernel::inspect()?);
        let mut loaded = load::load(&kernel, options)?;
        let mut ladder = Ladder::new(options);
        ladder.climb(&mut loaded, &kernel);
        ladder.check()?;
        Ok(Self { ladder, loaded, kernel })
    }

    /// Which hook serves which fact.
    pub fn hooks(&self) -> Hooks {
        self.ladder.hooks()
    }

    /// Instructions that the verifier had to follow for a program, by its name in the object; `None` if it is not
    /// loaded or the kernel does not say.
    pub fn verified_instructions(&self, program: &str) -> Option<u32> {
        self.loaded.ebpf.program(program)?.info().ok()?.verified_instruction_count()
    }

    /// A handle on the filter, which starts open.
    pub fn filter(&self) -> Filter {
        self.loaded.filter.clone()
    }

    /// Starts the reader thread, which pushes events into `inlet` until the result is dropped.
    pub fn run(self, inlet: Inlet) -> Result<Running> {
        Running::start(self.ladder, self.loaded, self.kernel, inlet)
    }
}

/// Tries every fact's hooks and detaches them again.
pub fn doctor_hooks(options: &Options) -> Result<Hooks> {
    Ok(Probes::load(options)?.hooks())
}
