//! Attribution by property: random true worlds, seen through lagging, cut and lossy watches, and kernel events at
//! random times. Never a false `known`, never a wrong pod, never more certain for knowing less.

#[path = "attribute/lose.rs"]
mod lose;
#[path = "attribute/random.rs"]
mod random;
#[path = "attribute/truth.rs"]
mod truth;

use proptest::prelude::*;
use random::Random;
use rollout::attribute::Histories;
use rollout::attribute::tag::{Certainty, StateAt, Tag};
use rollout::record::Record;
use std::net::IpAddr;
use truth::{Conditions, MS, Truth};

fn conditions() -> impl Strategy<Value = Conditions> {
    let lag = prop_oneof![Just(0_u64), Just(100), Just(400)];
    (any::<u64>(), [lag.clone(), lag.clone(), lag], any::<[bool; 4]>(), -2000_i64..=200).prop_map(
        |(seed, lags, [cuts, repeats, updated, everything], skew)| Conditions {
            seed,
            lags,
            cuts,
            repeats,
            updated,
            everything,
            skew,
        },
    )
}

fn observed<'a>(records: impl Iterator<Item = &'a Record>) -> Histories {
    let mut histories = Histories::default();
    records.for_each(|record| histories.observe(record));
    histories
}

/// Events at random addresses and times that the watches had time to tell of.
fn events(world: &Truth, random: &mut Random) -> Vec<(IpAddr, u64)> {
    let addresses = world.addresses();
    let mut events = Vec::new();
    for _ in 0..150 {
        let address = addresses[random.below(addresses.len() as u64) as usize];
        events.push((address, random.between(0, truth::END - 500) * MS + random.below(MS)));
    }
    // Most of what can go wrong is close to a change.
    for moment in world.moments() {
        let at = (moment + random.below(900)).saturating_sub(450).min(truth::END - 500);
        let address = addresses[random.below(addresses.len() as u64) as usize];
        events.push((address, at * MS));
    }
    events
}

fn check_address(world: &Truth, histories: &Histories, address: IpAddr, time_ns: u64) {
    let tag = histories.pod_at_address(address, time_ns);
    let holder = world.holder(address, time_ns);
    let context = || format!("{address} at {time_ns}: {tag:?}, true holder {holder:?}");
    let named = matches!(tag.certainty, Certainty::Known | Certainty::Changing | Certainty::Stale);
    let Some(pod) = tag.pod.as_ref().filter(|_| named) else {
        assert_ne!(tag.certainty, Certainty::Known, "{}", context());
        return;
    };
    match &holder {
        Some(holder) => assert_eq!(&pod.uid, holder, "wrong pod: {}", context()),
        None => {
            let last = world.last_holder(address, time_ns).as_ref() == Some(&pod.uid);
            let next = world.next_holder(address, time_ns).as_ref() == Some(&pod.uid);
            let may = last || (next && tag.certainty != Certainty::Known);
            assert!(may, "nobody's address: {}", context());
        }
    }
    check_state(world, &tag, &pod.uid, time_ns);
}

fn check_state(world: &Truth, tag: &Tag, uid: &str, time_ns: u64) {
    // Slices lag behind their pods: at the end of a recording the last change is still to come.
    let by_slice = tag.pod.as_ref().is_some_and(|pod| pod.workload.is_none());
    if by_slice && time_ns > (truth::END - 4000) * MS {
        return;
    }
    let truth = world.state(uid, time_ns);
    if tag.certainty == Certainty::Known {
        assert_eq!(tag.state, truth.map(StateAt::Is), "false known: {uid} at {time_ns}: {tag:?}");
    }
}

fn check_uid(world: &Truth, histories: &Histories, uid: &str, time_ns: u64) {
    let Some(truth) = world.state(uid, time_ns) else { return };
    let tag = histories.pod_by_uid_at(uid, time_ns);
    check_state(world, &tag, uid, time_ns);
    let by_slice = tag.pod.as_ref().is_some_and(|pod| pod.workload.is_none());
    if tag.certainty == Certainty::Changing && !by_slice {
        let possible = histories.possible_states_at(uid, time_ns);
        assert!(possible.contains(&truth), "{uid} at {time_ns} is {truth:?}: {possible:?}");
    }
}

