//! The live stream: what `trace` prints as records arrive, and how late knowledge corrects it.

use crate::hostile::{is_invisible, poisoned};
use crate::scenarios::{clean, lost};
use crate::world::*;
use clap::Parser;
use rollout::cli::filter::FilterArgs;
use rollout::cli::{Cli, Command, TraceOutput};
use rollout::live::stream::Stream;
use rollout::record::{Body, Record};
use rollout::stream::printer::Options;
use rollout::stream::select::is_event;
use rollout::stream::tagging::Tagger;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const WINDOW_NS: u64 = 500_000_000;
const LAG_NS: u64 = 2_000_000_000;

pub fn filter(flags: &[&str]) -> FilterArgs {
    let Command::Trace(trace) = Cli::parse_from([&["rollout", "trace"], flags].concat()).command
    else {
        panic!("not a trace")
    };
    trace.filter
}

/// Everything that the cluster says comes late, by more than live output waits.
pub fn lagging(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        let from_cluster = matches!(
            record.body,
            Body::Pod(_) | Body::EndpointSlice(_) | Body::ReplicaSet(_) | Body::Deployment(_)
        );
        // The first lists are in before anything is printed.
        if from_cluster && record.time_ns > (BASE_US + WATCHING) * 1000 {
            record.time_ns += LAG_NS;
        }
    }
    records
}

/// Runs the stream as `trace` does: records arrive by their times, and time goes on with them.
pub fn traced(records: &[Record], flags: &[&str], output: TraceOutput) -> (String, Stream) {
    let options = Options { filter: filter(flags), output, color: false };
    let mut stream = Stream::new(options, WINDOW_NS);
    let mut out = Vec::new();
    stream.head(&mut out).expect("output");
    let mut records: Vec<_> = records.iter().collect();
    records.sort_by_key(|record| (record.time_ns, record.id));
    for record in &records {
        stream.advance(record.time_ns, &mut out).expect("output");
        stream.observe(&Arc::new((*record).clone()));
    }
    let now_ns = records.last().map_or(0, |record| record.time_ns);
    stream.end(now_ns, &mut out).expect("output");
    (String::from_utf8(out).expect("text"), stream)
}

