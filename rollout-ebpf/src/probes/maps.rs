//! The maps. User space finds them by name.

use super::attempt::Attempt;
use super::connect_call::Call;
use super::ipvs_change::Change;
use super::memory::Module;
use super::stand_in::PLACES;
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, RingBuf},
};
use rollout_ebpf::control::Control;
use rollout_ebpf::program::{Guarded, LOSS_COUNTERS};

/// All records. User space sets the size at load.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4 * 1024 * 1024, 0);

/// New losses by program and place. User space maps it into its memory: while a map's system call runs, the kernel skips
/// every kprobe's program on that CPU.
#[map]
pub static LOSSES: Array<u64> = Array::with_max_entries(LOSS_COUNTERS, BPF_F_MMAPABLE);

/// Events that guarded programs have told and whose second program has yet to run.
#[map]
pub static NOTES: Array<u64> = Array::with_max_entries(PLACES, 0);

/// How often the second program did the work of a guarded one. Mapped as `LOSSES` is.
#[map]
pub static STOOD_IN: Array<u64> =
    Array::with_max_entries(Guarded::ALL.len() as u32, BPF_F_MMAPABLE);

/// Number of the latest attempt.
#[map]
pub static LAST_ATTEMPT: Array<u64> = Array::with_max_entries(1, 0);

/// Attempts by socket address, from CLOSE → SYN_SENT until the socket closes (F21).
#[map]
pub static ATTEMPTS: HashMap<u64, Attempt> = HashMap::with_max_entries(65536, 0);

/// Connect calls that are under way, by thread.
#[map]
pub static CALLS: HashMap<u64, Call> = HashMap::with_max_entries(16384, 0);

/// IPVS calls that are under way, by thread.
#[map]
pub static IPVS_CALLS: HashMap<u64, Change> = HashMap::with_max_entries(1024, 0);

/// What user space sets while the programs run.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// Offsets of ip_vs.
#[map]
pub static MODULE_OFFSETS: Array<Module> = Array::with_max_entries(1, 0);

/// Ports that matter, if `Control::by_port` is set.
#[map]
pub static PORTS: HashMap<u16, u8> = HashMap::with_max_entries(4096, 0);

/// Network namespaces that do not matter, by inode.
#[map]
pub static DENIED_NETNS: HashMap<u32, u8> = HashMap::with_max_entries(8192, 0);

/// cgroups that do not matter, by id, with everything below them.
#[map]
pub static DENIED_CGROUPS: HashMap<u64, u8> = HashMap::with_max_entries(8192, 0);
