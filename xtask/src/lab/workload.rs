//! The Deployments of the experiment. Comes in: how `serv` is to behave. Goes out: objects in the cluster, and
//! waiting until they are as wanted.

use super::place::file;
use super::variant::Variant;
use super::{config, control};
use crate::cache::Cache;
use crate::exec;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Longest time for anything to become ready; an emulated node is slow.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A pod as the API has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its address, once it has one.
    pub ip: Option<IpAddr>,
    /// It is about to go.
    pub deleting: bool,
    /// Condition `Ready`.
    pub ready: bool,
}

/// Makes `gateway` and `serv` what the variant wants, and waits until one pod of each is ready and no other is left.
///
/// # Errors
/// When the API server refuses, or it takes too long.
pub fn apply(cache: &Cache, variant: &Variant, version: u64) -> Result<()> {
    let serv = include_str!("../../lab/serv.yaml")
        .replace("@MAX_SURGE@", &variant.max_surge.to_string())
        .replace("@MAX_UNAVAILABLE@", &variant.max_unavailable.to_string())
        .replace("@REPLICAS@", &variant.replicas.to_string())
        .replace("@READY_PORT@", &variant.ready_port.to_string())
        .replace("@GRACE@", &variant.grace_s.to_string())
        .replace("@LIFECYCLE@", &lifecycle(variant))
        .replace("@ENVIRONMENT@", &environment(variant, version));
    // A gateway of its own for each run: IPVS keeps a connection for two minutes after its end, and a client port that is
    // used again within them meets a destination that is at weight 0 by now, and loses its SYN.
    let (path, period, failures) =
        if variant.cascade { ("/", "1", "1") } else { ("/ready", "5", "3") };
    let (keep_alive, http_version) = match variant.keep_alive {
        true => ("keepalive 32;", "proxy_http_version 1.1; proxy_set_header Connection \"\";"),
        false => ("", ""),
    };
    let gateway = include_str!("../../lab/gateway.yaml")
        .replace("@KEEP_ALIVE@", keep_alive)
        .replace("@HTTP_VERSION@", http_version)
        .replace("@RUN@", &version.to_string())
        .replace("@CONNECT_TIMEOUT@", &variant.connect_timeout)
        .replace("@READY_PATH@", path)
        .replace("@READY_PERIOD@", period)
        .replace("@READY_FAILURES@", failures);
    for (name, text) in [("gateway.yaml", &gateway), ("serv.yaml", &serv)] {
        let path = file("config").join(name);
        fs::write(&path, config::render(text)?)?;
        exec::output(control::kubectl(cache)?.args(["apply", "-f"]).arg(path))?;
    }
    settle(cache, "gateway", 1)?;
    settle(cache, "serv", variant.replicas)
}

/// Starts the rolling update of `serv`.
///
/// # Errors
/// When the API server refuses.
pub fn update(cache: &Cache, version: u64) -> Result<()> {
    let variable = format!("VERSION=v{version}");
    exec::output(control::kubectl(cache)?.args(["set", "env", "deployment/serv", &variable]))?;
    Ok(())
}

/// Pods with the label `app`, by name.
///
/// # Errors
/// When the API server does not tell.
pub fn pods(cache: &Cache, app: &str) -> Result<BTreeMap<String, Pod>> {
    let selector = format!("app={app}");
    let text = exec::output(
        control::kubectl(cache)?.args(["get", "pods", "-l", &selector, "-o", "json"]),
    )?;
    let list: Value = serde_json::from_str(&text).context("kubectl wrote no JSON")?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.filter_map(pod).map(|pod| (pod.name.clone(), pod)).collect())
}

/// Waits until the newest revision of `app` runs and nothing else is left of it.
///
/// # Errors
/// When that takes too long.
pub fn settle(cache: &Cache, app: &str, replicas: u32) -> Result<()> {
    let wanted = usize::try_from(replicas)?;
    let end = Instant::now() + PATIENCE;
    loop {
        let pods = pods(cache, app)?;
        let settled = pods.len() == wanted && pods.values().all(|pod| pod.ready && !pod.deleting);
        if settled && complete(cache, app)? {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("`{app}` is not settled after {} s: {pods:?}", PATIENCE.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

fn complete(cache: &Cache, app: &str) -> Result<bool> {
    let name = format!("deployment/{app}");
    let text = exec::output(control::kubectl(cache)?.args(["get", &name, "-o", "json"]))?;
    let object: Value = serde_json::from_str(&text).context("kubectl wrote no JSON")?;
    let status = &object["status"];
    let replicas = &object["spec"]["replicas"];
    Ok(status["observedGeneration"] == object["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas"]
            .iter()
            .all(|field| status[*field] == *replicas))
}

fn pod(value: &Value) -> Option<Pod> {
    let conditions = value["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|one| one["type"] == "Ready");
    Some(Pod {
        name: value["metadata"]["name"].as_str()?.to_owned(),
        ip: value["status"]["podIP"].as_str().and_then(|text| text.parse().ok()),
        deleting: !value["metadata"]["deletionTimestamp"].is_null(),
        ready: ready.any(|one| one["status"] == "True"),
    })
}

fn lifecycle(variant: &Variant) -> String {
    match variant.pre_stop_s {
        0 => "{}".to_owned(),
        seconds => format!("{{ preStop: {{ sleep: {{ seconds: {seconds} }} }} }}"),
    }
}

fn environment(variant: &Variant, version: u64) -> String {
    let variables = variant.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let version = ("VERSION", format!("v{version}"));
    variables
        .chain([version])
        .map(|(name, value)| format!("{{ name: {name}, value: \"{value}\" }}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_without_address_and_conditions_is_not_ready() {
        let value = json!({"metadata": {"name": "a"}});
        let expected = Pod { name: "a".into(), ip: None, deleting: false, ready: false };
        assert_eq!(pod(&value), Some(expected));
    }

    #[test]
    fn a_deleting_pod_may_still_be_ready() {
        let value = json!({
            "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:30Z"},
            "status": {"podIP": "10.102.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let pod = pod(&value).unwrap();
        assert!(pod.ready && pod.deleting);
        assert_eq!(pod.ip, Some("10.102.0.7".parse().unwrap()));
    }
}
