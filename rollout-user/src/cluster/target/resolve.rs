//! The pure part of finding a target: spelling, selectors, ports, suggestions.

use super::{TargetInfo, Workload};
use crate::cluster::convert::{from_daemon_set, from_deployment, from_service, from_stateful_set};
use crate::cluster::wire;
use crate::error::hinted;
use crate::record::cluster::{Deployment, Service};
use crate::record::meta::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The kind and the name in `deployment/NAME`, `sts/NAME` and so on.
pub(super) fn kind_and_name(spec: &str) -> anyhow::Result<(&'static str, &str)> {
    let Some((word, name)) = spec.split_once('/') else {
        return Err(hinted(
            format!("`{spec}` does not say what kind it is"),
            format!("write `deployment/{spec}`, `statefulset/{spec}` or `daemonset/{spec}`"),
        ));
    };
    let Some(kind) = Target::kind_of(word) else {
        return Err(hinted(
            format!("`{word}` cannot be watched"),
            "Deployments, StatefulSets and DaemonSets can: `deployment/NAME`",
        ));
    };
    if name.is_empty() || name.contains('/') {
        return Err(hinted(
            format!("`{spec}` names no {kind}"),
            format!("write `{}/NAME`, and the namespace with -n", kind.to_ascii_lowercase()),
        ));
    }
    Ok((kind, name))
}

/// A workload as it was read.
pub(super) struct Found {
    template: wire::Template,
    selector: String,
    deployment: Deployment,
}

/// Reads a workload of a kind from the API server's JSON.
pub(super) fn read(kind: &str, body: &[u8]) -> serde_json::Result<Found> {
    let (template, selected, deployment) = match kind {
        "StatefulSet" => {
            let wire: wire::StatefulSet = serde_json::from_slice(body)?;
            let spec = (wire.spec.template.clone(), wire.spec.selector.clone());
            (spec.0, spec.1, from_stateful_set(wire).0)
        }
        "DaemonSet" => {
            let wire: wire::DaemonSet = serde_json::from_slice(body)?;
            let spec = (wire.spec.template.clone(), wire.spec.selector.clone());
            (spec.0, spec.1, from_daemon_set(wire).0)
        }
        _ => {
            let wire: wire::Deployment = serde_json::from_slice(body)?;
            let spec = (wire.spec.template.clone(), wire.spec.selector.clone());
            (spec.0, spec.1, from_deployment(wire))
        }
    };
    let template = serde_json::from_value(template).unwrap_or_default();
    Ok(Found { template, selector: selector(&selected), deployment })
}

/// Joins a workload with the Services of its namespace. `denied`: why those could not be listed.
pub(super) fn resolve(
    kind: &str,
    found: Found,
    services: Vec<wire::Service>,
    denied: Option<String>,
) -> TargetInfo {
    let Found { template, selector, deployment } = found;
    let target = Target {
        kind: kind.into(),
        namespace: deployment.meta.namespace.clone(),
        name: deployment.meta.name.clone(),
    };
    let mut services: Vec<Service> = services
        .into_iter()
        .map(from_service)
        .filter(|service| selects(&service.selector, &template.metadata.labels))
        .collect();
    services.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    let mut notes = Vec::new();
    let title = target.title();
    match &denied {
        Some(reason) => notes.push(format!("Services cannot be listed: {reason}")),
        None if services.is_empty() => notes.push(format!(
            "no Service selects the pods of {title}: only connects to pod addresses can be attributed"
        )),
        None => {}
    }
    if deployment.paused {
        notes.push(format!(
            "{title} is paused: no update begins before `kubectl rollout resume {title}`"
        ));
    }
    if deployment.desired == 0 {
        let why = if kind == "DaemonSet" { "has no node to run on" } else { "is scaled to 0" };
        notes.push(format!("{title} {why}: an update would replace no pod"));
    }
    match deployment.strategy.as_str() {
        "RollingUpdate" => {}
        "OnDelete" => notes.push(format!(
            "{title} has strategy `OnDelete`: a pod is replaced only when somebody deletes it"
        )),
        other => notes.push(format!(
            "{title} has strategy `{other}`: all old pods stop before new ones start"
        )),
    }
    if deployment.kept() > 0 {
        notes.push(format!(
            "{title} has a partition: {} of {} pods keep their revision",
            deployment.kept(),
            deployment.desired
        ));
    }
    TargetInfo {
        addresses: addresses(&services),
        pod_ports: pod_ports(&services, &template.spec),
        workload: Workload { target, selector },
        deployment,
        services,
        notes,
    }
}

/// A Service without selector selects nothing.
fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn addresses(services: &[Service]) -> BTreeSet<SocketAddr> {
    let mut addresses = BTreeSet::new();
    for service in services {
        for address in &service.addresses {
            addresses.extend(service.ports.iter().map(|port| SocketAddr::new(*address, port.port)));
        }
    }
    addresses
}

