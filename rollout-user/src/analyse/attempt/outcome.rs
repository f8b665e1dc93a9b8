//! What came of a connect.
//!
//! In: a [`Draft`] and whether an ICMP error was sent about it. Out: the outcome, its time, the latency.

use super::super::report::attempt::Outcome;
use super::draft::{Draft, Key};

/// Linux errno values that decide an outcome.
pub mod errno {
    /// Broken pipe: a RST after the peer had closed its side.
    pub const EPIPE: i32 = 32;
    /// Network is down.
    pub const ENETDOWN: i32 = 100;
    /// Network is unreachable.
    pub const ENETUNREACH: i32 = 101;
    /// Connection reset by peer.
    pub const ECONNRESET: i32 = 104;
    /// Connection timed out.
    pub const ETIMEDOUT: i32 = 110;
    /// Connection refused.
    pub const ECONNREFUSED: i32 = 111;
    /// Host is down.
    pub const EHOSTDOWN: i32 = 112;
    /// No route to host.
    pub const EHOSTUNREACH: i32 = 113;
}

/// States in which a client's application has not closed its socket, so that a RST breaks what it still uses. In
/// FIN_WAIT and later states a RST only ends what the client had given up itself.
const IN_USE: [&str; 2] = ["ESTABLISHED", "CLOSE_WAIT"];

/// An outcome and its times.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What came of it.
    pub outcome: Outcome,
    /// When that was certain, ns; `None` while in progress.
    pub time_ns: Option<u64>,
    /// When the handshake was decided, ns: the last SYN before it is the one that was answered.
    pub decided_ns: Option<u64>,
    /// From the connect to the decision, ns.
    pub latency_ns: Option<u64>,
    /// Id of the record that decided.
    pub evidence: Option<u64>,
}

/// Decides. `icmp_seen`: an ICMP error about this tuple, or a missing destination, was seen during the attempt (F2).
pub fn outcome(key: &Key, draft: &Draft, icmp_seen: bool) -> Ended {
    if draft.established.is_some() || draft.closed.is_some() {
        return established(draft);
    }
    let sent_again = draft.retransmits.iter().filter(|e| e.what.errno.is_none()).count();
    if let Some(failed) = &draft.failed {
        let outcome = match (failed.what.errno, &draft.returned) {
            // No socket error, but the call returned one: the SYN never left (F3). A retransmit proves the contrary.
            (None, Some(returned)) if draft.retransmits.is_empty() => {
                Outcome::NeverSent { errno: returned.what.errno }
            }
            (None, _) => {
                Outcome::Abandoned { retransmits: u32::try_from(sent_again).unwrap_or(u32::MAX) }
            }
            (Some(errno), _) => by_errno(errno, draft, icmp_seen),
        };
        return ended(outcome, failed.time_ns, Some(failed.what.latency_ns), failed.id);
    }
    if let Some(returned) = &draft.returned {
        let errno = returned.what.errno;
        let outcome = match key {
            Key::NeverSent(_) => Outcome::NeverSent { errno },
            _ => by_errno(errno, draft, icmp_seen),
        };
        return ended(outcome, returned.time_ns, Some(returned.what.duration_ns), returned.id);
    }
    if let Some(reset) = draft.resets.iter().find(|e| e.what.state == "SYN_SENT") {
        let (begun, seen) = draft.begun();
        let latency = seen.then(|| reset.time_ns.saturating_sub(begun));
        return ended(Outcome::RefusedByRst, reset.time_ns, latency, reset.id);
    }
    let outcome = match draft.connect {
        Some(_) => Outcome::InProgress,
        None => Outcome::Unknown,
    };
    Ended { outcome, time_ns: None, decided_ns: None, latency_ns: None, evidence: None }
}

fn ended(outcome: Outcome, time_ns: u64, latency_ns: Option<u64>, id: u64) -> Ended {
    let time_ns = Some(time_ns);
    Ended { outcome, time_ns, decided_ns: time_ns, latency_ns, evidence: Some(id) }
}

fn by_errno(errno: i32, draft: &Draft, icmp_seen: bool) -> Outcome {
    let reset_seen = draft.resets.iter().any(|e| e.what.state == "SYN_SENT");
    match errno {
        errno::ECONNREFUSED if reset_seen => Outcome::RefusedByRst,
        errno::ECONNREFUSED if icmp_seen => Outcome::RefusedByIcmp,
        errno::ECONNREFUSED => Outcome::Refused,
        errno::ECONNRESET => Outcome::ResetBeforeEstablished,
        errno::ETIMEDOUT => Outcome::TimedOut,
        errno::ENETDOWN | errno::ENETUNREACH | errno::EHOSTDOWN | errno::EHOSTUNREACH => {
            Outcome::Unreachable { errno }
        }
        errno => Outcome::Failed { errno },
    }
}

/// The handshake was completed; a RST or an error while the client still used the connection breaks it (F7).
fn established(draft: &Draft) -> Ended {
    let decided = draft.established.as_ref();
    let whole = Ended {
        outcome: Outcome::Established,
        time_ns: decided.map(|e| e.time_ns),
        decided_ns: decided.map(|e| e.time_ns),
        latency_ns: decided.map(|e| e.what.latency_ns),
        evidence: decided.map(|e| e.id),
    };
    if let Some(reset) = draft.resets.iter().find(|e| IN_USE.contains(&e.what.state.as_str())) {
        let errno = match reset.what.state.as_str() {
            "CLOSE_WAIT" => errno::EPIPE,
            _ => errno::ECONNRESET,
        };
        let outcome = Outcome::ResetAfterwards { errno };
        return Ended { outcome, time_ns: Some(reset.time_ns), evidence: Some(reset.id), ..whole };
    }
    // A RST that came after the client's own close leaves ECONNRESET on the socket too: not a failure.
    if draft.resets.is_empty()
        && let Some(closed) = &draft.closed
        && let Some(errno) = closed.what.errno
    {
        let outcome = Outcome::ResetAfterwards { errno };
        return Ended {
            outcome,
            time_ns: Some(closed.time_ns),
            evidence: Some(closed.id),
            ..whole
        };
    }
    whole
}
