//! `deployment/NAME` against the mock server.

use crate::objects::{deployment, page, service, status};
use crate::run::{cluster, timing};
use crate::server::{Answer, Server};
use rollout::error::render;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SERV: &str = "/apis/apps/v1/namespaces/default/deployments/serv";
const SERVICES: &str = "/api/v1/namespaces/default/services";

#[tokio::test]
async fn a_target_comes_with_its_service_addresses_and_ports() {
    let server = Server::start().await;
    server.list(SERV, Answer::Json(200, deployment("serv")));
    server.list(SERVICES, page(9, &[service("serv")]));
    let info = cluster(&server, timing()).await.target("deployment/serv", None).await.unwrap();
    assert_eq!(info.workload.selector, "app=serv");
    assert_eq!(info.workload.target.namespace, "default");
    assert_eq!(info.services.len(), 1);
    assert!(info.addresses.contains(&"10.0.0.7:80".parse().unwrap()));
    assert!(info.pod_ports.contains(&8080));
    assert!(info.notes.is_empty(), "{:?}", info.notes);
}

#[tokio::test]
async fn a_misspelt_target_gets_a_suggestion() {
    let server = Server::start().await;
    server.list(&format!("{DEPLOYMENTS}/srev"), status(404, "not found"));
    server.list(DEPLOYMENTS, page(9, &[deployment("serv"), deployment("gateway")]));
    let error = cluster(&server, timing()).await.target("deploy/srev", None).await.unwrap_err();
    let text = render(&error);
    assert!(text.contains("no Deployment `srev` in namespace `default`"), "{text}");
    assert!(text.contains("hint: did you mean `serv`?"), "{text}");
}

#[tokio::test]
async fn a_target_of_another_namespace_is_pointed_at() {
    let server = Server::start().await;
    let path = "/apis/apps/v1/namespaces/test/deployments/serv";
    server.list(path, status(404, "not found"));
    server.list("/apis/apps/v1/deployments", page(9, &[deployment("serv")]));
    let cluster = cluster(&server, timing()).await;
    let error = cluster.target("deployment/serv", Some("test")).await.unwrap_err();
    assert!(render(&error).contains("pass -n default"), "{}", render(&error));
}

#[tokio::test]
async fn a_target_without_service_is_degraded_and_not_refused() {
    let server = Server::start().await;
    server.list(SERV, Answer::Json(200, deployment("serv")));
    let info = cluster(&server, timing()).await.target("deployment/serv", None).await.unwrap();
    assert!(info.services.is_empty());
    assert!(info.notes[0].contains("no Service selects the pods"), "{:?}", info.notes);
}

#[tokio::test]
async fn a_target_that_may_not_be_read_names_the_right() {
    let server = Server::start().await;
    server.list(SERV, status(403, "deployments.apps \"serv\" is forbidden"));
    let error = cluster(&server, timing()).await.target("deployment/serv", None).await.unwrap_err();
    let text = render(&error);
    assert!(text.contains("403") && text.contains("hint: a permission is missing"), "{text}");
}

#[tokio::test]
async fn services_that_may_not_be_read_are_a_degradation() {
    let server = Server::start().await;
    server.list(SERV, Answer::Json(200, deployment("serv")));
    server.list(SERVICES, status(403, "services is forbidden"));
    let info = cluster(&server, timing()).await.target("deployment/serv", None).await.unwrap();
    assert!(info.notes[0].contains("403 services is forbidden"), "{:?}", info.notes);
}

#[tokio::test]
async fn a_restart_sets_the_annotation_that_kubectl_sets() {
    let server = Server::start().await;
    server.list(SERV, Answer::Json(200, deployment("serv")));
    let cluster = cluster(&server, timing()).await;
    let target = cluster.target("deployment/serv", None).await.unwrap().workload.target;
    cluster.restart(&target).await.unwrap();
    let asked = server.asked_for(&["PATCH", SERV, "kubectl.kubernetes.io/restartedAt"]);
    assert_eq!(asked.len(), 1, "{:?}", server.asked());
}

#[tokio::test]
async fn a_restart_without_the_right_names_it() {
    let server = Server::start().await;
    server.list(SERV, Answer::Json(200, deployment("serv")));
    let cluster = cluster(&server, timing()).await;
    let target = cluster.target("deployment/serv", None).await.unwrap().workload.target;
    server.list(SERV, status(403, "deployments.apps \"serv\" is forbidden"));
    let text = match cluster.restart(&target).await {
        Ok(()) => render(&cluster.restart(&target).await.unwrap_err()),
        Err(error) => render(&error),
    };
    assert!(text.contains("cannot restart deployment/serv") && text.contains("403"), "{text}");
}
