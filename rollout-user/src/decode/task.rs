//! Records about init processes of containers.

use super::text;
use crate::record::Body;
use crate::record::kernel::{Exit, Signal};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::task::Task;

pub fn body(kind: Kind, wire: Task) -> Body {
    let (cgroup, pid, comm) = (wire.cgroup, wire.pid, text(wire.comm));
    if kind == Kind::Exit {
        let (status, signal) = ended(wire.exit_code);
        return Body::Exit(Exit { cgroup, pid, comm, status, signal });
    }
    Body::Signal(Signal {
        cgroup,
        pid,
        comm,
        signal: wire.signal,
        code: wire.code,
        result: wire.result,
        sender_pid: wire.sender_pid,
        sender_comm: text(wire.sender_comm),
    })
}

/// `task->exit_code`, as `wait(2)` has it: status in bits 8–15, else the signal in bits 0–6 (bit 7: core dumped).
fn ended(code: u32) -> (Option<u8>, Option<u8>) {
    match (code & 0x7f) as u8 {
        0 => (Some((code >> 8 & 0xff) as u8), None),
        signal => (None, Some(signal)),
    }
}
