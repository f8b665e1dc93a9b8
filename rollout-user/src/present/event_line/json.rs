//! The JSON form: one object a line.
//!
//! In: an event line. Out: the object. Names are JSON strings with their values unchanged; what a terminal would obey is escaped.

use super::{EventLine, Standing};
use crate::attribute::tag::{BackendTag, ServiceTag, Tag};
use crate::present::{escape, time};
use crate::record::Body;
use crate::stream::select::kind_of;
use serde::Serialize;

#[derive(Serialize)]
struct Object<'a> {
    id: u64,
    time_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_ns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_error_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    kind: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    correction: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a ServiceTag>,
    #[serde(skip_serializing_if = "<[BackendTag]>::is_empty")]
    backends: &'a [BackendTag],
    event: serde_json::Value,
}

/// What the record says, without the kind that encloses it on disk.
fn inner(body: &Body) -> serde_json::Value {
    match serde_json::to_value(body) {
        Ok(serde_json::Value::Object(outer)) => {
            outer.into_iter().next().map_or(serde_json::Value::Null, |(_, inner)| inner)
        }
        _ => serde_json::Value::Null,
    }
}

/// Renders the JSON object.
pub fn json(line: &EventLine<'_>) -> String {
    let EventLine { record, tags, unix, standing } = *line;
    let unix_ns = unix.map(|unix| unix.ns);
    let moment =
        crate::analyse::report::Moment { time_ns: record.time_ns, unix_ns, offset_ns: None };
    let object = Object {
        id: record.id,
        time_ns: record.time_ns,
        unix_ns,
        unix_error_ns: unix.map(|unix| unix.error_ns),
        time: time::rfc3339(&moment),
        kind: kind_of(&record.body),
        provisional: standing == Standing::Provisional,
        correction: standing == Standing::Correction,
        client: tags.client.as_ref(),
        service: tags.service.as_ref(),
        backends: &tags.backends,
        event: inner(&record.body),
    };
    // Maps with keys that are not strings do not occur in records, so that writing cannot fail.
    let text = serde_json::to_string(&object).unwrap_or_else(|error| {
        format!("{{\"id\":{},\"kind\":\"unwritable\",\"error\":\"{error}\"}}", record.id)
    });
    escape::json(&text)
}
