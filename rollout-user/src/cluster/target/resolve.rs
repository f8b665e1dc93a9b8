//! The pure part of finding a target: spelling, selectors, ports, suggestions.

use super::{TargetInfo, Workload};
use crate::cluster::convert::{from_deployment, from_service};
use crate::cluster::wire;
use crate::error::hinted;
use crate::record::cluster::Service;
use crate::record::meta::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The name in `deployment/NAME` and its abbreviations.
pub(super) fn deployment_name(spec: &str) -> anyhow::Result<&str> {
    let Some((kind, name)) = spec.split_once('/') else {
        return Err(hinted(
            format!("`{spec}` does not say what kind it is"),
            format!("write `deployment/{spec}`"),
        ));
    };
    let kind = kind.to_ascii_lowercase();
    if !matches!(
        kind.as_str(),
        "deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps"
    ) {
        return Err(hinted(
            format!("`{kind}` cannot be watched"),
            "only Deployments can: `deployment/NAME`",
        ));
    }
    if name.is_empty() || name.contains('/') {
        return Err(hinted(
            format!("`{spec}` names no Deployment"),
            "write `deployment/NAME`, and the namespace with -n",
        ));
    }
    Ok(name)
}

/// Joins a Deployment with the Services of its namespace. `denied`: why those could not be listed.
pub(super) fn resolve(
    wire: wire::Deployment,
    services: Vec<wire::Service>,
    denied: Option<String>,
) -> TargetInfo {
    let template: wire::Template =
        serde_json::from_value(wire.spec.template.clone()).unwrap_or_default();
    let selector = selector(&wire.spec.selector);
    let deployment = from_deployment(wire);
    let target = Target {
        kind: "Deployment".into(),
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
    let title = format!("deployment/{}", target.name);
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
        notes.push(format!("{title} is scaled to 0: an update would replace no pod"));
    }
    if deployment.strategy != "RollingUpdate" {
        notes.push(format!(
            "{title} has strategy `{}`: all old pods stop before new ones start",
            deployment.strategy
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
    for port in template.containers.iter().flat_map(|container| &container.ports) {
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
pub(super) fn suggestion(
    name: &str,
    namespace: &str,
    here: &[&str],
    other_namespaces: &[&str],
) -> String {
    let elsewhere: Vec<_> =
        other_namespaces.iter().filter(|other| **other != namespace).take(5).collect();
    if let Some(first) = elsewhere.first() {
        let all: Vec<_> = elsewhere.iter().map(|other| format!("`{other}`")).collect();
        return format!("it exists in namespace {}: pass -n {first}", all.join(", "));
    }
    let mut close: Vec<(usize, &str)> = here
        .iter()
        .map(|other| (distance(name, other), *other))
        .filter(|(distance, other)| {
            *distance <= 2.max(name.len() / 3) || other.contains(name) || name.contains(other)
        })
        .collect();
    close.sort();
    let names: Vec<_> = close.iter().take(5).map(|(_, other)| format!("`{other}`")).collect();
    if !names.is_empty() {
        return format!("did you mean {}?", names.join(", "));
    }
    if here.is_empty() {
        return format!("no Deployment was found in namespace `{namespace}`: pass -n NAMESPACE");
    }
    format!("`kubectl -n {namespace} get deployments` lists the {} there", here.len())
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

    fn deployment() -> wire::Deployment {
        serde_json::from_value(json!({
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
        }))
        .unwrap()
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
        let info = resolve(deployment(), services, None);
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
        let info = resolve(deployment(), Vec::new(), None);
        assert!(info.notes[0].contains("no Service selects"), "{:?}", info.notes);
        assert_eq!(info.pod_ports, BTreeSet::from([8080]));
        let denied = resolve(deployment(), Vec::new(), Some("403 forbidden".into()));
        assert_eq!(denied.notes, ["Services cannot be listed: 403 forbidden"]);
    }

    #[test]
    fn paused_scaled_down_and_recreate_are_said() {
        let mut wire = deployment();
        wire.spec.paused = true;
        wire.spec.replicas = Some(0);
        wire.spec.strategy.r#type = "Recreate".into();
        let notes = resolve(wire, vec![service("serv", json!({"app": "serv"}))], None).notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("kubectl rollout resume deployment/serv"));
    }

    #[test]
    fn spellings_of_a_deployment() {
        for spec in ["deployment/serv", "deploy/serv", "Deployments/serv", "deployment.apps/serv"] {
            assert_eq!(deployment_name(spec).unwrap(), "serv");
        }
        for spec in ["serv", "statefulset/serv", "deployment/", "deployment/a/b", ""] {
            let error = deployment_name(spec).unwrap_err();
            assert!(crate::error::hint_of(&error).is_some(), "{spec}");
        }
    }

    #[test]
    fn suggestions_prefer_the_same_name_elsewhere_then_close_names() {
        let close = suggestion("srev", "default", &["serv", "gateway", "service-b"], &[]);
        assert_eq!(close, "did you mean `serv`?");
        assert_eq!(
            suggestion("serv", "default", &["gateway"], &["prod", "default"]),
            "it exists in namespace `prod`: pass -n prod"
        );
        assert!(suggestion("serv", "x", &[], &[]).contains("pass -n NAMESPACE"));
        assert!(
            suggestion("zzzz", "x", &["gateway"], &[]).contains("kubectl -n x get deployments")
        );
    }

    #[test]
    fn distances() {
        assert_eq!(distance("serv", "serv"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
