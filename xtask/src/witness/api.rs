//! The API server's own record of the update: its audit log.
//!
//! In: the log. Out: every version of the workload's pods and of its Service's slices in the order in which the server
//! wrote them, to be found again in the recording; and which pod is old or new, for the windows.

use super::Sources;
use super::recording::{clock_offset, of_kind, reorder_window};
use super::statement::Comparison;
use anyhow::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// One version of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    resource_version: u64,
    uid: String,
}

/// A change that was written later than this before the recording's end may not have arrived.
const WATCH_LAG_NS: i64 = 1_500_000_000;

/// What the log says of the workload.
#[derive(Debug, Default)]
pub struct Audit {
    /// With the time at which the server had written each, Unix ns of the traced node.
    pods: BTreeMap<Version, i64>,
    slices: BTreeMap<Version, i64>,
    /// Template hash of each pod, by address.
    pub hash_by_address: BTreeMap<IpAddr, String>,
    /// Template hashes in order of their pods' first version.
    pub hashes: Vec<String>,
}

impl Audit {
    /// Reads the log's completed responses that carry an object.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(sources: &Sources) -> anyhow::Result<Audit> {
        let (path, namespace, workload) = (&sources.audit, &*sources.namespace, &*sources.workload);
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut audit = Audit::default();
        for line in text.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            let reference = &event["objectRef"];
            if event["stage"] != "ResponseComplete" || reference["namespace"] != namespace {
                continue;
            }
            let writing = ["create", "update", "patch", "delete"];
            if !writing.iter().any(|verb| event["verb"] == *verb) {
                continue;
            }
            let stamp = event["stageTimestamp"].as_str().unwrap_or_default();
            let written: jiff::Timestamp =
                stamp.parse().with_context(|| format!("no time in the audit log: `{stamp}`"))?;
            let written_ns = i64::try_from(written.as_nanosecond()).unwrap_or(i64::MAX);
            let written_ns = written_ns.saturating_sub(sources.api_ahead_ns);
            match reference["resource"].as_str() {
                Some("pods") => audit.pod(&event["responseObject"], workload, written_ns),
                Some("endpointslices") => {
                    audit.slice(&event["responseObject"], workload, written_ns);
                }
                _ => {}
            }
        }
        Ok(audit)
    }

    fn pod(&mut self, pod: &Value, workload: &str, written_ns: i64) {
        if pod["metadata"]["labels"]["app"] != workload {
            return;
        }
        self.pods.extend(version(pod).map(|version| (version, written_ns)));
        let Some(hash) = pod["metadata"]["labels"]["pod-template-hash"].as_str() else { return };
        if !self.hashes.iter().any(|known| known == hash) {
            self.hashes.push(hash.to_owned());
        }
        if let Some(address) = pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok()) {
            self.hash_by_address.insert(address, hash.to_owned());
        }
    }

    fn slice(&mut self, slice: &Value, workload: &str, written_ns: i64) {
        if slice["metadata"]["labels"]["kubernetes.io/service-name"] == workload {
            self.slices.extend(version(slice).map(|version| (version, written_ns)));
        }
    }

    /// States that the recording, which spans these Unix times, has each version, in the server's order, and none
    /// later than live output waits (F28).
    ///
    /// # Errors
    /// When the recording lacks what it must have.
    pub fn compare(
        &self,
        comparison: &mut Comparison,
        recorded: &[Value],
        span: (i64, i64),
    ) -> anyhow::Result<()> {
        let offset_ns = clock_offset(recorded)?;
        let mut latest_ns = 0;
        for (what, kind, versions) in
            [("pod", "pod", &self.pods), ("slice", "endpoint_slice", &self.slices)]
        {
            let arrivals: Vec<(Version, i64)> = of_kind(recorded, kind)
                .filter_map(|(time_ns, observed)| {
                    let meta = &observed["object"]["meta"];
                    let version = Version {
                        resource_version: meta["resource_version"].as_str()?.parse().ok()?,
                        uid: meta["uid"].as_str()?.to_owned(),
                    };
                    Some((version, time_ns as i64 + offset_ns))
                })
                .collect();
            for (version, arrived_ns) in &arrivals {
                let written = versions.get(version).filter(|written| **written >= span.0);
                latest_ns = latest_ns.max(written.map_or(0, |written| arrived_ns - written));
            }
            // What the server wrote while it was watched came by a watch, which keeps the order of all its objects.
            let watched =
                |version: &&Version| versions.get(version).is_some_and(|at| *at >= span.0);
            let mut first: BTreeSet<&Version> = BTreeSet::new();
            let arrived = arrivals.iter().map(|(version, _)| version).filter(watched);
            let order: Vec<u64> =
                arrived.filter(|v| first.insert(v)).map(|v| v.resource_version).collect();
            let sorted = order.is_sorted();
            comparison.state(
                &format!("API: first sight of each {what} version, over all objects"),
                "as written".into(),
                if sorted { "as written".into() } else { format!("{order:?}") },
                sorted,
            );
            let seen: Vec<Version> = arrivals.into_iter().map(|(version, _)| version).collect();
            // A list tells of each object's version then, not of those before it; the last moments may be on their way.
            let mut listed: BTreeMap<&str, u64> = BTreeMap::new();
            for version in &seen {
                let first = listed.entry(&version.uid).or_insert(version.resource_version);
                *first = (*first).min(version.resource_version);
            }
            let due: Vec<&Version> = versions
                .iter()
                .filter(|(version, written_ns)| {
                    let first = listed.get(version.uid.as_str()).copied();
                    let older =
                        first.map_or(**written_ns < span.0, |f| version.resource_version < f);
                    !older && **written_ns <= span.1 - WATCH_LAG_NS
                })
                .map(|(version, _)| version)
                .collect();
            let known: BTreeSet<&Version> = seen.iter().collect();
            let found = due.iter().filter(|version| known.contains(*version)).count();
            comparison.equal(&format!("API: {what} versions, each seen"), due.len(), found);
            comparison.state(
                &format!("API: {what} versions in the server's order"),
                "ascending".into(),
                if ascending(&seen) { "ascending".into() } else { "not ascending".into() },
                ascending(&seen),
            );
        }
        let window_ns = reorder_window(recorded)?;
        comparison.state(
            "how late the latest observation came, and the reorder window (F28)",
            format!("{} ms", latest_ns / 1_000_000),
            format!("{} ms", window_ns / 1_000_000),
            latest_ns <= window_ns,
        );
        Ok(())
    }
}

