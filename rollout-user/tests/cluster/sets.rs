//! StatefulSets and DaemonSets against the mock server: found, restarted, watched, and followed to their end.

use crate::objects::{event, page, pod, service, status};
use crate::run::{Run, WORKLOAD_PODS, cluster, timing, workload_of};
use crate::server::{Answer, Server, Step};
use rollout::analyse::progress::{Progress, State};
use rollout::error::render;
use rollout::record::Body;
use rollout::record::meta::Target;
use serde_json::{Value, json};

const APPS: &str = "/apis/apps/v1/namespaces/default";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";

/// Each kind with its resource and the word for it.
const KINDS: [(&str, &str, &str); 2] =
    [("StatefulSet", "statefulsets", "sts"), ("DaemonSet", "daemonsets", "ds")];

/// The set with one pod wanted: `generation` of the spec, and whether the status has caught up with it.
fn set(kind: &str, version: u64, generation: u64, updated: u64, update: &str) -> Value {
    let number = |sts: &'static str, ds: &'static str| if kind == "StatefulSet" { sts } else { ds };
    let mut status = json!({"observedGeneration": generation, "updateRevision": update});
    for (field, value) in [
        (number("replicas", "currentNumberScheduled"), 1),
        (number("updatedReplicas", "updatedNumberScheduled"), updated),
        (number("readyReplicas", "numberReady"), 1),
        (number("availableReplicas", "numberAvailable"), 1),
        ("desiredNumberScheduled", 1),
    ] {
        status[field] = json!(value);
    }
    json!({
        "metadata": {"namespace": "default", "name": "serv", "uid": "us", "generation": generation,
                     "resourceVersion": version.to_string()},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "serv"}},
                 "updateStrategy": {"type": "RollingUpdate"},
                 "template": {"metadata": {"labels": {"app": "serv"}, "annotations": {"n": generation}},
                              "spec": {"containers": [{"name": "serv", "ports": [
                                  {"name": "web", "containerPort": 8080}]}]}}},
        "status": status
    })
}

fn owner(kind: &str) -> Value {
    json!([{"kind": kind, "name": "serv", "uid": "us", "controller": true}])
}

fn revision(kind: &str, hash: &str, version: u64, number: u64) -> Value {
    let name = format!("serv-{hash}");
    json!({"metadata": {"namespace": "default", "name": name, "uid": name,
                        "resourceVersion": version.to_string(), "ownerReferences": owner(kind)},
           "revision": number, "data": {"spec": {"template": {}}}})
}

/// A pod as its controller labels it, ready.
fn of(kind: &str, uid: &str, version: u64, hash: &str) -> Value {
    let name = if kind == "StatefulSet" { "serv-0".to_owned() } else { format!("serv-{uid}") };
    let mut pod = pod(&name, uid, version, "10.1.0.5");
    let label = if kind == "StatefulSet" { format!("serv-{hash}") } else { hash.to_owned() };
    pod["metadata"]["labels"]["controller-revision-hash"] = json!(label);
    pod["metadata"]["ownerReferences"] = owner(kind);
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    pod
}

#[tokio::test]
async fn a_set_is_found_with_its_services_by_its_short_name() {
    for (kind, resource, word) in KINDS {
        let server = Server::start().await;
        server.list(&format!("{APPS}/{resource}/serv"), Answer::Json(200, set(kind, 5, 1, 1, "")));
        let mut headless = service("peers");
        headless["spec"]["clusterIP"] = json!("None");
        headless["spec"]["clusterIPs"] = json!(["None"]);
        headless["spec"]["ports"] = json!([{"port": 7000, "targetPort": "web"}]);
        server.list("/api/v1/namespaces/default/services", page(9, &[service("serv"), headless]));
        let spec = format!("{word}/serv");
        let info = cluster(&server, timing()).await.target(&spec, None).await.unwrap();
        assert_eq!((info.workload.target.kind.as_str(), info.services.len()), (kind, 2));
        assert_eq!(info.workload.selector, "app=serv");
        assert_eq!(info.addresses.len(), 1, "the headless Service has none");
        assert_eq!(info.pod_ports.iter().copied().collect::<Vec<_>>(), [8080]);
        assert_eq!(info.deployment.desired, 1);
        assert!(info.notes.is_empty(), "{:?}", info.notes);
    }
}

