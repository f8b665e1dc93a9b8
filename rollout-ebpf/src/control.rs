//! Settings that user space changes while the programs run.
//!
//! In: the filter's switches and what was attached. Out: [`Control`], the one value of the map `CONTROL`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The one value of the map `CONTROL`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Control {
    /// Not 0: only flows with a port in `PORTS`.
    pub by_port: u32,
    /// Not 0: leave out what `DENIED_NETNS` names.
    pub by_netns: u32,
    /// Not 0: leave out what `DENIED_CGROUPS` names, with everything below it.
    pub by_cgroup: u32,
    /// Not 0: `tcp_connect` is hooked and tells that a connect begins, with its port.
    pub connect_hooked: u32,
    /// Not 0: resets in answer to a segment are told by function hooks; the tracepoint tells only those without one.
    pub reset_functions_hooked: u32,
}

const _: () = assert!(size_of::<Control>() == 20);
