//! Records about packets.

use super::names::{Names, reason};
use super::{DecodeError, flow, netns, state};
use crate::record::Body;
use crate::record::kernel::{IcmpSent, NoDestination, ResetSent, SynAckRetransmit, SynDropped};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::packet::Packet;

pub fn body(kind: Kind, wire: Packet, names: &Names) -> Result<Body, DecodeError> {
    let (flow, netns) = (flow(wire.tuple)?, netns(wire.netns));
    let named = |known| (wire.has_reason != 0).then(|| reason(known, wire.reason));
    Ok(match kind {
        Kind::SynDropped => Body::SynDropped(SynDropped {
            flow,
            netns,
            reason: named(&names.drop_reasons),
            location: names.functions.at(wire.location).map(str::to_owned),
        }),
        Kind::ResetSent => Body::ResetSent(ResetSent {
            flow,
            netns,
            has_socket: wire.has_socket != 0,
            state: (wire.has_socket != 0).then(|| state(wire.state)),
            reason: named(&names.reset_reasons),
        }),
        Kind::SynAckRetransmit => Body::SynAckRetransmitted(SynAckRetransmit { flow, netns }),
        Kind::NoDestination => Body::NoDestination(NoDestination { flow, netns }),
        Kind::IcmpSent => Body::IcmpSent(IcmpSent {
            flow,
            netns,
            icmp_type: wire.icmp_type,
            code: wire.icmp_code,
        }),
        other => return Err(DecodeError::Kind(other as u32)),
    })
}
