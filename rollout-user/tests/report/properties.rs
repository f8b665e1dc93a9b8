//! What holds for every recording.

use crate::scenarios::{blog, clean, gap, listener_first};
use proptest::prelude::*;
use rollout::analyse::explain;
use rollout::analyse::report::attempt::{Attempt, SynClass};
use rollout::record::meta::{Loss, Stage};
use rollout::record::{Body, Record};

fn worlds() -> Vec<Vec<Record>> {
    vec![clean().records, blog().records, listener_first().records, gap().records]
}

pub fn is_kernel_event(body: &Body) -> bool {
    matches!(
        body,
        Body::Connect(_)
            | Body::ConnectReturned(_)
            | Body::Established(_)
            | Body::ConnectFailed(_)
            | Body::Closed(_)
            | Body::SynRetransmit(_)
            | Body::SynDropped(_)
            | Body::ResetReceived(_)
            | Body::BackendChosen(_)
            | Body::NoDestination(_)
            | Body::IcmpSent(_)
            | Body::Signal(_)
            | Body::Exit(_)
            | Body::ListenerOpened(_)
            | Body::ListenerClosed(_)
            | Body::IpvsDestination(_)
    )
}

/// Swaps as the numbers say.
fn shuffled(mut records: Vec<Record>, swaps: &[(usize, usize)]) -> Vec<Record> {
    let count = records.len();
    for (a, b) in swaps {
        records.swap(a % count, b % count);
    }
    records
}

fn stages() -> impl Strategy<Value = Stage> {
    prop::sample::select(vec![
        Stage::Ring,
        Stage::Map,
        Stage::Decode,
        Stage::Queue,
        Stage::Recording,
        Stage::Conntrack,
        Stage::Read,
        Stage::Table,
        Stage::Watch,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_records_does_not_matter(
        which in 0_usize..4,
        swaps in prop::collection::vec((any::<usize>(), any::<usize>()), 0..400)
    ) {
        let records = worlds().swap_remove(which);
        let wanted = explain(&records);
        prop_assert_eq!(explain(&shuffled(records, &swaps)), wanted);
    }

    /// Whatever is lost, and said to be lost, never makes exit code 0 of what was not, and never 0 at all.
    #[test]
    fn a_loss_never_makes_a_verdict_more_certain(
        which in 0_usize..4,
        from in 0_u64..12_000,
        length in 0_u64..3_000,
        stage in stages(),
        removed in any::<bool>(),
    ) {
        let records = worlds().swap_remove(which);
        let before = explain(&records).verdict;
        let at = |ms: u64| (crate::world::BASE_US + ms * 1_000) * 1_000;
        let (since_ns, until_ns) = (at(from), at(from + length));
        let lost = |record: &Record| {
            removed && is_kernel_event(&record.body) && (since_ns..=until_ns).contains(&record.time_ns)
        };
        let mut kept: Vec<Record> = records.into_iter().filter(|record| !lost(record)).collect();
        let id = kept.iter().map(|record| record.id).max().unwrap_or(0) + 1;
        let loss = Loss { stage, program: String::new(), count: 0, since_ns };
        kept.push(Record { id, time_ns: until_ns, body: Body::Loss(loss) });
        let after = explain(&kept).verdict;
        let overlaps = from + length >= 5_000;
        if overlaps {
            prop_assert!(after.exit_code != 0);
        }
        if before.exit_code != 0 {
            prop_assert!(after.exit_code != 0);
        }
        for doubt in &before.doubts {
            let kind = std::mem::discriminant(doubt);
            prop_assert!(after.doubts.iter().any(|d| std::mem::discriminant(d) == kind));
        }
    }

    #[test]
    fn classes_add_up_to_the_number_of_syns(
        which in 0_usize..4,
        removed in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let mut records = worlds().swap_remove(which);
        for at in removed {
            let count = records.len();
            if is_kernel_event(&records[at % count].body) {
                records.swap_remove(at % count);
            }
        }
        let report = explain(&records);
        let counts = report.verdict.syns;
        let sum = counts.pod + counts.dropped_in_ipvs + counts.no_destination
            + counts.not_sent + counts.undelivered + counts.unknown;
        prop_assert_eq!(counts.tried, sum);
        for attempt in &report.attempts {
            let not_sent = attempt.syns.iter().filter(|s| s.class == SynClass::NotSent).count();
            prop_assert_eq!(attempt.not_sent as usize, not_sent);
            prop_assert!(in_order(attempt));
        }
    }
}

fn in_order(attempt: &Attempt) -> bool {
    attempt.syns.is_sorted_by_key(|syn| syn.at.time_ns)
        && attempt.backends.is_sorted_by_key(|backend| backend.at.time_ns)
}
