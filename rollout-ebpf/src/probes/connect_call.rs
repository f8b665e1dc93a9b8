//! Entry and exit of the connect call: errors that never become a TCP event (F3).
//!
//! In: the call's thread, user address and result. Out: `ConnectReturned`, with the attempt if a socket entered
//! SYN_SENT during the call.

use super::emit::{emit, lost, now, now_ns};
use super::maps::CALLS;
use super::memory::{Address, kernel_feature, offset};
use super::{filter, socket, task};
use aya_ebpf::{
    helpers::bpf_probe_read_user,
    macros::{fentry, fexit, raw_tracepoint, tracepoint},
    programs::{FEntryContext, FExitContext, RawTracePointContext, TracePointContext},
};
use rollout_ebpf::program::{LossPlace, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::address::{Endpoint, Tuple};
use rollout_ebpf::record::socket::Socket;

/// A call that is under way.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Call {
    started_ns: u64,
    attempt: u64,
    descriptor: u32,
    destination: Endpoint,
    denied: u8,
    padding: [u8; 7],
}

/// The attempt is under way, or nothing was asked: EINTR, EISCONN, EALREADY, EINPROGRESS, and ERESTARTSYS to
/// ERESTART_RESTARTBLOCK, which user space sees as EINTR or not at all.
const fn is_told(result: i32) -> bool {
    result < 0 && !matches!(result, -4 | -106 | -114 | -115 | -516..=-512)
}

#[inline(always)]
fn entered(descriptor: u32, address: u64) {
    let Some(destination) = read_address(address) else { return };
    let call = Call {
        started_ns: now_ns(),
        attempt: 0,
        descriptor,
        destination,
        denied: 0,
        padding: [0; 7],
    };
    if CALLS.insert(task::thread(), &call, 0).is_err() {
        lost(Program::ConnectCall, LossPlace::Map);
    }
}

/// `struct sockaddr_in` or `sockaddr_in6`; anything else is not TCP.
#[inline(always)]
fn read_address(address: u64) -> Option<Endpoint> {
    match read_user::<u16>(address)? {
        socket::AF_INET => Some(Endpoint::v4(read_user(address + 4)?, read_user(address + 2)?)),
        socket::AF_INET6 => Some(Endpoint::v6(read_user(address + 8)?, read_user(address + 2)?)),
        _ => None,
    }
}

#[inline(always)]
fn read_user<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address and fails instead of faulting.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// A socket entered SYN_SENT while this thread was in a connect call.
#[inline(always)]
pub fn entered_syn_sent(attempt: u64, denied: bool) {
    if let Some(call) = CALLS.get_ptr_mut(task::thread()) {
        // SAFETY: a map value that only this thread touches.
        unsafe {
            (*call).attempt = attempt;
            (*call).denied = u8::from(denied);
        }
    }
}

#[inline(always)]
fn returned(result: i64) {
    let thread = task::thread();
    let Some(found) = CALLS.get_ptr(thread) else { return };
    // SAFETY: a map value that only this thread touches.
    let call = unsafe { *found };
    // Fails only where there was none.
    let _ = CALLS.remove(thread);
    if is_told(result as i32) && call.denied == 0 {
        tell(&call, result as i32);
    }
}

#[inline(always)]
fn tell(call: &Call, result: i32) {
    let Some(control) = filter::control() else { return };
    let Some(sk) = tcp_socket(call.descriptor) else { return };
    let current = task::current();
    let cgroup = task::cgroup_of(current);
    let netns = socket::netns(sk);
    let tuple = Tuple { source: Endpoint::NONE, destination: call.destination };
    if !filter::wants_flow(control, &netns, &tuple) || !filter::wants_cgroup(control, cgroup) {
        return;
    }
    let header = now(Kind::ConnectReturned);
    emit(
        Program::ConnectCall,
        Socket {
            attempt: call.attempt,
            cgroup: task::cgroup_id(cgroup),
            duration_ns: header.time_ns.wrapping_sub(call.started_ns),
            pid: task::pid(),
            errno: result,
            comm: task::comm(),
            ..Socket::of(header, sk.0, netns, tuple)
        },
    );
}

/// The TCP or MPTCP socket behind a descriptor of the running process; `None` for anything else.
#[inline(always)]
fn tcp_socket(descriptor: u32) -> Option<Address> {
    let table = task::current().follow(offset!(task_files))?.follow(offset!(files_fdt))?;
    let slots = table.follow(offset!(fdtable_fd))?;
    let file = slots.plus(u64::from(descriptor) * 8).follow(0)?;
    let mode = file.follow(offset!(file_inode))?.read::<u16>(offset!(inode_mode))?;
    if mode & 0xf000 != 0xc000 {
        return None;
    }
    let sk = file.follow(offset!(file_private))?.follow(offset!(socket_sk))?;
    let protocol = socket::protocol(sk);
    let family = sk.read::<u16>(offset!(sk_family))?;
    let is_inet = family == socket::AF_INET || family == socket::AF_INET6;
    (is_inet && (protocol == socket::TCP || protocol == socket::MPTCP)).then_some(sk)
}

/// First choice: only connect calls pay. Argument 0 is the caller's `struct pt_regs`.
#[fentry]
pub fn connect_enter_fentry(context: FEntryContext) -> i32 {
    enter_with_registers(Address(context.arg(0)));
    0
}

/// Its exit.
#[fexit]
pub fn connect_exit_fexit(context: FExitContext) -> i32 {
    // The result follows the one argument.
    returned(context.arg(1));
    0
}

#[inline(always)]
fn enter_with_registers(registers: Address) {
    let descriptor = registers.read::<u64>(offset!(regs_first));
    let address = registers.read::<u64>(offset!(regs_second));
    if let (Some(descriptor), Some(address)) = (descriptor, address) {
        entered(descriptor as u32, address);
    }
}

/// `syscalls:sys_enter_connect`: after the common fields and the number come three words.
#[tracepoint]
pub fn connect_enter_tracepoint(context: TracePointContext) -> u32 {
    // SAFETY: the layout of system call tracepoints is fixed.
    if let (Ok(descriptor), Ok(address)) =
        unsafe { (context.read_at::<u64>(16), context.read_at::<u64>(24)) }
    {
        entered(descriptor as u32, address);
    }
    0
}

/// `syscalls:sys_exit_connect`.
#[tracepoint]
pub fn connect_exit_tracepoint(context: TracePointContext) -> u32 {
    // SAFETY: the layout of system call tracepoints is fixed.
    if let Ok(result) = unsafe { context.read_at::<i64>(16) } {
        returned(result);
    }
    0
}

/// `sys_enter(regs, id)`: runs for every system call.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn connect_enter_raw(context: RawTracePointContext) -> i32 {
    if context.arg::<u64>(1) == u64::from(kernel_feature!(connect_number)) {
        enter_with_registers(Address(context.arg(0)));
    }
    0
}

/// `sys_exit(regs, ret)`: the calls map tells which ones matter; most threads are in none.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn connect_exit_raw(context: RawTracePointContext) -> i32 {
    returned(context.arg(1));
    0
}
