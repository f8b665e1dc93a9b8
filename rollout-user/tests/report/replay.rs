//! The events of a recording again: all of them, in order of time, each once, with what is known in the end.

use crate::live::{filter, is_new_pod, lagging, objects};
use crate::scenarios::{clean, lost};
use rollout::cli::TraceOutput;
use rollout::record::{Body, Record};
use rollout::stream::footer::Footer;
use rollout::stream::printer::Options;
use rollout::stream::replay::Learning;
use rollout::stream::select::is_event;
use rollout::stream::tagging::Tagger;

fn replayed(records: &[Record], flags: &[&str], output: TraceOutput) -> (String, Footer) {
    let mut learning = Learning::new(Options { filter: filter(flags), output, color: false });
    records.iter().for_each(|record| learning.observe(record));
    let mut replay = learning.learnt();
    let mut out = Vec::new();
    replay.head(&mut out).expect("output");
    for record in records {
        replay.event(record.clone(), &mut out).expect("output");
    }
    replay.end(&mut out).expect("output");
    (String::from_utf8(out).expect("text"), replay.footer())
}

#[test]
fn every_event_comes_once_in_order_and_with_final_tags() {
    let mut records = lagging(clean().records);
    // One that arrived long after younger ones.
    let at = records.iter().position(|record| matches!(record.body, Body::Established(_)));
    let late = records.remove(at.expect("an event"));
    records.push(late);
    let (text, footer) = replayed(&records, &[], TraceOutput::Json);
    let lines = objects(&text);
    let events: Vec<_> = records.iter().filter(|record| is_event(&record.body)).collect();
    assert_eq!((lines.len(), footer.printed), (events.len(), events.len() as u64));
    assert_eq!((footer.overtaken, footer.given_up, footer.skipped), (0, 0, 0));
    let times: Vec<_> = lines.iter().map(|line| line["time_ns"].as_u64().expect("ns")).collect();
    assert!(times.is_sorted());
    let mut tagger = Tagger::whole();
    records.iter().for_each(|record| _ = tagger.observe(record));
    for line in &lines {
        assert!(line.get("provisional").is_none() && line.get("correction").is_none(), "{line}");
        let record = events.iter().find(|record| line["id"] == record.id).expect("the event");
        let tags = serde_json::to_value(tagger.tags(record)).expect("JSON");
        for member in ["client", "service", "backends"] {
            assert_eq!(line.get(member), tags.get(member), "{line}");
        }
    }
    // What live output could only correct is known from the first line on.
    assert!(lines.iter().filter(|line| is_new_pod(line)).count() > 10);
}

#[test]
fn filters_pass_what_they_pass_in_the_live_stream() {
    let records = clean().records;
    let all = objects(&replayed(&records, &[], TraceOutput::Json).0);
    let pod = "serv-bbbbbbbbbb-n020";
    let ids = |lines: &[serde_json::Value]| {
        lines.iter().filter_map(|line| line["id"].as_u64()).collect::<Vec<_>>()
    };
    let of_pod = objects(&replayed(&records, &["--pod", pod], TraceOutput::Json).0);
    let wanted: Vec<_> = all.iter().filter(|line| is_new_pod(line)).cloned().collect();
    assert_eq!(ids(&of_pod), ids(&wanted));
    let live: std::collections::BTreeSet<u64> = {
        let text = crate::live::traced(&records, &["--pod", pod], TraceOutput::Json).0;
        ids(&objects(&text)).into_iter().collect()
    };
    assert_eq!(ids(&of_pod).into_iter().collect::<std::collections::BTreeSet<_>>(), live);
    let labelled = objects(&replayed(&records, &["-l", "app=serv"], TraceOutput::Json).0);
    assert!(!labelled.is_empty() && labelled.len() < all.len());
    assert!(replayed(&records, &["-l", "app=none"], TraceOutput::Json).0.is_empty());
}

#[test]
fn labels_are_those_of_the_events_own_time() {
    let mut records = clean().records;
    let end = records.last().map_or(0, |record| record.time_ns);
    let relabelled: Vec<Record> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Pod(seen) if seen.present => {
                let mut seen = seen.clone();
                seen.object.meta.labels.insert("late".into(), "yes".into());
                Some(Record { id: 1_000_000 + record.id, time_ns: end, body: Body::Pod(seen) })
            }
            _ => None,
        })
        .collect();
    records.extend(relabelled);
    assert!(replayed(&records, &["-l", "late=yes"], TraceOutput::Json).0.is_empty());
}

#[test]
fn labels_of_pods_long_gone_still_filter() {
    let mut records = clean().records;
    let wanted = objects(&replayed(&records, &["-l", "app=serv"], TraceOutput::Json).0).len();
    let pod = records.iter().find_map(|record| match &record.body {
        Body::Pod(seen) if seen.object.meta.labels.contains_key("app") => Some(seen.clone()),
        _ => None,
    });
    let (pod, end) = (pod.expect("a pod"), records.last().map_or(0, |record| record.time_ns));
    // The update's old pod is gone before them.
    for n in 0..3000 {
        let mut gone = pod.clone();
        (gone.object.meta.uid, gone.present) = (format!("other-{n}"), false);
        gone.object.meta.name = format!("other-{n}");
        gone.object.ips.clear();
        gone.object.containers.clear();
        records.push(Record { id: 2_000_000 + n, time_ns: end + 1, body: Body::Pod(gone) });
    }
    let after = objects(&replayed(&records, &["-l", "app=serv"], TraceOutput::Json).0).len();
    assert_eq!(after, wanted);
}

#[test]
fn losses_end_the_replay_as_they_end_a_trace() {
    let footer = replayed(&lost().records, &[], TraceOutput::Table).1;
    assert!(footer.text().contains("12 lost at the ring buffer (connect)"), "{}", footer.text());
}
