//! Live events as lines: stable columns within 80, and a JSON object that a program can rely on.

use crate::scenarios::blog;
use rollout::attribute::clock::Converted;
use rollout::attribute::tag::*;
use rollout::present::event_line::{self, EventLine, Standing};
use rollout::present::paint::Paint;
use rollout::record::{Body, Record};
use rollout::stream::select::kind_of;

fn tags() -> EventTags {
    let pod = |name: &str| PodRef {
        namespace: "default".into(),
        name: name.into(),
        uid: name.into(),
        revision: Some(1),
        template_hash: Some("7bdc4d8476".into()),
        workload: Some("serv".into()),
        node: Some("node1".into()),
    };
    let tag = |name: &str, certainty, state| Tag {
        certainty,
        pod: Some(pod(name)),
        state,
        candidates: Vec::new(),
        host: None,
    };
    let changing = StateAt::Changing { from: PodState::Ready, to: PodState::Terminating };
    EventTags {
        client: Some(tag("gateway-6c9f7d-x2x4z", Certainty::Known, None)),
        service: Some(ServiceTag {
            certainty: Certainty::Known,
            namespace: "default".into(),
            name: "serv".into(),
            port: "http".into(),
        }),
        backends: vec![BackendTag {
            time_ns: 5,
            address: "10.244.1.10:8000".parse().expect("an address"),
            tag: tag("serv-7bdc4d8476-zk9wc", Certainty::Changing, Some(changing)),
            evidence: 3,
        }],
    }
}

fn events() -> Vec<Record> {
    let mut seen = std::collections::BTreeSet::new();
    let is_event = |record: &&Record| crate::properties::is_kernel_event(&record.body);
    blog()
        .records
        .iter()
        .filter(is_event)
        .filter(|r| seen.insert(kind_of(&r.body)))
        .cloned()
        .chain(of_servers())
        .collect()
}

/// What servers' kernels say and no scenario has, as a recording spells it.
fn of_servers() -> Vec<Record> {
    let flow = r#"{"source":"10.244.1.5","source_port":40000,"destination":"10.244.1.10:8000"}"#;
    let netns = r#"{"inum":4026532001,"cookie":77}"#;
    let bodies = [
        format!(r#"{{"syn_ack_retransmitted":{{"flow":{flow},"netns":{netns}}}}}"#),
        format!(
            r#"{{"backlog_full":{{"flow":{flow},"netns":{netns},"backlog":129,"limit":128,"handshake_ack":true}}}}"#
        ),
        format!(
            r#"{{"listen_counters":{{"netns":{netns},"overflows":3,"drops":5,"since_ns":4}}}}"#
        ),
        format!(
            r#"{{"conntrack_stats":{{"netns":{netns},"count":9,"max":10,"insert_failed":1,"drop":2,"early_drop":3}}}}"#
        ),
    ];
    let record = |(id, body): (u64, &String)| Record {
        id,
        time_ns: 9,
        body: serde_json::from_str(body).expect("a body"),
    };
    (9_000..).zip(&bodies).map(record).collect()
}

const UNIX: Converted = Converted { ns: 1_772_445_605_123_456_789, error_ns: 700 };

fn line<'a>(record: &'a Record, tags: &'a EventTags, standing: Standing) -> EventLine<'a> {
    EventLine { record, tags, unix: Some(UNIX), standing }
}

#[test]
fn rows_have_stable_columns_within_80() {
    let (tags, none) = (tags(), EventTags::default());
    let mut page = format!("{}\n", event_line::table_head());
    for record in events() {
        for tags in [&tags, &none] {
            let row = event_line::table(&line(&record, tags, Standing::Final), Paint::default());
            assert!(row.chars().count() <= 80, "{row}");
            page.push_str(&row);
            page.push('\n');
        }
    }
    insta_here(|| insta::assert_snapshot!("event_table", page));
}

#[test]
fn wide_rows_line_up_with_their_head() {
    let tags = tags();
    let mut page = format!("{}\n", event_line::wide_head());
    for record in events() {
        page.push_str(&event_line::wide(
            &line(&record, &tags, Standing::Correction),
            Paint::default(),
        ));
        page.push('\n');
    }
    insta_here(|| insta::assert_snapshot!("event_wide", page));
}

#[test]
fn json_events_are_objects_with_kind_tags_and_standing() {
    let tags = tags();
    for record in events() {
        let text = event_line::json(&line(&record, &tags, Standing::Provisional));
        assert!(!text.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&text).expect("an object");
        assert_eq!(value["kind"], kind_of(&record.body));
        assert_eq!(value["id"], record.id);
        assert_eq!(value["unix_ns"], 1_772_445_605_123_456_789_i64);
        assert_eq!(value["unix_error_ns"], 700);
        assert_eq!(value["time"], "2026-03-02T10:00:05.123Z");
        assert_eq!(value["provisional"], true);
        assert!(value.get("correction").is_none());
        assert_eq!(value["client"]["pod"]["name"], "gateway-6c9f7d-x2x4z");
        assert_eq!(value["backends"][0]["address"], "10.244.1.10:8000");
        let event = serde_json::to_value(&record.body).expect("JSON");
        assert_eq!(value["event"], event[kind_of(&record.body)]);
    }
}

#[test]
fn hostile_comm_stays_in_its_column() {
    let mut record =
        events().into_iter().find(|r| matches!(r.body, Body::Connect(_))).expect("one");
    if let Body::Connect(connect) = &mut record.body {
        connect.comm = "\x1b[31m\n\u{202e}evil".into();
    }
    let tags = EventTags::default();
    let row = event_line::table(&line(&record, &tags, Standing::Final), Paint::default());
    assert!(row.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{row:?}");
    assert!(row.chars().count() <= 80);
}

pub fn insta_here(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(check);
}