/// Known, changing, and the rest.
fn rank(tag: &Tag) -> u8 {
    match tag.certainty {
        Certainty::Known => 0,
        Certainty::Changing => 1,
        _ => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f28_no_tag_is_ever_wrong(conditions in conditions(), lossy in any::<bool>()) {
        check_truth(&conditions, lossy);
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(conditions in conditions()) {
        let world = Truth::new(&conditions);
        let mut random = Random::new(conditions.seed ^ 0x0dd);
        let records = lose::lose(&world.records, &mut random, true);
        let mut shuffled = records.clone();
        random.shuffle(&mut shuffled);
        let (one, other) = (observed(records.iter()), observed(shuffled.iter()));
        // Answers in between must not be remembered either.
        let mut asked = Histories::default();
        for record in &shuffled {
            asked.observe(record);
            let address = world.addresses()[0];
            asked.pod_at_address(address, record.time_ns);
        }
        for (address, time_ns) in events(&world, &mut random) {
            let tag = one.pod_at_address(address, time_ns);
            prop_assert_eq!(&tag, &other.pod_at_address(address, time_ns));
            prop_assert_eq!(&tag, &asked.pod_at_address(address, time_ns));
        }
        for uid in world.uids() {
            prop_assert_eq!(one.timeline_of(&uid), other.timeline_of(&uid));
        }
        prop_assert_eq!(one.gaps(0, u64::MAX), other.gaps(0, u64::MAX));
    }

    #[test]
    fn more_loss_never_makes_a_tag_more_certain(conditions in conditions()) {
        check_loss(&conditions);
    }
}

fn check_truth(conditions: &Conditions, lossy: bool) {
    let world = Truth::new(conditions);
    let mut random = Random::new(conditions.seed ^ 0x5eed);
    let mut records = world.records.clone();
    if lossy {
        records = lose::lose(&records, &mut random, true);
    }
    random.shuffle(&mut records);
    let histories = observed(records.iter());
    for (address, time_ns) in events(&world, &mut random) {
        check_address(&world, &histories, address, time_ns);
    }
    for uid in world.uids() {
        for moment in world.moments_of(&uid) {
            let at = (moment + random.below(900)).saturating_sub(450).min(truth::END - 500);
            check_uid(&world, &histories, &uid, at * MS);
        }
    }
}

/// A rare world: a pod that lived during a cut alone took a dead pod's address.
#[test]
fn a_pod_that_nobody_saw_may_have_had_the_address_since() {
    let conditions = Conditions {
        seed: 14589113055526555185,
        lags: [400, 400, 0],
        cuts: true,
        ..Conditions::default()
    };
    check_truth(&conditions, false);
}

fn check_loss(conditions: &Conditions) {
    let world = Truth::new(conditions);
    let mut random = Random::new(conditions.seed ^ 0x1055);
    // A lost `Cut` hides a gap: whether a wrong tag follows is the first property's business.
    let fewer = lose::lose(&world.records, &mut random, false);
    let (all, some) = (observed(world.records.iter()), observed(fewer.iter()));
    for (address, time_ns) in events(&world, &mut random) {
        let (before, after) =
            (all.pod_at_address(address, time_ns), some.pod_at_address(address, time_ns));
        assert!(
            rank(&after) >= rank(&before),
            "{address} at {time_ns}: {before:?}, with loss {after:?}"
        );
    }
}

/// A rare world: the only hint at a pod's end follows a cut, and the end itself is lost.
#[test]
fn a_lost_end_does_not_make_the_time_before_a_cut_surer() {
    let conditions = Conditions {
        seed: 16857101726472536389,
        lags: [0, 100, 0],
        cuts: true,
        repeats: true,
        ..Conditions::default()
    };
    check_loss(&conditions);
}

/// The properties would hold for an attribution that knows nothing.
#[test]
fn most_events_are_known_when_the_watches_work() {
    let (mut known, mut all) = (0, 0);
    for seed in 0..30 {
        let conditions =
            Conditions { seed, lags: [100; 3], updated: true, ..Conditions::default() };
        let world = Truth::new(&conditions);
        let histories = observed(world.records.iter());
        let mut random = Random::new(seed);
        for _ in 0..200 {
            let addresses = world.addresses();
            let address = addresses[random.below(addresses.len() as u64) as usize];
            let time_ns = random.between(8000, truth::END - 500) * MS;
            let Some(holder) = world.holder(address, time_ns) else { continue };
            if !world.local(&holder) {
                continue;
            }
            all += 1;
            known +=
                u32::from(histories.pod_at_address(address, time_ns).certainty == Certainty::Known);
        }
    }
    assert!(known * 100 > all * 55, "{known} of {all} are known");
}