/// Declared ports, and target ports, named ones looked up in the template.
fn pod_ports(services: &[Service], template: &wire::PodSpec) -> BTreeSet<u16> {
    let mut declared: Vec<(&str, u16)> = Vec::new();
    // A side-car is an init container, and may serve a port of the pod.
    let containers = template.containers.iter().chain(&template.init_containers);
    for port in containers.flat_map(|container| &container.ports) {
        if matches!(port.protocol.as_deref(), None | Some("TCP"))
            && let Ok(number) = u16::try_from(port.container_port)
        {
            declared.push((&port.name, number));
        }
    }
    // Pods are dialled by themselves too, on any port that they declare.
    let mut ports: BTreeSet<u16> = declared.iter().map(|(_, number)| *number).collect();
    for port in services.iter().flat_map(|service| &service.ports) {
        match port.target.parse::<u16>() {
            Ok(number) => {
                ports.insert(number);
            }
            Err(_) => ports.extend(
                declared.iter().filter(|(name, _)| *name == port.target).map(|(_, number)| number),
            ),
        }
    }
    ports
}

/// A label selector as a query writes it.
fn selector(selector: &wire::LabelSelector) -> String {
    let mut terms: Vec<String> =
        selector.match_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    for expression in &selector.match_expressions {
        let values = expression.values.join(",");
        let key = &expression.key;
        match expression.operator.as_str() {
            "In" => terms.push(format!("{key} in ({values})")),
            "NotIn" => terms.push(format!("{key} notin ({values})")),
            "Exists" => terms.push(key.clone()),
            "DoesNotExist" => terms.push(format!("!{key}")),
            // A newer operator: the term is left out, which selects more rather than less.
            _ => {}
        }
    }
    terms.join(",")
}

/// What the user may have meant.
pub(super) fn suggestion(target: &Target, here: &[&str], other_namespaces: &[&str]) -> String {
    let Target { kind, namespace, name } = target;
    let elsewhere: Vec<_> =
        other_namespaces.iter().filter(|other| *other != namespace).take(5).collect();
    if let Some(first) = elsewhere.first() {
        let all: Vec<_> = elsewhere.iter().map(|other| format!("`{other}`")).collect();
        return format!("it exists in namespace {}: pass -n {first}", all.join(", "));
    }
    let mut close: Vec<(usize, &str)> = here
        .iter()
        .map(|other| (distance(name, other), *other))
        .filter(|(distance, other)| {
            *distance <= 2.max(name.len() / 3)
                || other.contains(name.as_str())
                || name.contains(other)
        })
        .collect();
    close.sort();
    let names: Vec<_> = close.iter().take(5).map(|(_, other)| format!("`{other}`")).collect();
    if !names.is_empty() {
        return format!("did you mean {}?", names.join(", "));
    }
    if here.is_empty() {
        return format!("no {kind} was found in namespace `{namespace}`: pass -n NAMESPACE");
    }
    format!("`kubectl -n {namespace} get {}` lists the {} there", target.resource(), here.len())
}

