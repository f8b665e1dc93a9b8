//! `rollout` in a pod of `kubectl debug node/…`: other mount and cgroup namespaces than the node's, the node's files
//! below `/host`. Comes in: a lab with `rollout` installed. Goes out: what the trace there told, as statements.

use super::experiment::ROLLOUT;
use super::load::Load;
use super::place::NODE;
use super::{control, life::Lab, workload};
use crate::exec;
use crate::witness::Comparison;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the trace lasts.
const DURATION: &str = "8s";
/// Connects of the gateway that it must see, at least.
const ENOUGH: usize = 20;
/// The pod has ended within this time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Traces from such a pod while there is load, and states what it told of the gateway.
///
/// # Errors
/// When the pod cannot be made or does not end.
pub fn compare(lab: &Lab, rate: f64, log: &Path) -> Result<Comparison> {
    let load = Load::start(&lab.programs, rate, log)?;
    let pod = start(lab)?;
    let ended = wait(lab, &pod);
    load.end()?;
    let output = exec::output(control::kubectl(&lab.cache)?.args(["logs", &pod]));
    exec::output(control::kubectl(&lab.cache)?.args(["delete", "pod", &pod, "--wait=false"]))?;
    let code = ended?;
    let gateway = workload::pods(&lab.cache, "gateway")?;
    let gateway = gateway.keys().next().context("there is no gateway")?;

    let mut comparison = Comparison::default();
    comparison.equal("node pod: exit code of trace", 0, code);
    told(&mut comparison, &output?, gateway);
    Ok(comparison)
}

/// Makes the pod; returns its name.
fn start(lab: &Lab) -> Result<String> {
    let image = exec::output(control::kubectl(&lab.cache)?.args([
        "get",
        "deployment/serv",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ]))?;
    let program = format!("/host{ROLLOUT}");
    let said = exec::output(
        control::kubectl(&lab.cache)?
            .args(["debug", &format!("node/{NODE}"), "--profile=sysadmin", "--attach=false"])
            .args([&format!("--image={}", image.trim()), "--image-pull-policy=Never", "--"])
            .args([&program, "trace", "--duration", DURATION, "-o", "json", "--node", NODE])
            .args(["--kubeconfig", "/host/lab/rollout.kubeconfig"]),
    )?;
    let mut words = said.split_whitespace().skip_while(|word| *word != "pod").skip(1);
    words.next().map(str::to_owned).with_context(|| format!("kubectl names no pod: {said}"))
}

/// Waits for its end; returns its exit code.
fn wait(lab: &Lab, pod: &str) -> Result<i64> {
    let end = Instant::now() + PATIENCE;
    loop {
        let text =
            exec::output(control::kubectl(&lab.cache)?.args(["get", "pod", pod, "-o", "json"]))?;
        let object: Value = serde_json::from_str(&text).context("kubectl wrote no JSON")?;
        let ended = &object["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
        if let Some(code) = ended.as_i64() {
            return Ok(code);
        }
        ensure!(Instant::now() < end, "pod `{pod}` did not end in {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// What the trace said of connects from the gateway, from the first on that it knew: until the watches' first lists are
/// there, nothing is sure.
fn told(comparison: &mut Comparison, output: &str, gateway: &str) {
    // A correction is the same event again, with what became known of it later.
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events: BTreeMap<u64, Value> =
        lines.filter_map(|event| Some((event["id"].as_u64()?, event))).collect();
    let to_service =
        |event: &&Value, kind: &str| event["kind"] == kind && event["service"]["name"] == "serv";
    let time = |event: &Value| event["time_ns"].as_u64().unwrap_or(0);
    let by_gateway = |event: &&Value| {
        event["client"]["certainty"] == "known" && event["client"]["pod"]["name"] == gateway
    };
    let known = events.values().filter(|e| to_service(e, "connect")).filter(by_gateway);
    let since_ns = known.map(time).min().unwrap_or(u64::MAX);
    let since = |kind| -> Vec<&Value> {
        events.values().filter(|e| to_service(e, kind) && time(e) >= since_ns).collect()
    };

    let connects = since("connect");
    let known = connects.iter().copied().filter(by_gateway).count();
    comparison.state(
        "node pod: connects to the Service, each known as the gateway's",
        format!("{} connects", connects.len()),
        format!("{known} known"),
        known >= ENOUGH && known == connects.len(),
    );
    let with_backend = |event: &&Value| {
        let tags = event["backends"].as_array().into_iter().flatten();
        let mut names = tags.filter_map(|backend| backend["tag"]["pod"]["name"].as_str());
        names.any(|name| name.starts_with("serv-"))
    };
    let established = since("established");
    let chosen = established.iter().copied().filter(with_backend).count();
    comparison.state(
        "node pod: established connections, each with its backend pod",
        format!("{} connections", established.len()),
        format!("{chosen} with a pod of serv"),
        chosen >= ENOUGH && chosen == established.len(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connect(id: u64, name: &str, certainty: &str) -> String {
        json!({"id": id, "time_ns": id, "kind": "connect", "service": {"name": "serv"},
            "client": {"certainty": certainty, "pod": {"name": name}}})
        .to_string()
    }

    fn established(id: u64) -> String {
        json!({"id": id, "time_ns": id, "kind": "established", "service": {"name": "serv"},
            "backends": [{"tag": {"pod": {"name": "serv-1"}}}]})
        .to_string()
    }

    fn agrees(more: &[String]) -> bool {
        let ids = 100..100 + ENOUGH as u64;
        let mut lines: Vec<String> = ids.clone().map(|id| connect(id, "g", "known")).collect();
        lines.extend(ids.map(|id| established(id + 1_000)));
        lines.extend_from_slice(more);
        let mut comparison = Comparison::default();
        told(&mut comparison, &lines.join("\n"), "g");
        comparison.agrees()
    }

    #[test]
    fn a_connect_of_somebody_else_does_not_agree() {
        assert!(agrees(&[]));
        assert!(!agrees(&[connect(500, "other", "known")]));
        assert!(!agrees(&[connect(500, "g", "ambiguous")]));
        assert!(agrees(&[connect(500, "?", "unknown"), connect(500, "g", "known")]));
    }

    #[test]
    fn before_anything_is_known_nothing_is_asked_and_nothing_known_is_not_enough() {
        assert!(agrees(&[connect(5, "g", "stale")]));
        let mut comparison = Comparison::default();
        told(&mut comparison, "no JSON", "g");
        assert!(!comparison.agrees());
    }
}
