//! The published schema of the JSON report: as the types are, and true of real reports.

use crate::scenarios::{blog, clean, cut_short, fifty, gap, listener_first, lost, rolled_back};
use crate::world::World;
use jsonschema::Validator;
use rollout::analyse::{Explainer, explain};
use rollout::present::{json, schema};
use rollout::recording::read::Reader;
use serde_json::Value;
use std::path::Path;

fn published() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json")
}

fn schema() -> Value {
    serde_json::from_str(&schema::render().expect("a schema")).expect("JSON")
}

/// The same, but members that it does not describe are errors.
fn strict() -> Validator {
    let mut schema = schema();
    let mut objects = vec![&mut schema];
    while let Some(object) = objects.pop() {
        let Value::Object(members) = object else { continue };
        if members.contains_key("properties") || members.contains_key("oneOf") {
            members.insert("unevaluatedProperties".to_owned(), false.into());
        }
        if let Some(Value::Object(definitions)) = members.get_mut("$defs") {
            objects.extend(definitions.values_mut());
        }
    }
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Reports of real updates and of made ones, as `-o json` prints them.
fn reports() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(folder).expect("recordings") {
        let path = entry.expect("a recording").path();
        let mut explanation = Explainer::new(None);
        Reader::open(&path).expect("a recording").for_each(|record| explanation.observe(&record));
        let mut explanation = explanation.observed();
        Reader::open(&path).expect("a recording").for_each(|record| explanation.event(&record));
        reports.push((path.display().to_string(), explanation.report()));
    }
    assert!(reports.len() >= 4);
    let worlds: [fn() -> World; 8] =
        [blog, clean, cut_short, fifty, gap, listener_first, lost, rolled_back];
    for (number, world) in worlds.iter().enumerate() {
        reports.push((format!("world {number}"), explain(&world().records)));
    }
    reports.push(("no record at all".to_owned(), explain(&[])));
    let value = |(name, report)| {
        let text = json::render(&report).expect("JSON");
        (name, serde_json::from_str(&text).expect("JSON"))
    };
    reports.into_iter().map(value).collect()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let made = schema::render().expect("a schema");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(published(), &made).expect("the file is written");
    }
    let file = std::fs::read_to_string(published()).unwrap_or_default();
    assert!(
        file == made,
        "docs/report.schema.json is out of date: UPDATE_SCHEMA=1 cargo test -p rollout-user --test report schema"
    );
}

#[test]
fn real_reports_are_valid_and_say_nothing_that_is_not_described() {
    let open = jsonschema::validator_for(&schema()).expect("a schema");
    let strict = strict();
    for (name, report) in reports() {
        for validator in [&open, &strict] {
            let errors: Vec<String> = validator
                .iter_errors(&report)
                .take(5)
                .map(|error| format!("{}: {error:.300}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
        }
    }
}

#[test]
fn what_is_no_report_is_not_valid() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let strict = strict();
    let (_, good) = reports().swap_remove(0);
    let spoilt = |pointer: &str, value: Value| {
        let mut report = good.clone();
        *report.pointer_mut(pointer).expect(pointer) = value;
        report
    };
    for (pointer, value) in [
        ("/version", 1.into()),
        ("/verdict/result", "perhaps".into()),
        ("/verdict/attempts", (-1).into()),
        ("/attempts/0/time_ns", Value::Null),
        ("/attempts/0/syns", "none".into()),
        ("/attempts/0/outcome/kind", "lost_in_space".into()),
        ("/pods/0/steps/0/cell", "maybe".into()),
        ("/pods", Value::Null),
    ] {
        assert!(validator.is_valid(&good));
        assert!(!validator.is_valid(&spoilt(pointer, value)), "{pointer}");
    }
    let mut missing = good.clone();
    missing.as_object_mut().expect("an object").remove("verdict");
    assert!(!validator.is_valid(&missing));
    let mut more = good.clone();
    more["verdict"]["guess"] = 1.into();
    assert!(validator.is_valid(&more), "members may be added within a version");
    assert!(!strict.is_valid(&more));
}
