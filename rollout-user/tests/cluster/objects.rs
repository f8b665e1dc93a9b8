//! Objects as the API server writes them, and the lists and lines around them.

use crate::server::{Answer, Step};
use serde_json::{Value, json};

pub fn pod(name: &str, uid: &str, version: u64, ip: &str) -> Value {
    let ips = if ip.is_empty() { json!([]) } else { json!([{"ip": ip}]) };
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": uid,
                     "resourceVersion": version.to_string(), "labels": {"app": "serv"}},
        "spec": {"nodeName": "node1", "containers": [{"name": "serv"}]},
        "status": {"phase": "Running", "podIPs": ips}
    })
}

pub fn owned(mut pod: Value, replica_set: &str) -> Value {
    pod["metadata"]["ownerReferences"] =
        json!([{"kind": "ReplicaSet", "name": replica_set, "uid": "rs", "controller": true}]);
    pod
}

pub fn replica_set(name: &str, version: u64, revision: u64) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": name,
                     "resourceVersion": version.to_string(),
                     "annotations": {"deployment.kubernetes.io/revision": revision.to_string()}},
        "spec": {"replicas": 1}, "status": {}
    })
}

pub fn deployment(name: &str) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": "ud", "resourceVersion": "5"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "serv"}},
                 "template": {"metadata": {"labels": {"app": "serv"}},
                              "spec": {"containers": [{"name": "serv"}]}}},
        "status": {}
    })
}

pub fn service(name: &str) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": "us", "resourceVersion": "6"},
        "spec": {"clusterIPs": ["10.0.0.7"], "selector": {"app": "serv"},
                 "ports": [{"port": 80, "targetPort": 8080}]}
    })
}

pub fn page(version: u64, items: &[Value]) -> Answer {
    Answer::Json(200, json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}))
}

pub fn event(kind: &str, object: Value) -> Step {
    Step::Line(json!({"type": kind, "object": object}))
}

pub fn status(code: u16, message: &str) -> Answer {
    Answer::Json(code, status_object(code, message))
}

pub fn status_object(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
           "message": message, "reason": "X", "code": code})
}
