//! Backend choices of IPVS, and packets for which it had none (F1, F2).

use super::emit::{emit, now};
use super::filter;
use super::memory::{Address, module_offset};
use super::packet;
use super::socket::{AF_INET, AF_INET6, TCP, space};
use aya_ebpf::{macros::kprobe, programs::ProbeContext};
use rollout_ebpf::program::Program;
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::address::{Endpoint, Space, Tuple};
use rollout_ebpf::record::balance::Balance;
use rollout_ebpf::record::packet::Packet;

/// `IP_VS_CONN_F_TEMPLATE`: an entry of persistence, not a connection.
const TEMPLATE: u32 = 0x1000;

/// A `union nf_inet_addr` in the kernel with its port.
#[inline(always)]
pub fn endpoint(family: u16, address: Address, port: [u8; 2]) -> Endpoint {
    match family {
        AF_INET => address.read(0).map_or(Endpoint::NONE, |bytes| Endpoint::v4(bytes, port)),
        AF_INET6 => address.read(0).map_or(Endpoint::NONE, |bytes| Endpoint::v6(bytes, port)),
        _ => Endpoint::NONE,
    }
}

/// The namespace of a `struct netns_ipvs *`.
#[inline(always)]
pub fn netns(ipvs: Option<Address>) -> Space {
    space(ipvs.and_then(|ipvs| ipvs.follow(module_offset!(ipvs_net))))
}

/// `ip_vs_conn_new(p, dest_af, daddr, dport, flags, dest, fwmark)`: a new entry, so a choice.
#[kprobe]
pub fn ipvs_choice(context: ProbeContext) -> u32 {
    let _ = choice(&context);
    0
}

#[inline(always)]
fn choice(context: &ProbeContext) -> Option<()> {
    let parameters = Address(context.arg(0)?);
    let flags = context.arg::<u32>(4)?;
    if parameters.read::<u16>(module_offset!(param_protocol))? != TCP || flags & TEMPLATE != 0 {
        return None;
    }
    let family = parameters.read::<u16>(module_offset!(param_family))?;
    let client = endpoint(
        family,
        Address(parameters.read(module_offset!(param_client))?),
        parameters.read(module_offset!(param_client_port))?,
    );
    let service = endpoint(
        family,
        Address(parameters.read(module_offset!(param_virtual))?),
        parameters.read(module_offset!(param_virtual_port))?,
    );
    let port = context.arg::<u16>(3)?.to_ne_bytes();
    let destination = endpoint(context.arg::<u16>(1)?, Address(context.arg(2)?), port);
    let netns = netns(parameters.follow(module_offset!(param_ipvs)));
    if !filter::wants_flow(
        filter::control()?,
        &netns,
        &Tuple { source: client, destination: service },
    ) {
        return None;
    }
    let weight = Address(context.arg(5)?).read::<i32>(module_offset!(dest_weight));
    emit(
        Program::IpvsChoice,
        Balance {
            header: now(Kind::BackendChosen),
            netns,
            client,
            service,
            destination,
            weight: weight.unwrap_or(0),
            result: 0,
            change: 0,
            has_weight: u8::from(weight.is_some()),
            padding: [0; 2],
        },
    );
    Some(())
}

/// `ip_vs_leave(svc, skb, …)`: the packet gets ICMP, or passes if it is meant for another program of the node.
#[kprobe]
pub fn no_destination(context: ProbeContext) -> u32 {
    let _ = leave(&context);
    0
}

#[inline(always)]
fn leave(context: &ProbeContext) -> Option<()> {
    let service = Address(context.arg(0)?);
    let segment = packet::segment(Address(context.arg(1)?))?;
    let netns = netns(service.follow(module_offset!(service_ipvs)));
    if !filter::wants_flow(filter::control()?, &netns, &segment.tuple) {
        return None;
    }
    emit(Program::NoDestination, Packet::of(now(Kind::NoDestination), netns, segment.tuple));
    Some(())
}
