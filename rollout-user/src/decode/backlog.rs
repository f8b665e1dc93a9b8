//! Records about full accept queues.

use super::{DecodeError, flow, netns};
use crate::record::Body;
use crate::record::kernel::BacklogFull;
use rollout_ebpf::record::backlog::Backlog;

pub fn body(wire: Backlog) -> Result<Body, DecodeError> {
    Ok(Body::BacklogFull(BacklogFull {
        flow: flow(wire.tuple)?,
        netns: netns(wire.netns),
        backlog: wire.backlog,
        limit: wire.limit,
        handshake_ack: wire.is_handshake_ack != 0,
    }))
}
