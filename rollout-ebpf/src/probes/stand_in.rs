//! Programs that no interrupt can make the kernel skip.
//!
//! In: a hook that a process and a softirq on top of it can both reach. Out: its work, done once.
//!
//! The kernel does not run a program that is already running on the same CPU, and only counts that. So each such hook
//! has two programs: the first does the work and says meanwhile that it is inside; the second does the work when the
//! first is inside, since then it was skipped, and counts it. What neither did is the first one's skipped runs less
//! the second one's count.

use super::emit::count;
use super::maps::{INSIDE, STOOD_IN};
use rollout_ebpf::program::Guarded;

/// Runs the first program's work.
#[inline(always)]
pub fn first(which: Guarded, work: impl FnOnce()) {
    let Some(inside) = INSIDE.get_ptr_mut(which as u32) else { return };
    // SAFETY: a map value of this CPU, which no other run of this program can reach meanwhile.
    unsafe { inside.write_volatile(1) };
    work();
    // SAFETY: as above.
    unsafe { inside.write_volatile(0) };
}

/// Runs the second program's work, if the first was skipped.
#[inline(always)]
pub fn second(which: Guarded, work: impl FnOnce()) {
    let Some(inside) = INSIDE.get_ptr(which as u32) else { return };
    // SAFETY: a map value of this CPU.
    if unsafe { inside.read_volatile() } == 0 {
        return;
    }
    count(&STOOD_IN, which as u32);
    work();
}
