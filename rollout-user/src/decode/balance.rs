//! Records about IPVS.

use super::{DecodeError, flow, netns};
use crate::record::Body;
use crate::record::kernel::{
    BackendChosen, Chooser, DestinationChange, IpvsDestination, IpvsServiceGone,
};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::address::Tuple;
use rollout_ebpf::record::balance::{Balance, Change};

pub fn body(kind: Kind, wire: Balance) -> Result<Body, DecodeError> {
    let weight = (wire.has_weight != 0).then_some(wire.weight);
    let netns = netns(wire.netns);
    let destination = || wire.destination.socket_addr().ok_or(DecodeError::Address);
    Ok(match kind {
        Kind::BackendChosen => Body::BackendChosen(BackendChosen {
            flow: flow(Tuple { source: wire.client, destination: wire.service })?,
            backend: destination()?,
            weight,
            by: Chooser::Ipvs,
            netns,
        }),
        Kind::IpvsDestination => Body::IpvsDestination(IpvsDestination {
            change: change(wire.change)?,
            service: wire.service.socket_addr(),
            destination: destination()?,
            weight,
            result: wire.result,
            polled: false,
            netns,
        }),
        Kind::IpvsServiceGone => {
            Body::IpvsServiceGone(IpvsServiceGone { service: wire.service.socket_addr(), netns })
        }
        other => return Err(DecodeError::Kind(other as u32)),
    })
}

fn change(number: u8) -> Result<DestinationChange, DecodeError> {
    Ok(match Change::try_from(number).map_err(DecodeError::Change)? {
        Change::Add => DestinationChange::Add,
        Change::Edit => DestinationChange::Edit,
        Change::Delete => DestinationChange::Delete,
    })
}
