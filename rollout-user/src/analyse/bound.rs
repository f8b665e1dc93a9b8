//! A bound on memory: a recording can name more objects than a machine can hold.
//!
//! In: records of the first pass. Out: whether one is still to be taken in, and what was refused as a [`Loss`], which
//! lowers the certainty of what overlaps it. Kernel events are not kept in the first pass and always pass.

use crate::record::meta::{Loss, Stage};
use crate::record::{Body, Record};

/// What observations may take together, bytes: a few times what a node of the largest clusters sees in an hour.
const LIMIT: u64 = 1536 << 20;
/// What a pod's version takes in histories, roughly, bytes.
const POD: u64 = 5_200;
/// The same for one endpoint of a slice's version.
const ENDPOINT: u64 = 1_000;
/// The same for any other object.
const OBJECT: u64 = 3_000;

/// What observations have taken so far.
#[derive(Debug)]
pub struct Bound {
    limit: u64,
    taken: u64,
    refused: u64,
    since_ns: u64,
    last_id: u64,
}

impl Default for Bound {
    fn default() -> Self {
        Self::of(LIMIT)
    }
}

impl Bound {
    fn of(limit: u64) -> Self {
        Self { limit, taken: 0, refused: 0, since_ns: u64::MAX, last_id: 0 }
    }

    /// Whether there is room for a record's observation.
    pub fn admits(&mut self, record: &Record) -> bool {
        let taken = self.taken.saturating_add(size(&record.body));
        if taken <= self.limit || taken == self.taken {
            self.taken = taken;
            return true;
        }
        self.refused += 1;
        self.since_ns = self.since_ns.min(record.time_ns);
        self.last_id = self.last_id.max(record.id);
        false
    }

    /// What was refused, if anything: from the first on, nothing that is known of any object is sure. `end_ns`: the
    /// recording's last time.
    pub fn loss(&self, end_ns: u64) -> Option<Record> {
        let loss = Loss {
            stage: Stage::Read,
            program: "more objects than fit into memory".to_owned(),
            count: self.refused,
            since_ns: self.since_ns,
        };
        let record = Record { id: self.last_id, time_ns: end_ns, body: Body::Loss(loss) };
        (self.refused > 0).then_some(record)
    }
}

fn size(body: &Body) -> u64 {
    match body {
        Body::Pod(_) => POD,
        Body::EndpointSlice(slice) => {
            let endpoints = u64::try_from(slice.object.endpoints.len()).unwrap_or(u64::MAX);
            OBJECT.saturating_add(endpoints.saturating_mul(ENDPOINT))
        }
        Body::Service(_)
        | Body::ReplicaSet(_)
        | Body::Deployment(_)
        | Body::StatefulSet(_)
        | Body::DaemonSet(_)
        | Body::ControllerRevision(_) => OBJECT,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::cluster::{Observed, Pod};
    use crate::record::table::KubeletProcess;

    fn pod(id: u64) -> Record {
        let observed = Observed { present: true, not_before_ns: 0, object: Pod::default() };
        Record { id, time_ns: id * 10, body: Body::Pod(observed) }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_passes() {
        let mut bound = Bound::of(2 * POD);
        assert!(bound.admits(&pod(1)) && bound.admits(&pod(2)));
        assert!(bound.loss(99).is_none());
        assert!(!bound.admits(&pod(3)) && !bound.admits(&pod(4)));
        let other = Body::KubeletProcess(KubeletProcess::default());
        assert!(bound.admits(&Record { id: 5, time_ns: 50, body: other }));
        let record = bound.loss(99).expect("a loss");
        let Body::Loss(loss) = record.body else { panic!("{record:?}") };
        assert_eq!((loss.count, loss.since_ns, record.time_ns), (2, 30, 99));
        assert_eq!(loss.stage, Stage::Read);
    }
}
