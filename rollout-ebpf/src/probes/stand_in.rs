//! Programs that no interrupt can make the kernel skip.
//!
//! In: a hook that a process and a softirq on top of it can both reach. Out: its work, done once.
//!
//! The kernel does not run a program that is already running on the same CPU, and only counts that. So each such hook
//! has two programs: the first does the work and leaves a note of the event; the second takes the note away, or, where
//! there is none, does the work, since the first was skipped, and counts that.
//!
//! Notes are found by event, not by CPU: between the two programs a process may be moved to another one. A softirq that
//! interrupts the second program has its own second one skipped and leaves a note behind, which the next event of the
//! same kind on the same socket takes away.

use super::emit::count;
use super::maps::{NOTES, STOOD_IN};
use core::arch::asm;
use rollout_ebpf::program::Guarded;

/// Places for notes; few events are between their two programs at once.
pub const PLACES: u32 = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 12;
/// Places that are tried for one note.
const TRIES: u32 = 4;

/// One event at one hook.
#[derive(Clone, Copy)]
pub struct Event(u64);

impl Event {
    /// `object`: the kernel's address of what it happens to, a socket or a packet, both larger than 128 bytes; `kind`: below
    /// 16.
    #[inline(always)]
    pub fn of(which: Guarded, object: u64, kind: u32) -> Self {
        Self(object.wrapping_add(u64::from(which as u32 * 16 + kind)))
    }

    /// Its place, and those after it.
    #[inline(always)]
    fn place(self, attempt: u32) -> u32 {
        // Fibonacci hashing: the highest bits of the product depend on all of the address.
        let hash = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACE_BITS);
        (hash as u32).wrapping_add(attempt) % PLACES
    }
}

/// Runs the first program's work.
#[inline(always)]
pub fn first(event: Event, work: impl FnOnce()) {
    work();
    for attempt in 0..TRIES {
        let Some(note) = NOTES.get_ptr_mut(event.place(attempt)) else { return };
        if swap(note, 0, event.0) == 0 {
            return;
        }
    }
    // Only notes that were left behind can fill so many.
    if let Some(note) = NOTES.get_ptr_mut(event.place(0)) {
        // SAFETY: a map value.
        unsafe { note.write_volatile(event.0) };
    }
}

/// Runs the second program's work, if the first was skipped.
#[inline(always)]
pub fn second(which: Guarded, event: Event, work: impl FnOnce()) {
    for attempt in 0..TRIES {
        let Some(note) = NOTES.get_ptr_mut(event.place(attempt)) else { return };
        if swap(note, event.0, 0) == event.0 {
            return;
        }
    }
    count(&STOOD_IN, which as u32);
    work();
}

/// Writes `new` where `old` is, in one step; returns what was there.
#[inline(always)]
fn swap(note: *mut u64, old: u64, new: u64) -> u64 {
    let mut seen = old;
    // SAFETY: `note` points to a map value; the instruction reads and writes that alone.
    unsafe {
        asm!("r0 = cmpxchg_64({p} + 0, r0, {n})", p = in(reg) note, n = in(reg) new, inout("r0") seen);
    }
    seen
}