#[tokio::test]
async fn a_misspelt_set_gets_a_suggestion_of_its_kind() {
    let server = Server::start().await;
    server.list(&format!("{APPS}/statefulsets/srev"), status(404, "not found"));
    server.list(&format!("{APPS}/statefulsets"), page(9, &[set("StatefulSet", 5, 1, 1, "")]));
    let cluster = cluster(&server, timing()).await;
    let text = render(&cluster.target("sts/srev", None).await.unwrap_err());
    assert!(text.contains("no StatefulSet `srev` in namespace `default`"), "{text}");
    assert!(text.contains("hint: did you mean `serv`?"), "{text}");
}

#[tokio::test]
async fn a_restart_patches_the_sets_own_resource() {
    for (kind, resource, _) in KINDS {
        let server = Server::start().await;
        let path = format!("{APPS}/{resource}/serv");
        server.list(&path, Answer::Json(200, set(kind, 5, 1, 1, "")));
        let target = Target { kind: kind.into(), namespace: "default".into(), name: "serv".into() };
        cluster(&server, timing()).await.restart(&target).await.unwrap();
        let asked = server.asked_for(&["PATCH", &path, "kubectl.kubernetes.io/restartedAt"]);
        assert_eq!(asked.len(), 1, "{:?}", server.asked());

        let server = Server::start().await;
        server.list(&path, status(403, "forbidden"));
        let error = cluster(&server, timing()).await.restart(&target).await.unwrap_err();
        let word = kind.to_ascii_lowercase();
        assert!(render(&error).contains(&format!("cannot restart {word}/serv")), "{error:?}");
    }
}

#[tokio::test]
async fn an_update_of_a_set_is_followed_to_its_end() {
    for (kind, resource, _) in KINDS {
        let server = Server::start().await;
        let path = format!("{APPS}/{resource}");
        server.list(&path, page(10, &[set(kind, 5, 1, 1, "serv-aaa")]));
        server.list(REVISIONS, page(10, &[revision(kind, "aaa", 5, 1)]));
        server.list(WORKLOAD_PODS, page(10, &[of(kind, "old", 5, "aaa")]));
        let changed =
            |version, updated| event("MODIFIED", set(kind, version, 2, updated, "serv-bbb"));
        server.watch(&path, Answer::Stream(vec![changed(11, 0), changed(15, 1), Step::Hold]));
        let second = event("ADDED", revision(kind, "bbb", 12, 2));
        server.watch(REVISIONS, Answer::Stream(vec![second, Step::Hold]));
        let pods = vec![
            event("DELETED", of(kind, "old", 13, "aaa")),
            event("ADDED", of(kind, "new", 14, "bbb")),
            Step::Hold,
        ];
        server.watch(WORKLOAD_PODS, Answer::Stream(pods));

        let scope = workload_of(kind);
        let target = scope.workload.as_ref().unwrap().target.clone();
        let mut run = Run::start(&server, scope, timing()).await;
        run.watches.synced().await;
        let after = |run: &Run| {
            let mut progress = Progress::new(target.clone());
            for record in &run.records {
                progress.observe(record);
            }
            progress
        };
        run.until("the end", |run| after(run).state() == State::Complete).await;
        let progress = after(&run);
        assert_eq!(progress.revision(), Some(2), "{kind}");
        let pods = progress.pods();
        assert_eq!((pods.old.gone, pods.new.ready), (1, 1), "{kind}");
        assert!(
            run.records.iter().any(|record| matches!(record.body, Body::ControllerRevision(_)))
        );
        assert!(server.asked_for(&["/deployments"]).is_empty(), "only what the kind needs");
        assert!(server.asked_for(&["/replicasets"]).is_empty(), "only what the kind needs");
        assert_eq!(run.lost(), 0);
    }
}

#[tokio::test]
async fn a_deployment_needs_no_right_to_revisions() {
    let server = Server::start().await;
    let run = Run::start(&server, workload_of("Deployment"), timing()).await;
    run.watches.synced().await;
    for resource in ["controllerrevisions", "statefulsets", "daemonsets"] {
        assert!(server.asked_for(&[resource]).is_empty());
    }
}
