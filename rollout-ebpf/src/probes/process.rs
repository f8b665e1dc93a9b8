//! Signals for a container's init from outside, and its exit (F22, F23).

use super::emit::{emit, now};
use super::filter;
use super::memory::{Address, offset};
use super::task::{self, PidIn};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::task::Task;

const SIGKILL: i32 = 9;
/// `SEND_SIG_NOINFO` and `SEND_SIG_PRIV` stand in the place of a pointer.
const NO_INFO: u64 = 0;
const FROM_KERNEL: u64 = 1;
/// `SI_KERNEL`.
const CODE_KERNEL: i32 = 0x80;

/// The leader's pid in its namespace, if it is the init of a container.
#[inline(always)]
fn container_of(leader: Address) -> Option<PidIn> {
    let own = task::own_pid(leader)?;
    if own.level > 0 && own.number == 1 { Some(own) } else { None }
}

/// `signal:signal_generate(sig, info, task, group, result)`. The running thread is the sender (F22).
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn signal(context: RawTracePointContext) -> i32 {
    let _ = tell_signal(&context);
    0
}

#[inline(always)]
fn tell_signal(context: &RawTracePointContext) -> Option<()> {
    let leader = Address(context.arg(2)).follow(offset!(task_leader))?;
    let container = container_of(leader)?;
    let (number, info): (i32, u64) = (context.arg(0), context.arg(1));
    // The kernel's own SIGKILL (out of memory) comes from outside, whoever happens to run.
    let is_kernels = info == FROM_KERNEL && number == SIGKILL;
    if !is_kernels && task::is_inside(task::current(), &container) {
        return None;
    }
    let cgroup = task::cgroup_of(leader);
    if !filter::wants_cgroup(filter::control()?, cgroup) {
        return None;
    }
    let code = match info {
        NO_INFO => 0,
        FROM_KERNEL => CODE_KERNEL,
        pointer => Address(pointer).read(offset!(siginfo_code)).unwrap_or(0),
    };
    emit(
        Program::Signal,
        Task {
            header: now(Kind::Signal),
            cgroup: task::cgroup_id(cgroup),
            pid: leader.read(offset!(task_tgid))?,
            sender_pid: task::pid(),
            comm: leader.read(offset!(task_comm))?,
            sender_comm: task::comm(),
            signal: number as u32,
            code,
            result: context.arg(4),
            exit_code: 0,
        },
    );
    Some(())
}

/// `sched:sched_process_exit(task)`: fires for each thread, before sockets are closed (F23).
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn exit(context: RawTracePointContext) -> i32 {
    let _ = tell_exit(Address(context.arg(0)));
    0
}

#[inline(always)]
fn tell_exit(thread: Address) -> Option<()> {
    let (pid, tgid) =
        (thread.read::<u32>(offset!(task_pid))?, thread.read::<u32>(offset!(task_tgid))?);
    if pid != tgid {
        return None;
    }
    container_of(thread)?;
    let cgroup = task::cgroup_of(thread);
    if !filter::wants_cgroup(filter::control()?, cgroup) {
        return None;
    }
    emit(
        Program::Exit,
        Task {
            header: now(Kind::Exit),
            cgroup: task::cgroup_id(cgroup),
            pid,
            sender_pid: 0,
            comm: thread.read(offset!(task_comm))?,
            sender_comm: [0; 16],
            signal: 0,
            code: 0,
            result: 0,
            exit_code: thread.read(offset!(task_exit_code))?,
        },
    );
    Some(())
}
