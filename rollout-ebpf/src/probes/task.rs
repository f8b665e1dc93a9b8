//! Who: processes, their cgroups and pid namespaces.

use super::memory::{Address, kernel_feature, offset};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::{bpf_get_current_comm, generated::bpf_get_current_task};

/// The running thread. In softirq it is whoever was interrupted (F18).
#[inline(always)]
pub fn current() -> Address {
    // SAFETY: a helper without arguments.
    Address(unsafe { bpf_get_current_task() })
}

/// `tgid << 32 | pid` of the running thread.
#[inline(always)]
pub fn thread() -> u64 {
    bpf_get_current_pid_tgid()
}

/// Process id of the running thread.
#[inline(always)]
pub fn pid() -> u32 {
    (thread() >> 32) as u32
}

/// Name of the running thread.
#[inline(always)]
pub fn comm() -> [u8; 16] {
    bpf_get_current_comm().unwrap_or([0; 16])
}

/// A task's cgroup: on cgroup v2 in its only hierarchy, on v1 in the one that user space chose (F19).
#[inline(always)]
pub fn cgroup_of(task: Address) -> Option<Address> {
    let set = task.follow(offset!(task_cgroups))?;
    let subsys = kernel_feature!(cgroup_v1_subsys);
    if subsys == 0 {
        return set.follow(offset!(css_set_default));
    }
    let slot = set.plus(u64::from(subsys - 1) * 8);
    slot.follow(offset!(css_set_subsys))?.follow(offset!(css_cgroup))
}

/// The id of a cgroup, which is the inode of its directory; 0 if unknown.
#[inline(always)]
pub fn cgroup_id(cgroup: Option<Address>) -> u64 {
    cgroup
        .and_then(|cgroup| cgroup.follow(offset!(cgroup_kn)))
        .and_then(|kn| kn.read(offset!(kn_id)))
        .unwrap_or(0)
}

/// A process id in a pid namespace.
pub struct PidIn {
    /// Depth of the namespace; 0 is the initial one.
    pub level: u32,
    /// The number in it.
    pub number: u32,
    /// The namespace (`struct pid_namespace *`).
    pub namespace: u64,
}

/// A thread's number in its own pid namespace.
#[inline(always)]
pub fn own_pid(task: Address) -> Option<PidIn> {
    let pid = task.follow(offset!(task_thread_pid))?;
    let level = pid.read::<u32>(offset!(pid_level))?;
    pid_at(pid, level)
}

/// Whether a thread lives in a pid namespace or in one below it.
#[inline(always)]
pub fn is_inside(task: Address, container: &PidIn) -> bool {
    let Some(pid) = task.follow(offset!(task_thread_pid)) else { return false };
    match pid.read::<u32>(offset!(pid_level)) {
        Some(level) if level >= container.level => {
            pid_at(pid, container.level).is_some_and(|at| at.namespace == container.namespace)
        }
        _ => false,
    }
}

#[inline(always)]
fn pid_at(pid: Address, level: u32) -> Option<PidIn> {
    let upid = pid.plus(u64::from(level) * u64::from(offset!(upid_size)));
    let numbers = offset!(pid_numbers);
    let upid = upid.plus(u64::from(numbers));
    Some(PidIn {
        level,
        number: upid.read(offset!(upid_nr))?,
        namespace: upid.read(offset!(upid_ns))?,
    })
}
