//! EndpointSlices and Services: what kube-proxy is told.
//!
//! In: wire objects. Out: `record::cluster::{EndpointSlice, Service}`, TCP only.

use super::{from_meta, tcp_port};
use crate::cluster::wire;
use crate::record::cluster::{Endpoint, EndpointSlice, Service, ServicePort, SlicePort};
use std::net::IpAddr;

/// Converts an EndpointSlice. Absent conditions get the defaults of KEP-1672.
pub(crate) fn from_endpoint_slice(wire: wire::EndpointSlice) -> EndpointSlice {
    let service = wire.metadata.labels.get("kubernetes.io/service-name").cloned();
    EndpointSlice {
        service,
        ports: wire
            .ports
            .into_iter()
            .filter_map(|port| {
                let number = tcp_port(port.port?, port.protocol.as_deref())?;
                Some(SlicePort { name: port.name, port: number })
            })
            .collect(),
        endpoints: wire.endpoints.into_iter().map(endpoint).collect(),
        meta: from_meta(wire.metadata),
    }
}

fn endpoint(wire: wire::Endpoint) -> Endpoint {
    let ready = wire.conditions.ready.unwrap_or(true);
    let is_pod = wire.target_ref.kind == "Pod";
    Endpoint {
        addresses: wire.addresses.iter().filter_map(|text| text.parse().ok()).collect(),
        pod_uid: wire.target_ref.uid.filter(|_| is_pod),
        pod_name: wire.target_ref.name.filter(|_| is_pod),
        node: wire.node_name,
        ready,
        serving: wire.conditions.serving.unwrap_or(ready),
        terminating: wire.conditions.terminating.unwrap_or(false),
    }
}

/// Converts a Service. A headless one has no cluster address; both families of a dual-stack one are kept.
pub(crate) fn from_service(wire: wire::Service) -> Service {
    let spec = wire.spec;
    let ingress = wire.status.load_balancer.ingress;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let cluster = spec.cluster_ips.iter().map(String::as_str).chain(spec.cluster_ip.as_deref());
    let external = spec.external_ips.iter().map(String::as_str);
    let balancer = ingress.iter().filter_map(|ingress| ingress.ip.as_deref());
    for text in cluster.chain(external).chain(balancer) {
        // "None" marks a headless Service and is no address.
        if let Ok(address) = text.parse()
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    Service {
        addresses,
        ports: spec.ports.into_iter().filter_map(service_port).collect(),
        selector: spec.selector,
        kind: spec.r#type,
        internal_traffic_policy: spec.internal_traffic_policy,
        external_traffic_policy: spec.external_traffic_policy,
        meta: from_meta(wire.metadata),
    }
}

fn service_port(wire: wire::ServicePort) -> Option<ServicePort> {
    let port = tcp_port(wire.port, wire.protocol.as_deref())?;
    let target = match wire.target_port {
        Some(wire::IntOrString::Name(name)) => name,
        Some(wire::IntOrString::Int(number)) if number != 0 => number.to_string(),
        _ => port.to_string(),
    };
    let node_port = wire.node_port.and_then(|number| tcp_port(number, None));
    Some(ServicePort { name: wire.name, port, target, node_port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(json: serde_json::Value) -> EndpointSlice {
        from_endpoint_slice(serde_json::from_value(json).unwrap())
    }

    fn service(json: serde_json::Value) -> Service {
        from_service(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn absent_conditions_have_the_defaults_of_kep_1672() {
        let slice = slice(serde_json::json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "serv"}},
            "ports": [{"name": null, "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"},
                      {"name": "all", "port": null}],
            "endpoints": [
                {"addresses": ["10.1.0.5"], "conditions": {},
                 "targetRef": {"kind": "Pod", "name": "serv-1", "uid": "u1"}, "nodeName": "node1"},
                {"addresses": ["10.1.0.6"]},
                {"addresses": ["10.1.0.7"], "conditions": {"ready": false}},
                {"addresses": ["10.1.0.8"], "conditions": {"ready": false, "serving": true,
                                                           "terminating": true},
                 "targetRef": {"kind": "Node", "name": "node1", "uid": "n1"}}
            ]
        }));
        assert_eq!(slice.service.as_deref(), Some("serv"));
        assert_eq!(slice.ports, [SlicePort { name: String::new(), port: 8080 }]);
        let conditions: Vec<_> =
            slice.endpoints.iter().map(|one| (one.ready, one.serving, one.terminating)).collect();
        assert_eq!(
            conditions,
            [(true, true, false), (true, true, false), (false, false, false), (false, true, true)]
        );
        assert_eq!(slice.endpoints[0].pod_uid.as_deref(), Some("u1"));
        assert_eq!(slice.endpoints[3].pod_uid, None, "only a Pod is a pod");
    }

    #[test]
    fn a_dual_stack_service_keeps_every_address_once() {
        let service = service(serde_json::json!({
            "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.7",
                     "clusterIPs": ["10.0.0.7", "fd01::7"], "externalIPs": ["192.0.2.1"],
                     "selector": {"app": "serv"}, "internalTrafficPolicy": "Cluster",
                     "externalTrafficPolicy": "Local",
                     "ports": [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
                               {"port": 81}, {"port": 82, "targetPort": 8082},
                               {"port": 53, "protocol": "UDP"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}, {"hostname": "lb"}]}}
        }));
        assert_eq!(service.addresses.len(), 4);
        let targets: Vec<_> = service.ports.iter().map(|port| port.target.as_str()).collect();
        assert_eq!(targets, ["web", "81", "8082"]);
        assert_eq!(service.ports[0].node_port, Some(30080));
        let policies = (service.internal_traffic_policy, service.external_traffic_policy);
        assert_eq!(policies, ("Cluster".to_owned(), "Local".to_owned()));
    }

    #[test]
    fn a_headless_service_has_no_address() {
        let service = service(serde_json::json!({
            "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": null}
        }));
        assert!(service.addresses.is_empty() && service.ports.is_empty());
    }
}
