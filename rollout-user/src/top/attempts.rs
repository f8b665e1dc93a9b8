//! What one event adds to the counts: a SYN, a failure, a connect that was slowed.
//!
//! In: events in order of time. Out: [`Added`]. A connect is slow if its SYN had to be sent again before it succeeded.

use super::window::Sums;
use crate::record::Body;
use std::collections::BTreeSet;

/// Attempts of either kind that are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 65_536;

/// Remembers what later events of an attempt are judged by.
#[derive(Default)]
pub struct Attempts {
    resent: BTreeSet<u64>,
    /// Their first SYN is counted for a backend when an event tells the port (F5).
    portless: BTreeSet<u64>,
}

/// What an event adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// In all.
    pub all: Sums,
    /// For the backend that the event went to.
    pub backend: Sums,
}

impl Attempts {
    /// What the event adds.
    pub fn count(&mut self, body: &Body) -> Added {
        let all = self.sums(body);
        let late = match body {
            Body::Connect(event) if event.flow.source_port.is_none() => {
                remember(&mut self.portless, event.attempt);
                return Added { all, backend: Sums::default() };
            }
            Body::Established(event) => self.portless.remove(&event.attempt),
            Body::ConnectFailed(event) => self.portless.remove(&event.attempt),
            _ => false,
        };
        Added { all, backend: Sums { events: 0, syns: all.syns + u64::from(late), ..all } }
    }

    fn sums(&mut self, body: &Body) -> Sums {
        let one = Sums { events: 1, ..Sums::default() };
        match body {
            Body::Connect(_) => Sums { syns: 1, ..one },
            Body::SynRetransmit(event) if event.errno.is_none() => {
                event.attempt.into_iter().for_each(|attempt| remember(&mut self.resent, attempt));
                Sums { syns: 1, resent: 1, ..one }
            }
            Body::Established(event) => {
                Sums { slowed: u64::from(self.resent.remove(&event.attempt)), ..one }
            }
            Body::ConnectFailed(event) => {
                self.resent.remove(&event.attempt);
                Sums { failed: 1, ..one }
            }
            // It never came to a SYN, and no other event tells of it (F3).
            Body::ConnectReturned(event) if event.attempt.is_none() => Sums { failed: 1, ..one },
            _ => one,
        }
    }
}

fn remember(attempts: &mut BTreeSet<u64>, attempt: u64) {
    attempts.insert(attempt);
    if attempts.len() > REMEMBERED {
        attempts.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::kernel::{Connect, ConnectFailed, Established, Flow, Netns, SynRetransmit};

    fn flow(source_port: Option<u16>) -> Flow {
        let destination = "10.96.0.1:80".parse().expect("an address");
        Flow { source: None, source_port, destination }
    }

    fn resent(attempt: u64, errno: Option<i32>) -> Body {
        let (flow, netns) = (flow(Some(1)), Netns::default());
        Body::SynRetransmit(SynRetransmit { attempt: Some(attempt), flow, netns, errno })
    }

    fn established(attempt: u64) -> Body {
        Body::Established(Established { attempt, flow: flow(Some(1)), latency_ns: 1 })
    }

    #[test]
    fn slow_is_what_succeeded_after_its_syn_was_sent_again() {
        let mut attempts = Attempts::default();
        let flow = flow(Some(1));
        let failed = ConnectFailed { attempt: 3, flow, errno: Some(110), latency_ns: 1 };
        assert_eq!(attempts.count(&resent(1, None)).all.resent, 1);
        assert_eq!(attempts.count(&resent(2, Some(1))).all.syns, 0, "it was not sent");
        attempts.count(&resent(3, None));
        assert_eq!(attempts.count(&established(1)).backend.slowed, 1);
        assert_eq!(attempts.count(&established(1)).backend.slowed, 0, "once");
        assert_eq!(attempts.count(&established(2)).backend.slowed, 0);
        let sums = attempts.count(&Body::ConnectFailed(failed)).all;
        assert_eq!((sums.failed, sums.slowed), (1, 0));
        assert!(attempts.resent.is_empty());
    }

    #[test]
    fn f05_a_first_syn_without_its_port_is_counted_for_the_backend_that_it_turns_out_to_have() {
        let mut attempts = Attempts::default();
        let connect = |source_port| {
            Body::Connect(Connect {
                attempt: 1,
                flow: flow(source_port),
                netns: Netns::default(),
                cgroup: 0,
                pid: 1,
                comm: String::new(),
            })
        };
        let syns = |added: Added| (added.all.syns, added.backend.syns);
        assert_eq!(syns(attempts.count(&connect(None))), (1, 0));
        assert_eq!(syns(attempts.count(&established(1))), (0, 1));
        assert_eq!(syns(attempts.count(&connect(Some(1)))), (1, 1));
        assert_eq!(syns(attempts.count(&established(1))), (0, 0));
    }
}
