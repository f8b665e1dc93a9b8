//! Pods: addresses, readiness, deletion, containers.
//!
//! In: a wire Pod. Out: `record::cluster::Pod`.

use super::{from_meta, tcp_port, to_i32, unix_seconds};
use crate::cluster::wire;
use crate::record::cluster::{Container, Pod};
use std::collections::BTreeMap;

/// Converts a Pod. Sidecars (init containers with `restartPolicy: Always`) count as containers, because they serve
/// and are stopped like them; other init containers do not.
pub(crate) fn from_pod(wire: wire::Pod) -> Pod {
    let ready = wire.status.conditions.iter().find(|condition| condition.r#type == "Ready");
    let specs: Vec<&wire::ContainerSpec> = wire
        .spec
        .init_containers
        .iter()
        .filter(|spec| spec.restart_policy.as_deref() == Some("Always"))
        .chain(&wire.spec.containers)
        .collect();
    let statuses: BTreeMap<&str, &wire::ContainerStatus> = wire
        .status
        .init_container_statuses
        .iter()
        .chain(&wire.status.container_statuses)
        .map(|status| (status.name.as_str(), status))
        .collect();
    let containers =
        specs.iter().map(|spec| container(spec, statuses.get(spec.name.as_str()).copied()));
    Pod {
        ips: addresses(&wire.status),
        host_network: wire.spec.host_network,
        ready: ready.is_some_and(|condition| condition.status == "True"),
        ready_changed: ready
            .and_then(|condition| unix_seconds(condition.last_transition_time.as_deref())),
        grace_seconds: wire.spec.termination_grace_period_seconds,
        pre_stop_sleep_seconds: specs
            .iter()
            .filter_map(|spec| spec.lifecycle.pre_stop.sleep.as_ref())
            .map(|sleep| sleep.seconds)
            .max(),
        pre_stop_hook: specs.iter().find_map(|spec| hook(&spec.lifecycle.pre_stop)),
        containers: containers.collect(),
        node: wire.spec.node_name.filter(|node| !node.is_empty()),
        phase: wire.status.phase,
        meta: from_meta(wire.metadata),
    }
}

/// What a handler does where it does not sleep. The API server accepts one action only.
fn hook(handler: &wire::Handler) -> Option<String> {
    let word = match handler {
        wire::Handler { exec: Some(_), .. } => "exec",
        wire::Handler { http_get: Some(_), .. } => "http",
        wire::Handler { tcp_socket: Some(_), .. } => "tcp",
        _ => return None,
    };
    Some(word.to_owned())
}

/// `podIPs`, else `podIP` (which servers before dual-stack set alone), without repeats.
fn addresses(status: &wire::PodStatus) -> Vec<std::net::IpAddr> {
    let mut addresses = Vec::new();
    let listed = status.pod_ips.iter().map(|pod_ip| pod_ip.ip.as_str());
    for text in listed.chain(status.pod_ip.as_deref()) {
        if let Ok(address) = text.parse()
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}

fn container(spec: &wire::ContainerSpec, status: Option<&wire::ContainerStatus>) -> Container {
    let ports = spec
        .ports
        .iter()
        .filter_map(|port| tcp_port(port.container_port, port.protocol.as_deref()))
        .collect();
    let Some(status) = status else {
        return Container { name: spec.name.clone(), ports, ..Container::default() };
    };
    let running = status.state.running.as_ref();
    let terminated = status.state.terminated.as_ref();
    let started = running
        .and_then(|running| running.started_at.as_deref())
        .or_else(|| terminated.and_then(|terminated| terminated.started_at.as_deref()));
    let id =
        status.container_id.split_once("://").map_or(status.container_id.as_str(), |(_, id)| id);
    Container {
        name: spec.name.clone(),
        id: id.to_owned(),
        ports,
        restarts: to_i32(status.restart_count),
        started: unix_seconds(started),
        finished: terminated.and_then(|end| unix_seconds(end.finished_at.as_deref())),
        exit_code: terminated.and_then(|end| end.exit_code).map(to_i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: serde_json::Value) -> Pod {
        from_pod(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_running_pod_is_read_whole() {
        let pod = pod(serde_json::json!({
            "metadata": {"name": "serv-1", "labels": {"pod-template-hash": "abc"}},
            "spec": {
                "nodeName": "node1", "terminationGracePeriodSeconds": 30,
                "initContainers": [
                    {"name": "once"},
                    {"name": "mesh", "restartPolicy": "Always",
                     "lifecycle": {"preStop": {"sleep": {"seconds": 7}}}}
                ],
                "containers": [{
                    "name": "serv",
                    "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}],
                    "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}
                }]
            },
            "status": {
                "phase": "Running", "podIP": "10.1.0.5",
                "podIPs": [{"ip": "10.1.0.5"}, {"ip": "fd00::5"}],
                "conditions": [
                    {"type": "Initialized", "status": "True"},
                    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}
                ],
                "containerStatuses": [{
                    "name": "serv", "containerID": "containerd://0123abc", "restartCount": 2,
                    "state": {"running": {"startedAt": "2026-01-02T03:04:04Z"}}
                }]
            }
        }));
        assert_eq!(pod.node.as_deref(), Some("node1"));
        assert_eq!(pod.ips.len(), 2);
        assert!(pod.ready);
        assert_eq!(pod.ready_changed, Some(1_767_323_045));
        assert_eq!(pod.grace_seconds, Some(30));
        assert_eq!(pod.pre_stop_sleep_seconds, Some(7), "the longest of its containers");
        assert_eq!(pod.pre_stop_hook, None, "a sleep is told as such");
        let names: Vec<_> = pod.containers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["mesh", "serv"]);
        let serv = &pod.containers[1];
        assert_eq!((serv.id.as_str(), serv.restarts), ("0123abc", 2));
        assert_eq!(serv.ports, [8080]);
        assert_eq!(serv.started, Some(1_767_323_044));
    }

    #[test]
    fn an_ended_container_keeps_its_code_and_times() {
        let pod = pod(serde_json::json!({
            "spec": {"containers": [{"name": "serv"}]},
            "status": {"containerStatuses": [{"name": "serv", "containerID": "", "state": {
                "terminated": {"exitCode": 137, "startedAt": "1970-01-01T00:00:01Z",
                               "finishedAt": "1970-01-01T00:00:09Z"}}}]}
        }));
        let ended = &pod.containers[0];
        assert_eq!((ended.exit_code, ended.started, ended.finished), (Some(137), Some(1), Some(9)));
    }

    #[test]
    fn a_pre_stop_that_does_not_sleep_is_named_by_its_kind() {
        let of = |handler: serde_json::Value| {
            let containers = serde_json::json!([
                {"name": "mesh", "lifecycle": {"postStart": {"exec": {"command": ["true"]}}}},
                {"name": "serv", "lifecycle": {"preStop": handler}}
            ]);
            pod(serde_json::json!({ "spec": { "containers": containers } })).pre_stop_hook
        };
        let word = |word: &str| Some(word.to_owned());
        assert_eq!(of(serde_json::json!({"exec": {"command": ["sleep", "5"]}})), word("exec"));
        assert_eq!(of(serde_json::json!({"httpGet": {"path": "/stop", "port": 80}})), word("http"));
        assert_eq!(of(serde_json::json!({"tcpSocket": {"port": "web"}})), word("tcp"));
        assert_eq!(of(serde_json::json!({"sleep": {"seconds": 5}, "exec": null})), None);
        assert_eq!(of(serde_json::json!(null)), None);
    }

    #[test]
    fn an_unscheduled_pod_has_no_node_address_or_readiness() {
        let pod = pod(serde_json::json!({
            "metadata": {"name": "p"}, "spec": {"nodeName": "", "containers": null},
            "status": {"phase": "Pending", "podIPs": null, "conditions": null}
        }));
        assert_eq!((pod.node, pod.ips.len(), pod.ready), (None, 0, false));
        assert_eq!(pod.pre_stop_sleep_seconds, None);
    }

    #[test]
    fn host_network_is_kept_and_a_malformed_address_is_dropped() {
        let pod = pod(serde_json::json!({
            "spec": {"hostNetwork": true},
            "status": {"podIP": "192.0.2.7", "podIPs": [{"ip": "not an address"}]}
        }));
        assert!(pod.host_network);
        assert_eq!(pod.ips, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
    }
}
