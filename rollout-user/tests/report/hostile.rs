//! Text that users supply does not reach the terminal raw, and hostile numbers break nothing.

use crate::scenarios::{blog, listener_first};
use proptest::prelude::*;
use rollout::analyse::explain;
use rollout::analyse::report::attempt::Attempt;
use rollout::present::text::{self, Options};
use rollout::present::{html, junit};
use rollout::record::Body;

const EVIL: &str = "a\x1b]0;owned\x07\r\n\u{202e}b\u{200b}\u{9b}2J";

pub fn poisoned() -> Vec<rollout::record::Record> {
    let mut records = listener_first().records;
    for record in &mut records {
        match &mut record.body {
            Body::Header(header) => {
                header.node = EVIL.into();
                header.kernel = EVIL.into();
            }
            Body::Pod(seen) => seen.object.meta.name = EVIL.into(),
            Body::Service(seen) => seen.object.meta.name = EVIL.into(),
            Body::Connect(connect) => {
                connect.comm = EVIL.into();
                connect.cgroup = 0;
                connect.netns.inum = 77;
                connect.netns.cookie = 77;
            }
            Body::Signal(signal) => signal.comm = EVIL.into(),
            Body::SynDropped(drop) => drop.reason = Some(EVIL.into()),
            Body::DataPath(path) => path.evidence = EVIL.into(),
            Body::ResetReceived(reset) => reset.state = EVIL.into(),
            Body::Hooks(hooks) => {
                for hook in hooks.facts.values_mut() {
                    (hook.attached, hook.blind) = (Some(EVIL.into()), Some(EVIL.into()));
                }
            }
            Body::Phase(phase @ rollout::record::meta::Phase::Ended) => {
                *phase = rollout::record::meta::Phase::CutShort { reason: EVIL.into() };
            }
            _ => {}
        }
    }
    records
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let report = explain(&poisoned());
    for all in [false, true] {
        let page = text::render(&report, Options { color: false, all });
        let raw: Vec<char> =
            page.chars().filter(|c| *c != '\n' && (c.is_control() || is_invisible(*c))).collect();
        assert!(raw.is_empty(), "{raw:?}");
        assert!(page.contains("\\u{1b}"), "the name is shown, escaped");
    }
}

pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[test]
fn equal_names_do_not_merge_pods() {
    let report = explain(&poisoned());
    assert_eq!(report.pods.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_times_and_numbers_are_survived(
        seed in prop::collection::vec((any::<u64>(), 0_usize..2_000, 0_u8..4), 1..60)
    ) {
        let mut records = blog().records;
        let count = records.len();
        for (value, at, how) in seed {
            let record = &mut records[at % count];
            match how {
                0 => record.time_ns = value,
                1 => record.time_ns = record.time_ns.wrapping_add(value % 5_000_000_000),
                2 => record.id = value,
                _ => match &mut record.body {
                    Body::Established(e) => e.latency_ns = value,
                    Body::ConnectFailed(e) => e.latency_ns = value,
                    Body::Connect(e) => e.attempt = value % 50,
                    Body::Clock(e) => e.unix_ns = value as i64,
                    _ => {}
                },
            }
        }
        let report = explain(&records);
        let page = text::render(&report, Options { color: true, all: true });
        prop_assert!(!page.is_empty());
        prop_assert!(html::render(&report).ends_with("</html>\n"));
        prop_assert!(junit::render(&report).ends_with("</testsuites>\n"));
        let tried: usize = report.attempts.iter().filter(|a| counted(a)).map(|a| a.syns.len()).sum();
        prop_assert_eq!(report.verdict.syns.tried, tried as u64);
    }
}

fn counted(attempt: &Attempt) -> bool {
    use rollout::analyse::report::attempt::ClientKind;
    attempt.in_scope && attempt.client.kind == ClientKind::User && !attempt.baseline
}
