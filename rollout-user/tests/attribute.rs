//! Attribution by example: hand-written worlds in which the right tag is obvious.

#[path = "attribute/world.rs"]
mod world;

use rollout::attribute::Histories;
use rollout::attribute::tag::{Certainty, PodState, StateAt};
use rollout::attribute::timeline::Happened;
use world::*;

#[test]
fn a_pod_goes_through_its_states() {
    let mut pod = pod("a", "10.0.0.1");
    let mut book = Book::started();
    book.pod(10_000, &starting(&pod, 10));
    pod = ready(&pod, 12);
    book.pod(12_500, &pod);
    pod = deleted(&pod, 40, 30);
    book.pod(40_500, &pod);
    let histories = book.histories();
    let at = |ms: u64| histories.pod_at_address(address("10.0.0.1"), ms * MS);
    assert_eq!(at(20_000).certainty, Certainty::Known);
    assert_eq!(at(20_000).state, Some(StateAt::Is(PodState::Ready)));
    assert_eq!(at(40_300).certainty, Certainty::Changing);
    let changing = StateAt::Changing { from: PodState::Ready, to: PodState::Terminating };
    assert_eq!(at(40_300).state, Some(changing));
    assert_eq!(at(41_000).state, Some(StateAt::Is(PodState::Terminating)));
    assert_eq!(at(41_000).pod.map(|pod| pod.uid), Some("a".to_owned()));
    let timeline = histories.timeline_of("a");
    let deletion = timeline.first(Happened::DeletionRequested).map(|one| one.seen_ns);
    assert_eq!(deletion, Some(40_500 * MS));
}

#[test]
fn an_address_that_nobody_claimed_is_unknown() {
    let tag = Histories::default().pod_at_address(address("10.0.0.9"), 5);
    assert_eq!((tag.certainty, tag.pod), (Certainty::Unknown, None));
}
