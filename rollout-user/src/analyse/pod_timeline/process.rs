//! Signals and exits of a pod's containers, teardown left out (F22, F23).
//!
//! In: the records behind a pod's moments. Out: which of them are the container's stop, and words for them.

use super::Facts;
use crate::record::signal::signal_name;

/// `SI_KERNEL`: the kernel itself sent it, e.g. a dying init to its pid namespace.
const SI_KERNEL: i32 = 128;
/// `TRACE_SIGNAL_IGNORED`: init has no handler for it.
const IGNORED: u32 = 1;

/// Whether a signal asks a container to stop.
pub fn is_stop(evidence: u64, facts: &Facts) -> bool {
    // SIGHUP reloads, SIGWINCH and SIGURG mean nothing here; what stops an image is one of these or is its own choice.
    const NOT_A_STOP: [u32; 5] = [1, 17, 18, 23, 28];
    facts
        .signals
        .get(&evidence)
        .is_none_or(|signal| signal.code != SI_KERNEL && !NOT_A_STOP.contains(&signal.signal))
}

/// `SIGTERM`, `SIGTERM ignored`.
pub fn signal(evidence: u64, facts: &Facts) -> String {
    let Some(signal) = facts.signals.get(&evidence) else { return String::new() };
    let ignored = if signal.result == IGNORED { " ignored" } else { "" };
    format!("{}{ignored}", signal_name(signal.signal))
}

/// `status 0`, `killed by SIGKILL`.
pub fn exit(evidence: u64, facts: &Facts) -> String {
    let Some(exit) = facts.exits.get(&evidence) else { return String::new() };
    match (exit.status, exit.signal) {
        (_, Some(signal)) => format!("killed by {}", signal_name(u32::from(signal))),
        (Some(status), None) => format!("status {status}"),
        (None, None) => String::new(),
    }
}
