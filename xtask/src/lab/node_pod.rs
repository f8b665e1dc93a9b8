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

/// What the trace said of connects from the gateway.
fn told(comparison: &mut Comparison, output: &str, gateway: &str) {
    // A correction is the same event again, with what became known of it later.
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events: BTreeMap<u64, Value> =
        lines.filter_map(|event| Some((event["id"].as_u64()?, event))).collect();
    let to_service =
        |event: &&Value| event["kind"] == "connect" && event["service"]["name"] == "serv";
    let connects: Vec<&Value> = events.values().filter(to_service).collect();
    let by_gateway = |event: &&&Value| {
        event["client"]["certainty"] == "known" && event["client"]["pod"]["name"] == gateway
    };
    let known = connects.iter().filter(by_gateway).count();
    comparison.state(
        "node pod: connects to the Service, each known as the gateway's",
        format!("{} connects", connects.len()),
        format!("{known} known"),
        !connects.is_empty() && known == connects.len(),
    );
    let established = events
        .values()
        .filter(|event| event["kind"] == "established" && event["service"]["name"] == "serv");
    let with_backend = |event: &&Value| {
        let tags = event["backends"].as_array().into_iter().flatten();
        let mut names = tags.filter_map(|backend| backend["tag"]["pod"]["name"].as_str());
        names.any(|name| name.starts_with("serv-"))
    };
    let established: Vec<&Value> = established.collect();
    let chosen = established.iter().copied().filter(with_backend).count();
    comparison.state(
        "node pod: established connections, each with its backend pod",
        format!("{} connections", established.len()),
        format!("{chosen} with a pod of serv"),
        !established.is_empty() && chosen == established.len(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_of_somebody_unknown_does_not_agree() {
        let connect = |id: u64, name: &str| {
            format!(
                "{{\"id\":{id},\"kind\":\"connect\",\"service\":{{\"name\":\"serv\"}},\"client\":\
                 {{\"certainty\":\"known\",\"pod\":{{\"name\":\"{name}\"}}}}}}"
            )
        };
        let established = r#"{"id":9,"kind":"established","service":{"name":"serv"},
            "backends":[{"tag":{"pod":{"name":"serv-1"}}}]}"#
            .replace('\n', "");
        let agrees = |lines: &[&str]| {
            let mut comparison = Comparison::default();
            told(&mut comparison, &lines.join("\n"), "gateway-1");
            comparison.agrees()
        };
        assert!(agrees(&[&connect(1, "?"), &connect(1, "gateway-1"), &established]));
        assert!(!agrees(&[&connect(1, "gateway-1"), &connect(2, "other"), &established]));
        assert!(!agrees(&[&established]));
        assert!(!agrees(&["no JSON"]));
    }
}
