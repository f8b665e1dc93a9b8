//! What user space does not want to see. Open for everything that it has not ruled out (F17).

use super::maps::{CONTROL, DENIED_CGROUPS, DENIED_NETNS, PORTS};
use super::memory::{Address, offset};
use super::task;
use rollout_ebpf::control::Control;
use rollout_ebpf::record::address::{Space, Tuple};

/// Levels of the cgroup tree that are climbed. A pod's container lies at most six deep, nested ones deeper.
const MAX_DEPTH: u32 = 12;

/// The settings of this moment.
#[inline(always)]
pub fn control() -> Option<&'static Control> {
    CONTROL.get(0)
}

/// Whether a flow in a namespace is wanted. Either end's port may be the one that matters.
#[inline(always)]
pub fn wants_flow(control: &Control, netns: &Space, tuple: &Tuple) -> bool {
    wants_netns(control, netns)
        && (control.by_port == 0
            || is_port_wanted(tuple.destination.port_bytes())
            || is_port_wanted(tuple.source.port_bytes()))
}

#[inline(always)]
fn is_port_wanted(port: [u8; 2]) -> bool {
    PORTS.get_ptr(u16::from_be_bytes(port)).is_some()
}

#[inline(always)]
fn wants_netns(control: &Control, netns: &Space) -> bool {
    control.by_netns == 0 || DENIED_NETNS.get_ptr(netns.inum).is_none()
}

/// Whether a cgroup (`struct cgroup *`) is wanted: neither it nor one above it was ruled out.
#[inline(always)]
pub fn wants_cgroup(control: &Control, cgroup: Option<Address>) -> bool {
    if control.by_cgroup == 0 {
        return true;
    }
    let mut level = cgroup;
    for _ in 0..MAX_DEPTH {
        let Some(group) = level else { return true };
        if DENIED_CGROUPS.get_ptr(task::cgroup_id(Some(group))).is_some() {
            return false;
        }
        level = group
            .follow(offset!(cgroup_parent))
            .and_then(|parent| parent.follow(offset!(css_cgroup)));
    }
    true
}
