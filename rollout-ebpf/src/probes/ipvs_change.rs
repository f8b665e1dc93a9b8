//! Changes of the IPVS table: destinations with the call's result, services deleted (F11).

use super::emit::{emit, lost, now};
use super::ipvs_choice::{endpoint, netns};
use super::maps::IPVS_CALLS;
use super::memory::{Address, module_offset};
use super::socket::TCP;
use super::task;
use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use rollout_ebpf::program::{LossPlace, Program};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::address::{Endpoint, Space};
use rollout_ebpf::record::balance::{self, Balance};

/// A call that is under way: its arguments, read at entry.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Change {
    netns: Space,
    service: Endpoint,
    destination: Endpoint,
    weight: i32,
    change: u8,
    padding: [u8; 3],
}

#[inline(always)]
fn service_of(service: Address) -> Option<Endpoint> {
    if service.read::<u32>(module_offset!(service_fwmark))? != 0 {
        return Some(Endpoint::NONE);
    }
    let address = module_offset!(service_address);
    Some(endpoint(
        service.read(module_offset!(service_family))?,
        service.plus(u64::from(address)),
        service.read(module_offset!(service_port))?,
    ))
}

#[inline(always)]
fn is_tcp(service: Address) -> bool {
    // A firewall-mark service has protocol 0 and serves TCP too.
    matches!(service.read::<u16>(module_offset!(service_protocol)), Some(TCP | 0))
}

/// `(struct ip_vs_service *svc, struct ip_vs_dest_user_kern *udest)`.
#[inline(always)]
fn called(context: &ProbeContext, change: balance::Change) -> Option<()> {
    let (service, user) = (Address(context.arg(0)?), Address(context.arg(1)?));
    if !is_tcp(service) {
        return None;
    }
    let address = module_offset!(user_address);
    let destination = endpoint(
        user.read(module_offset!(user_family))?,
        user.plus(u64::from(address)),
        user.read(module_offset!(user_port))?,
    );
    let call = Change {
        netns: netns(service.follow(module_offset!(service_ipvs))),
        service: service_of(service)?,
        destination,
        weight: user.read(module_offset!(user_weight))?,
        change: change as u8,
        padding: [0; 3],
    };
    if IPVS_CALLS.insert(task::thread(), &call, 0).is_err() {
        lost(Program::IpvsDestination, LossPlace::Map);
    }
    Some(())
}

/// Told at the return, when it is known whether it worked.
#[kretprobe]
pub fn ipvs_returned(context: RetProbeContext) -> u32 {
    let thread = task::thread();
    let Some(found) = IPVS_CALLS.get_ptr(thread) else { return 0 };
    // SAFETY: a map value that only this thread touches.
    let call = unsafe { *found };
    // Fails only where there was none.
    let _ = IPVS_CALLS.remove(thread);
    let is_delete = call.change == balance::Change::Delete as u8;
    emit(
        Program::IpvsDestination,
        Balance {
            header: now(Kind::IpvsDestination),
            netns: call.netns,
            client: Endpoint::NONE,
            service: call.service,
            destination: call.destination,
            weight: if is_delete { 0 } else { call.weight },
            result: context.ret(),
            change: call.change,
            has_weight: u8::from(!is_delete),
            padding: [0; 2],
        },
    );
    0
}

/// `ip_vs_add_dest`.
#[kprobe]
pub fn ipvs_add(context: ProbeContext) -> u32 {
    let _ = called(&context, balance::Change::Add);
    0
}

/// `ip_vs_edit_dest`.
#[kprobe]
pub fn ipvs_edit(context: ProbeContext) -> u32 {
    let _ = called(&context, balance::Change::Edit);
    0
}

/// `ip_vs_del_dest`.
#[kprobe]
pub fn ipvs_delete(context: ProbeContext) -> u32 {
    let _ = called(&context, balance::Change::Delete);
    0
}

/// `ip_vs_unlink_service(svc, …)`: the service goes, and its destinations with it.
#[kprobe]
pub fn ipvs_unlink(context: ProbeContext) -> u32 {
    let _ = unlinked(&context);
    0
}

#[inline(always)]
fn unlinked(context: &ProbeContext) -> Option<()> {
    let service = Address(context.arg(0)?);
    if is_tcp(service) {
        gone(service_of(service)?, netns(service.follow(module_offset!(service_ipvs))));
    }
    Some(())
}

/// `ip_vs_flush(ipvs, …)`: the whole table.
#[kprobe]
pub fn ipvs_flush(context: ProbeContext) -> u32 {
    if let Some(ipvs) = context.arg(0) {
        gone(Endpoint::NONE, netns(Some(Address(ipvs))));
    }
    0
}

#[inline(always)]
fn gone(service: Endpoint, netns: Space) {
    emit(
        Program::IpvsService,
        Balance {
            header: now(Kind::IpvsServiceGone),
            netns,
            client: Endpoint::NONE,
            service,
            destination: Endpoint::NONE,
            weight: 0,
            result: 0,
            change: 0,
            has_weight: 0,
            padding: [0; 2],
        },
    );
}
