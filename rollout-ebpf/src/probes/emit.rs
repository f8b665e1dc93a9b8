//! Writing into the ring, and counting what could not be written.

use super::maps::{EVENTS, LAST_ATTEMPT, LOSSES};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::maps::Array;
use core::arch::asm;
use rollout_ebpf::program::{LossPlace, Program, loss_counter};
use rollout_ebpf::record::{Header, Kind};

/// A header for something that happens now.
#[inline(always)]
pub fn now(kind: Kind) -> Header {
    Header::new(now_ns(), kind)
}

/// `CLOCK_MONOTONIC` in ns.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// Writes one record, or counts that the ring was full.
#[inline(always)]
pub fn emit<T: 'static>(program: Program, record: T) {
    match EVENTS.reserve::<T>(0) {
        Some(mut entry) => {
            entry.write(record);
            entry.submit(0);
        }
        None => lost(program, LossPlace::Ring),
    }
}

/// Counts a loss.
#[inline(always)]
pub fn lost(program: Program, place: LossPlace) {
    count(&LOSSES, loss_counter(program, place));
}

/// Adds one to a counter. Atomic: other CPUs use it too, and a program may be interrupted by itself.
#[inline(always)]
pub fn count(counters: &Array<u64>, index: u32) {
    if let Some(counter) = counters.get_ptr_mut(index) {
        // SAFETY: a map value; the instruction only adds to it.
        unsafe { asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) counter, v = in(reg) 1u64) };
    }
}

/// The next attempt's number, from 1; 0 if there is none.
#[inline(always)]
pub fn next_attempt() -> u64 {
    let Some(counter) = LAST_ATTEMPT.get_ptr_mut(0) else { return 0 };
    let mut value = 1u64;
    // SAFETY: a map value; the instruction adds to it and returns what was there.
    unsafe {
        asm!("{v} = atomic_fetch_add((u64 *)({p} + 0), {v})", p = in(reg) counter, v = inout(reg) value);
    }
    value.wrapping_add(1)
}