/// Edits (insert, delete, replace) between two names; names are cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        let mut last = i + 1;
        for (pair, right) in row.windows(2).zip(&b) {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => (0, 0),
            };
            last = (diagonal + usize::from(left != right)).min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> serde_json::Value {
        json!({
            "metadata": {"namespace": "default", "name": "serv"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "serv"}, "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["a", "b"]},
                    {"key": "old", "operator": "DoesNotExist"}]},
                "template": {
                    "metadata": {"labels": {"app": "serv", "tier": "a"}},
                    "spec": {"containers": [{"name": "serv", "ports": [
                        {"name": "web", "containerPort": 8080},
                        {"name": "dns", "containerPort": 53, "protocol": "UDP"}]}]}
                }
            }
        })
    }

    fn resolved(
        kind: &str,
        json: &serde_json::Value,
        services: Vec<wire::Service>,
        denied: Option<&str>,
    ) -> TargetInfo {
        let found = read(kind, json.to_string().as_bytes()).unwrap();
        resolve(kind, found, services, denied.map(str::to_owned))
    }

    fn service(name: &str, selector: serde_json::Value) -> wire::Service {
        serde_json::from_value(json!({
            "metadata": {"namespace": "default", "name": name},
            "spec": {"clusterIPs": ["10.0.0.7", "fd01::7"], "selector": selector,
                     "ports": [{"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 9000}]}
        }))
        .unwrap()
    }

    #[test]
    fn its_services_are_those_that_select_its_pods() {
        let services = vec![
            service("serv", json!({"app": "serv"})),
            service("other", json!({"app": "other"})),
            service("manual", json!({})),
            service("narrow", json!({"app": "serv", "tier": "z"})),
        ];
        let info = resolved("Deployment", &deployment(), services, None);
        let names: Vec<_> = info.services.iter().map(|one| one.meta.name.as_str()).collect();
        assert_eq!(names, ["serv"]);
        assert_eq!(info.pod_ports, BTreeSet::from([8080, 9000]), "the named port is looked up");
        let texts: Vec<_> = info.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.7:80", "10.0.0.7:81", "[fd01::7]:80", "[fd01::7]:81"]);
        assert_eq!(info.workload.selector, "app=serv,tier in (a,b),!old");
        assert!(info.notes.is_empty(), "{:?}", info.notes);
    }

    #[test]
    fn no_service_is_a_stated_degradation() {
        let info = resolved("Deployment", &deployment(), Vec::new(), None);
        assert!(info.notes[0].contains("no Service selects"), "{:?}", info.notes);
        assert_eq!(info.pod_ports, BTreeSet::from([8080]));
        let denied = resolved("Deployment", &deployment(), Vec::new(), Some("403 forbidden"));
        assert_eq!(denied.notes, ["Services cannot be listed: 403 forbidden"]);
    }

    #[test]
    fn paused_scaled_down_and_recreate_are_said() {
        let mut wire = deployment();
        wire["spec"]["paused"] = json!(true);
        wire["spec"]["replicas"] = json!(0);
        wire["spec"]["strategy"] = json!({"type": "Recreate"});
        let services = vec![service("serv", json!({"app": "serv"}))];
        let notes = resolved("Deployment", &wire, services, None).notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("kubectl rollout resume deployment/serv"));
    }

    #[test]
    fn a_stateful_sets_strategy_and_partition_are_said() {
        let mut wire = deployment();
        wire["spec"]["replicas"] = json!(3);
        wire["spec"]["updateStrategy"] = json!({"rollingUpdate": {"partition": 2}});
        let services = || vec![service("serv", json!({"app": "serv"}))];
        let info = resolved("StatefulSet", &wire, services(), None);
        assert_eq!(info.workload.target.kind, "StatefulSet");
        assert_eq!(
            info.notes,
            ["statefulset/serv has a partition: 2 of 3 pods keep their revision"]
        );
        wire["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        let notes = resolved("StatefulSet", &wire, services(), None).notes;
        assert!(notes[0].contains("`OnDelete`: a pod is replaced only when"), "{notes:?}");
        let notes = resolved("DaemonSet", &deployment(), services(), None).notes;
        assert_eq!(notes, ["daemonset/serv has no node to run on: an update would replace no pod"]);
    }

    #[test]
    fn several_services_headless_ones_and_named_ports_are_found() {
        let mut headless = service("headless", json!({"app": "serv"}));
        headless.spec.cluster_ips = vec!["None".into()];
        let services = vec![service("serv", json!({"app": "serv"})), headless];
        let mut wire = deployment();
        wire["spec"]["template"]["spec"]["initContainers"] =
            json!([{"name": "mesh", "ports": [{"name": "mesh", "containerPort": 15001}]}]);
        let info = resolved("StatefulSet", &wire, services, None);
        let names: Vec<_> = info.services.iter().map(|one| one.meta.name.as_str()).collect();
        assert_eq!(names, ["headless", "serv"]);
        assert_eq!(info.addresses.len(), 4, "the headless one has none");
        assert_eq!(info.pod_ports, BTreeSet::from([8080, 9000, 15001]));
    }

    #[test]
    fn spellings_of_a_workload() {
        for (kind, specs) in [
            ("Deployment", ["deployment/serv", "deploy/serv", "Deployments/serv"]),
            ("StatefulSet", ["statefulset/serv", "sts/serv", "statefulsets.apps/serv"]),
            ("DaemonSet", ["daemonset/serv", "ds/serv", "DaemonSet/serv"]),
        ] {
            for spec in specs {
                assert_eq!(kind_and_name(spec).unwrap(), (kind, "serv"));
            }
        }
        for spec in ["serv", "cronjob/serv", "sts/", "deployment/a/b", ""] {
            let error = kind_and_name(spec).unwrap_err();
            assert!(crate::error::hint_of(&error).is_some(), "{spec}");
        }
    }

    fn target(namespace: &str, name: &str) -> Target {
        Target { kind: "StatefulSet".into(), namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn suggestions_prefer_the_same_name_elsewhere_then_close_names() {
        let close = suggestion(&target("default", "srev"), &["serv", "gateway", "service-b"], &[]);
        assert_eq!(close, "did you mean `serv`?");
        assert_eq!(
            suggestion(&target("default", "serv"), &["gateway"], &["prod", "default"]),
            "it exists in namespace `prod`: pass -n prod"
        );
        assert!(suggestion(&target("x", "serv"), &[], &[]).contains("pass -n NAMESPACE"));
        let none = suggestion(&target("x", "zzzz"), &["gateway"], &[]);
        assert!(none.contains("kubectl -n x get statefulsets"), "{none}");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("serv", "serv"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