pub fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// Whether pod 20 is, or may be, on either side.
pub fn is_new_pod(value: &Value) -> bool {
    let backends = value["backends"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tags = backends.iter().map(|one| &one["tag"]).chain([&value["client"]]);
    let pods = tags.flat_map(|tag| {
        let candidates = tag["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
        candidates.iter().chain([&tag["pod"]])
    });
    pods.into_iter().any(|pod| pod["uid"] == uid(20) && pod["name"] != "")
}

#[test]
fn late_knowledge_comes_as_corrections_of_what_was_printed() {
    let records = lagging(clean().records);
    let lines = objects(&traced(&records, &[], TraceOutput::Json).0);
    let mut printed: BTreeMap<u64, Value> = BTreeMap::new();
    let mut corrected = 0;
    for line in lines {
        let id = line["id"].as_u64().expect("an id");
        let before = printed.get(&id);
        if line["correction"] == true {
            let before = before.expect("it was printed before");
            assert!(line.get("provisional").is_none());
            assert_ne!(
                (&before["client"], &before["service"], &before["backends"]),
                (&line["client"], &line["service"], &line["backends"]),
                "a correction says something new"
            );
            corrected += usize::from(is_new_pod(&line) && !is_new_pod(before));
        } else {
            assert_eq!((before, &line["provisional"]), (None, &Value::Bool(true)));
        }
        printed.insert(id, line);
    }
    assert!(corrected > 10, "{corrected} events of the new pod were corrected");

    // What was printed last of each event is what is known in the end.
    let mut tagger = Tagger::live();
    records.iter().for_each(|record| _ = tagger.observe(record));
    let events: Vec<_> = records.iter().filter(|record| is_event(&record.body)).collect();
    assert_eq!(printed.len(), events.len());
    for record in events {
        let tags = tagger.tags(record);
        let last = &printed[&record.id];
        let json = |value: Option<Value>| value.unwrap_or(Value::Null);
        assert_eq!(
            last["client"],
            json(tags.client.map(|tag| serde_json::to_value(tag).expect("JSON")))
        );
        let backends = serde_json::to_value(&tags.backends).expect("JSON");
        let none = Value::Array(Vec::new());
        assert_eq!(last.get("backends").unwrap_or(&none), &backends, "{record:?}");
    }
}

#[test]
fn in_time_nothing_needs_to_be_corrected_twice() {
    // Without lag the window covers nearly everything; what is left are states that a later version narrows.
    let text = traced(&clean().records, &[], TraceOutput::Json).0;
    let lines = objects(&text);
    let corrections = lines.iter().filter(|line| line["correction"] == true).count();
    let late = objects(&traced(&lagging(clean().records), &[], TraceOutput::Json).0);
    let late = late.iter().filter(|line| line["correction"] == true).count();
    assert!(corrections < late, "{corrections} without lag, {late} with");
}

#[test]
fn an_event_that_a_filter_kept_back_is_printed_when_its_tags_are_known() {
    let records = lagging(clean().records);
    let all = objects(&traced(&records, &[], TraceOutput::Json).0);
    let pod = "serv-bbbbbbbbbb-n020";
    assert!(all.iter().any(|line| line.to_string().contains(pod)));
    let (text, stream) = traced(&records, &["--pod", pod], TraceOutput::Json);
    let lines = objects(&text);
    let ids = |lines: &[Value], wanted: &dyn Fn(&Value) -> bool| {
        let ids = lines.iter().filter(|line| wanted(line)).filter_map(|line| line["id"].as_u64());
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&lines, &|_| true), ids(&all, &is_new_pod));
    assert!(lines.iter().any(|line| line["correction"] == true));
    assert_eq!(stream.footer(0).printed, ids(&lines, &|_| true).len() as u64);
    // What can never pass is not waited for.
    let (text, _) = traced(&records, &["--pod", pod, "--kind", "exit"], TraceOutput::Json);
    assert!(objects(&text).iter().all(|line| line["kind"] == "exit"));
}

#[test]
fn a_correction_is_marked_in_its_row() {
    let records = lagging(clean().records);
    for (form, at) in [(TraceOutput::Table, 12), (TraceOutput::Wide, 24)] {
        let text = traced(&records, &[], form).0;
        let marked = text.lines().filter(|line| line.chars().nth(at) == Some('*')).count();
        assert!(marked > 10, "{text}");
    }
}

#[test]
fn losses_and_blind_spots_end_the_stream_in_both_forms() {
    let mut world = lost();
    world.hooks(&["syn_dropped"]);
    for record in &mut world.records {
        if let Body::Hooks(hooks) = &mut record.body {
            for hook in hooks.facts.values_mut().filter(|hook| hook.attached.is_none()) {
                hook.blind = Some("dropped SYNs are not seen".into());
            }
        }
    }
    let (text, stream) = traced(&world.records, &[], TraceOutput::Json);
    let footer = stream.footer(9);
    let end: Value = serde_json::from_str(&footer.json()).expect("one object");
    assert_eq!(end["kind"], "end");
    assert_eq!(end["end"]["lost"], serde_json::json!({"at the ring buffer (connect)": 12}));
    assert_eq!(end["end"]["blind"]["syn_dropped"], "dropped SYNs are not seen");
    assert_eq!((&end["end"]["skipped"], &end["end"]["overtaken"]), (&9.into(), &0.into()));
    let first = objects(&text).iter().filter(|line| line["provisional"] == true).count();
    assert_eq!(end["end"]["printed"], first);
    let words = footer.text();
    for part in
        [" events, 12 lost\n", "12 lost at the ring buffer (connect)", "syn_dropped: dropped SYNs"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn hostile_strings_break_neither_rows_nor_objects() {
    let mut records = poisoned();
    let long = "x".repeat(10_000);
    let mut connects = records.iter_mut().filter_map(|record| match &mut record.body {
        Body::Connect(connect) => Some(connect),
        _ => None,
    });
    connects.next().expect("a connect").comm = long;
    let (json, stream) = traced(&records, &[], TraceOutput::Json);
    let events = records.iter().filter(|record| is_event(&record.body)).count();
    assert!(objects(&json).len() >= events);
    let hostile = |c: char| c != '\n' && (c.is_control() || is_invisible(c));
    assert!(!json.contains(|c: char| c != '\n' && c.is_control()), "JSON escapes what controls");
    for form in [TraceOutput::Table, TraceOutput::Wide] {
        let rows = traced(&records, &[], form).0;
        assert!(!rows.contains(hostile), "{form:?}");
        let longest = rows.lines().map(|line| line.chars().count()).max().expect("rows");
        assert!(form == TraceOutput::Wide || longest <= 80, "{longest}");
        assert!(longest < 400, "{longest}");
    }
    let footer = stream.footer(0);
    assert!(!footer.text().contains(hostile) && !footer.json().contains(|c: char| c.is_control()));
}