fn version(object: &Value) -> Option<Version> {
    Some(Version {
        resource_version: object["metadata"]["resourceVersion"].as_str()?.parse().ok()?,
        uid: object["metadata"]["uid"].as_str()?.to_owned(),
    })
}

/// Each object's versions never go back.
fn ascending(seen: &[Version]) -> bool {
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    seen.iter().all(|version| {
        latest
            .insert(&version.uid, version.resource_version)
            .is_none_or(|before| before <= version.resource_version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_must_ascend_for_each_object() {
        let version = |uid: &str, resource_version| Version { resource_version, uid: uid.into() };
        assert!(ascending(&[version("a", 1), version("b", 9), version("a", 2), version("a", 2)]));
        assert!(!ascending(&[version("a", 2), version("b", 9), version("a", 1)]));
    }

    #[test]
    fn a_version_that_was_not_seen_or_late_is_told() -> anyhow::Result<()> {
        let seen = |version: u64| {
            serde_json::json!({"time_ns": version, "body": {"pod": {"object": {"meta":
                {"uid": "a", "resource_version": version.to_string()}}}}})
        };
        let late = |version: u64| {
            let mut record = seen(version);
            record["time_ns"] = serde_json::json!(version + 60);
            record
        };
        let pods = [(9, -1), (10, 0), (11, 1), (12, 2), (13, 9_000_000_000)]
            .map(|(v, written_ns)| (Version { resource_version: v, uid: "a".into() }, written_ns));
        let mut audit = Audit { pods: pods.into_iter().collect(), ..Audit::default() };
        let agrees = |audit: &Audit, recorded: &[Value]| -> anyhow::Result<bool> {
            let mut records = vec![
                serde_json::json!({"time_ns": 0, "body": {"header": {"reorder_window_ns": 50}}}),
                serde_json::json!({"time_ns": 0, "body": {"clock": {"unix_ns": 0}}}),
            ];
            records.extend_from_slice(recorded);
            let mut comparison = Comparison::default();
            audit.compare(&mut comparison, &records, (0, 10_000_000_000))?;
            Ok(comparison.agrees())
        };
        assert!(agrees(&audit, &[seen(10), seen(11), seen(12)])?);
        assert!(!agrees(&audit, &[seen(10), seen(12)])?);
        assert!(!agrees(&audit, &[seen(10), seen(11), late(12)])?);
        // Of two objects too, the order is the server's.
        let mut of_another = seen(13);
        of_another["body"]["pod"]["object"]["meta"]["uid"] = "b".into();
        of_another["time_ns"] = 14.into();
        let other = Version { resource_version: 13, uid: "b".into() };
        audit.pods.insert(other, 13);
        let first = [seen(10), seen(11), seen(12), of_another.clone()];
        assert!(agrees(&audit, &first)?);
        assert!(!agrees(&audit, &[seen(10), seen(11), of_another, seen(12)])?);
        Ok(())
    }
}
