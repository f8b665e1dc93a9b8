//! `ipvsadm`, polled: each state of the Service's destinations that a poll saw is a state of `rollout`'s stream, and each
//! state of the stream that lasted was polled.
//!
//! In: snapshots, written when they change, and the recording. Out: statements that both have the same states in the same
//! order.

use super::recording::{clock_offset, of_kind};
use super::statement::Comparison;
use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

type State = BTreeMap<SocketAddr, i64>;

/// Compares the snapshots taken during the recording, which ends at `until_ns` (Unix), with the stream's states.
///
/// # Errors
/// When the snapshots cannot be read.
pub fn compare(
    comparison: &mut Comparison,
    recorded: &[Value],
    path: &Path,
    service: IpAddr,
    until_ns: i64,
) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let polled = text.lines().filter_map(snapshot).take_while(|(at, _)| *at <= until_ns);
    let mut polled: Vec<State> = polled.map(|(_, state)| state).collect();
    polled.dedup();
    let offset_ns = clock_offset(recorded)?;
    let timed: Vec<(i64, State)> = states(recorded, service)
        .into_iter()
        .map(|(time_ns, state)| (time_ns as i64 + offset_ns, state))
        .collect();
    let lasting: Vec<State> = lasting(&timed, until_ns).cloned().collect();
    let streamed: Vec<State> = timed.into_iter().map(|(_, state)| state).collect();
    // The poller started first: its states before the stream's first are cut.
    let first = streamed.first().and_then(|state| polled.iter().position(|p| p == state));
    let polled = first.map_or(&[][..], |first| &polled[first..]);
    let found = in_order(polled, &streamed);
    comparison.state(
        "ipvsadm: states, each in the stream and in order",
        format!("{} states", polled.len()),
        format!("{found} found among {}", streamed.len()),
        !polled.is_empty() && found == polled.len(),
    );
    let seen = in_order(&lasting, polled);
    comparison.state(
        "ipvsadm: states that lasted, each polled and in order",
        format!("{seen} polled"),
        format!("{} lasted", lasting.len()),
        !lasting.is_empty() && seen == lasting.len(),
    );
    let text = |state: Option<&State>| format!("{:?}", state.cloned().unwrap_or_default());
    comparison.equal("ipvsadm: last state", text(polled.last()), text(streamed.last()));
    Ok(())
}

/// The poller stands still as long as tcpdump takes to listen on a new pod's veth.
const LASTING_NS: i64 = 3_000_000_000;

/// States that no poller can have missed; `timed` by time, the last one until `until_ns`.
fn lasting(timed: &[(i64, State)], until_ns: i64) -> impl Iterator<Item = &State> {
    let ends = timed.iter().skip(1).map(|(since, _)| *since).chain([until_ns]);
    let lasted = timed.iter().zip(ends).filter(|((since, _), end)| end - since >= LASTING_NS);
    lasted.map(|((_, state), _)| state)
}

/// When it was taken, Unix ns, and the state.
fn snapshot(line: &str) -> Option<(i64, State)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let destinations = value["destinations"].as_object()?;
    let state = destinations
        .iter()
        .filter_map(|(key, weight)| Some((key.parse().ok()?, weight.as_i64()?)))
        .collect();
    Some((value["unix_ns"].as_i64()?, state))
}

/// How many of `polled`, from its start, occur in `streamed` in order.
fn in_order(polled: &[State], streamed: &[State]) -> usize {
    let mut rest = streamed.iter();
    polled.iter().take_while(|state| rest.by_ref().any(|streamed| streamed == *state)).count()
}

/// The Service's states, each from its time on: the first table, then each change that succeeded.
fn states(recorded: &[Value], service: IpAddr) -> Vec<(u64, State)> {
    let is_service = |value: &Value| {
        let address: Option<SocketAddr> = value.as_str().and_then(|text| text.parse().ok());
        address.is_some_and(|address| address.ip() == service)
    };
    let mut state = State::new();
    let mut since_ns = 0;
    for (time_ns, table) in of_kind(recorded, "ipvs_table").take(1) {
        since_ns = time_ns;
        for entry in table["services"].as_array().into_iter().flatten() {
            for server in entry["destinations"].as_array().into_iter().flatten() {
                if is_service(&entry["address"]) {
                    let address = server["address"].as_str().and_then(|text| text.parse().ok());
                    state.extend(address.zip(server["weight"].as_i64()));
                }
            }
        }
    }
    let mut states = vec![(since_ns, state.clone())];
    for (time_ns, change) in of_kind(recorded, "ipvs_destination") {
        if !is_service(&change["service"]) || change["result"] != 0 {
            continue;
        }
        let Some(address) = change["destination"].as_str().and_then(|text| text.parse().ok())
        else {
            continue;
        };
        match change["weight"].as_i64() {
            Some(weight) if change["change"] != "delete" => drop(state.insert(address, weight)),
            _ => drop(state.remove(&address)),
        }
        states.push((time_ns, state.clone()));
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(kind: &str, destination: &str, weight: Value, result: i64) -> Value {
        json!({"time_ns": 4_000_000_000_u64, "body": {"ipvs_destination": {"change": kind, "service": "10.101.0.1:80",
            "destination": destination, "weight": weight, "result": result}}})
    }

    #[test]
    fn polled_states_must_occur_in_order() -> anyhow::Result<()> {
        let recorded = [
            json!({"time_ns": 0, "body": {"clock": {"unix_ns": 0, "error_ns": 1}}}),
            json!({"time_ns": 0, "body": {"ipvs_table": {"services": [{"address": "10.101.0.1:80",
                "destinations": [{"address": "10.0.0.1:8000", "weight": 1}]}]}}}),
            change("add", "10.0.0.2:8000", json!(1), 0),
            change("delete", "10.0.0.1:8000", Value::Null, -2),
            change("edit", "10.0.0.1:8000", json!(0), 0),
            change("delete", "10.0.0.1:8000", Value::Null, 0),
        ];
        let holds = |polls: &[Value]| -> anyhow::Result<bool> {
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("ipvs");
            let lines: Vec<_> = polls
                .iter()
                .map(|poll| json!({"unix_ns": 5, "destinations": poll}).to_string())
                .collect();
            std::fs::write(&path, lines.join("\n"))?;
            let mut comparison = Comparison::default();
            compare(&mut comparison, &recorded, &path, "10.101.0.1".parse()?, 8_000_000_000)?;
            Ok(comparison.agrees())
        };
        let (old, both) =
            (json!({"10.0.0.1:8000": 1}), json!({"10.0.0.1:8000": 1, "10.0.0.2:8000": 1}));
        let (zero, new) =
            (json!({"10.0.0.1:8000": 0, "10.0.0.2:8000": 1}), json!({"10.0.0.2:8000": 1}));
        assert!(holds(&[old.clone(), both.clone(), zero.clone(), new.clone()])?);
        assert!(holds(&[old.clone(), new.clone()])?);
        assert!(!holds(&[old.clone(), zero, both, new.clone()])?);
        assert!(!holds(&[old.clone(), new.clone(), json!({"10.0.0.9:8000": 1})])?);
        // The last state lasts four seconds, and so does the first.
        assert!(!holds(&[old])?);
        assert!(!holds(&[new])?);
        Ok(())
    }
}
