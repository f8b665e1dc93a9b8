//! Takes records away, as full disks and cut watches do.

use super::random::Random;
use super::truth::{END, MS};
use rollout::record::meta::{Loss, Stage};
use rollout::record::{Body, Record};

/// Loses what arrived in one or two spans, and says so. `cuts`: also what the watches say of themselves.
pub fn lose(records: &[Record], random: &mut Random, cuts: bool) -> Vec<Record> {
    let mut kept: Vec<Record> = records.to_vec();
    for _ in 0..=random.below(2) {
        let from = random.between(4000, END - 2) * MS;
        let to = from + random.between(1, 6000) * MS;
        let to = to.min((END - 1) * MS);
        let before = kept.len();
        kept.retain(|record| {
            let stays = match record.body {
                Body::Loss(_) | Body::Clock(_) => true,
                Body::Watch(_) => !cuts,
                _ => false,
            };
            stays || !(from < record.time_ns && record.time_ns <= to)
        });
        let count = (before - kept.len()) as u64;
        let loss = Loss { stage: Stage::Recording, program: String::new(), count, since_ns: from };
        let id = 1_000_000 + kept.len() as u64;
        kept.push(Record { id, time_ns: to, body: Body::Loss(loss) });
    }
    kept
}
