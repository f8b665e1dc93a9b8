//! What the screen shows of updates: made ones and real ones.

use crate::play::{Moment, SECOND_NS, check, recording, scenario, setting};
use rollout::record::kernel::Connect;
use rollout::record::{Body, Record};
use rollout::top::view::View;
use std::collections::BTreeMap;

/// Of the made updates.
const KUBELET_CGROUP: u64 = 6_000;
const BIG: (u16, u16) = (120, 40);
const USUAL: (u16, u16) = (80, 24);

#[test]
fn an_update_with_failures_in_its_middle() {
    let mut moment = Moment::of(&scenario("blog"), 12 * SECOND_NS, setting());
    check("top_blog_80x24", &moment.screen(&[], USUAL));
    check("top_blog_120x40", &moment.screen(&[], BIG));
    check("top_blog_60x15", &moment.screen(&[], (60, 15)));
}

#[test]
fn real_updates_in_their_middle() {
    for name in ["plain", "stalled"] {
        let mut moment = Moment::of(&recording(name), 22 * SECOND_NS, setting());
        check(&format!("top_{name}"), &moment.screen(&[], BIG));
    }
}

/// The picture of the documentation.
#[test]
fn the_page_shows_what_is_shown() {
    let mut moment = Moment::of(&recording("stalled"), 28 * SECOND_NS, setting());
    let shown = moment.screen(&[], USUAL);
    check("top_page", &shown);
    let page = include_str!("../../../docs/top.md");
    assert!(page.contains(&shown), "docs/top.md has another picture");
}

/// Each event is counted once, and the counts of a whole recording are those of its records.
#[test]
fn totals_are_those_of_the_records() {
    let records = scenario("blog");
    let mut moment = Moment::of(&records, 100 * SECOND_NS, setting());
    let all = records.iter().filter(|record| rollout::stream::select::is_event(&record.body));
    assert_eq!(moment.view().head.total, all.count() as u64);
    assert!(moment.top.footer().lost.is_empty());
}

/// Twenty SYNs a second are twenty, at whatever moment of a second one looks, and from the second second on.
#[test]
fn a_steady_rate_is_told_as_it_is() {
    let Some(Body::Connect(one)) = scenario("blog")
        .into_iter()
        .find_map(|record| matches!(record.body, Body::Connect(_)).then_some(record.body))
    else {
        panic!("no connect")
    };
    let records: Vec<Record> = (1..=800)
        .map(|id| Record {
            id,
            time_ns: 7 * SECOND_NS + id * SECOND_NS / 20,
            body: Body::Connect(Connect { attempt: id, ..one.clone() }),
        })
        .collect();
    let mut moment = Moment::of(&records, 3 * SECOND_NS, setting());
    for _ in 0..40 {
        let head = moment.view().head;
        assert_eq!((head.syns, head.events), (20.0, 20.0), "at {} ns", moment.now_ns);
        moment.go_on(&records, SECOND_NS / 7 * 5);
    }
    moment.go_on(&records, 20 * SECOND_NS);
    assert_eq!(moment.view().head.syns, 0.0);
}

/// kubelet knocks at the new pod's door once a second; what counts is what users sent.
#[test]
fn f25_probes_are_in_no_count() {
    let records = scenario("blog");
    let of_kubelet = |body: &Body| match body {
        Body::Connect(connect) => connect.cgroup == KUBELET_CGROUP,
        _ => false,
    };
    let probes = records.iter().filter(|record| of_kubelet(&record.body)).count();
    assert!(probes > 0);
    let is_syn = |body: &Body| match body {
        Body::SynRetransmit(again) => again.errno.is_none(),
        body => matches!(body, Body::Connect(_)) && !of_kubelet(body),
    };
    let mut moment = Moment::of(&records, 30 * SECOND_NS, setting());
    let syns = records.iter().filter(|record| is_syn(&record.body)).count() as u64;
    let view = moment.view();
    assert_eq!(view.head.last_60.syns, syns);
    assert_eq!(view.backends.iter().map(|row| row.counts.last_60.syns).sum::<u64>(), syns);
}

/// SYNs of a minute, by what the records say and by what the screen says: pods and backends add up to the whole.
#[test]
fn pods_and_backends_add_up() {
    let records = recording("plain");
    let mut moment = Moment::of(&records, 30 * SECOND_NS, setting());
    let view: View = moment.view();
    let until_ns = moment.now_ns;
    let since_ns = until_ns - until_ns % SECOND_NS - 59 * SECOND_NS;
    let within = |time_ns: u64| time_ns >= since_ns && time_ns + SECOND_NS / 2 <= until_ns;
    let failed = |body: &Body| matches!(body, Body::ConnectFailed(_));
    let told = records.iter().filter(|record| within(record.time_ns) && failed(&record.body));
    assert!(view.head.last_60.failed > 0);
    assert!(
        view.head.last_60.failed <= told.count() as u64,
        "probes are left out, nothing is added"
    );
    let by_backend: u64 = view.backends.iter().map(|row| row.counts.last_60.failed).sum();
    assert_eq!(by_backend, view.head.last_60.failed);
    let by_pod: u64 = view.pods.iter().map(|row| row.counts.last_60.failed).sum();
    assert!(by_pod <= by_backend);
}

/// Old pods are gone and new ones ready: the row says so, and leaves after a minute.
#[test]
fn an_update_begins_ends_and_leaves_the_screen() {
    let records = scenario("blog");
    let mut phases: BTreeMap<String, u64> = BTreeMap::new();
    let mut moment = Moment::of(&records, SECOND_NS, setting());
    for second in 1..140 {
        for row in moment.view().updates {
            phases.entry(row.phase).or_insert(second);
        }
        moment.go_on(&records, SECOND_NS);
    }
    let mut in_order: Vec<_> = phases.into_iter().map(|(phase, since)| (since, phase)).collect();
    in_order.sort();
    check("top_phases", &format!("{in_order:#?}"));
    assert!(moment.view().updates.is_empty());
}
