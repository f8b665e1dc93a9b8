//! Finding and reaching the API server, and what is said when that fails.

use crate::objects::{page, pod, status};
use crate::run::{access, kubeconfig, node, timing};
use crate::server::{Answer, Server};
use rollout::cluster::{self, Access, Check, CheckResult};
use rollout::error::render;
use serde_json::json;

async fn refused(access: &Access) -> String {
    match cluster::connect(access).await {
        Ok(_) => panic!("connected"),
        Err(error) => render(&error),
    }
}

async fn refused_config(text: &str, context: Option<&str>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, text).unwrap();
    let access =
        Access { kubeconfig: Some(path), context: context.map(str::to_owned), timing: timing() };
    refused(&access).await
}

#[tokio::test]
async fn connecting_tells_version_server_and_namespace() {
    let server = Server::start().await;
    server.list("/version", Answer::Json(200, json!({"gitVersion": "v1.35.4"})));
    let (_directory, access) = access(&server.url(), timing());
    let cluster = cluster::connect(&access).await.unwrap();
    assert_eq!(cluster.version().await.unwrap(), "v1.35.4");
    assert_eq!(cluster.namespace(), "default");
    assert!(cluster.server().starts_with(&server.url()));
}

#[tokio::test]
async fn a_malformed_kubeconfig_is_named_and_its_secrets_are_not_shown() {
    let text = refused_config("users:\n- name: u\n  user: {token: hunter2\n: [", None).await;
    assert!(text.contains("is malformed") && text.contains("hint:"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn an_unknown_context_lists_those_there_are() {
    let text = refused_config(&kubeconfig("http://127.0.0.1:1"), Some("prod")).await;
    assert!(text.contains("no context `prod`"), "{text}");
    assert!(text.contains("hint: pass --context NAME: it has `test`"), "{text}");
}

#[tokio::test]
async fn a_missing_current_context_is_said() {
    let text = kubeconfig("http://127.0.0.1:1").replace("current-context: test\n", "");
    let text = refused_config(&text, None).await;
    assert!(text.contains("has no current context") && text.contains("`test`"), "{text}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let access = Access {
        kubeconfig: Some("/nonexistent/kubeconfig".into()),
        context: None,
        timing: timing(),
    };
    let text = refused(&access).await;
    assert!(text.contains("cannot read the kubeconfig `/nonexistent/kubeconfig`"), "{text}");
    assert!(text.contains("No such file") && text.contains("hint:"), "{text}");
}

#[tokio::test]
async fn a_context_without_its_cluster_is_said() {
    let text = kubeconfig("http://127.0.0.1:1").replace("cluster: c,", "cluster: other,");
    let text = refused_config(&text, None).await;
    assert!(text.contains("cannot use context `test`") && text.contains("other"), "{text}");
}

#[tokio::test]
async fn a_server_out_of_reach_is_said() {
    let mut server = Server::start().await;
    server.stop().await;
    let (_directory, access) = access(&server.url(), timing());
    let text = refused(&access).await;
    assert!(text.contains("cannot be reached") && text.contains("refused"), "{text}");
    assert!(text.contains("hint: is the API server up"), "{text}");
}

#[tokio::test]
async fn a_wrong_token_is_said() {
    let server = Server::start().await;
    server.list("/version", status(401, "Unauthorized"));
    let (_directory, access) = access(&server.url(), timing());
    let text = refused(&access).await;
    assert!(text.contains("refuses: 401 Unauthorized"), "{text}");
    assert!(text.contains("hint: the server does not accept these credentials"), "{text}");
    assert!(!text.contains("secret-token"), "{text}");
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_an_error_and_no_panic() {
    let server = Server::start().await;
    let (_directory, access) = access(&server.url().replace("http:", "https:"), timing());
    let text = refused(&access).await;
    assert!(text.contains("cannot be reached: no connection:"), "{text}");
    assert!(text.contains("hint:"), "{text}");
}

#[tokio::test]
async fn a_credential_plugin_that_does_not_run_is_said() {
    let server = Server::start().await;
    let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/login, \
                interactiveMode: Never}";
    let text = kubeconfig(&server.url()).replace("token: secret-token", exec);
    let text = refused_config(&text, None).await;
    assert!(text.contains("/nonexistent/login") || text.contains("No such file"), "{text}");
    assert!(text.contains("hint:"), "{text}");
}

#[tokio::test]
async fn another_web_server_is_recognised() {
    let server = Server::start().await;
    server.list("/version", Answer::Text(200, "<html>".into()));
    let (_directory, access) = access(&server.url(), timing());
    let text = refused(&access).await;
    assert!(text.contains("hint: is that address an API server?"), "{text}");
}

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}: {checks:#?}"))
}

#[tokio::test]
async fn doctor_asks_for_every_right_and_prints_the_missing_role() {
    let server = Server::start().await;
    server.list("/version", Answer::Json(200, json!({"gitVersion": "v1.35.4"})));
    let review = |allowed| Answer::Json(201, json!({"status": {"allowed": allowed}}));
    server.list(REVIEWS, review(false));
    server.list(REVIEWS, review(true));
    server.list("/api/v1/pods", page(10, &[pod("a", "ua", 5, "10.1.0.5")]));
    server.date_ahead(90);
    let (_directory, access) = access(&server.url(), timing());
    let checks = cluster::checks(&access, &node()).await;

    assert_eq!(named(&checks, "API server").result, CheckResult::Good);
    assert_eq!(named(&checks, "may list pods").result, CheckResult::Bad);
    assert_eq!(named(&checks, "may watch deployments").result, CheckResult::Good);
    assert_eq!(named(&checks, "node name").result, CheckResult::Good);
    let clock = named(&checks, "API server's clock");
    assert_eq!(clock.result, CheckResult::Limited, "{}", clock.found);
    assert_eq!(named(&checks, "ClusterRole").found, "missing: list pods");
    let remedy = named(&checks, "ClusterRole").remedy.clone().unwrap();
    assert!(remedy.contains("kind: ClusterRole\n"), "{remedy}");
    assert!(remedy.contains("resources: [\"services\"]"), "the role is whole: {remedy}");
    let asked = server.asked_for(&[REVIEWS]);
    assert_eq!(asked.len(), 20);
    assert!(asked[4].contains(r#""group":"discovery.k8s.io""#), "{asked:#?}");
}

#[tokio::test]
async fn doctor_without_a_server_says_what_it_could_not_check() {
    let mut server = Server::start().await;
    server.stop().await;
    let (_directory, access) = access(&server.url(), timing());
    let checks = cluster::checks(&access, &node()).await;
    assert_eq!(named(&checks, "cluster configuration").result, CheckResult::Good);
    assert_eq!(named(&checks, "API server").result, CheckResult::Bad);
    assert_eq!(named(&checks, "permissions").result, CheckResult::Unknown);
}

#[tokio::test]
async fn doctor_with_a_broken_configuration_goes_on() {
    let access = Access { kubeconfig: Some("/nonexistent".into()), ..Access::default() };
    let checks = cluster::checks(&access, &node()).await;
    assert_eq!(named(&checks, "cluster configuration").result, CheckResult::Bad);
    assert!(named(&checks, "cluster configuration").remedy.is_some());
}

#[tokio::test]
async fn doctor_questions_a_node_without_pods_and_an_odd_review() {
    let server = Server::start().await;
    server.list(REVIEWS, Answer::Json(201, json!({"status": {}})));
    let (_directory, access) = access(&server.url(), timing());
    let checks = cluster::checks(&access, &node()).await;
    assert_eq!(named(&checks, "may list pods").result, CheckResult::Unknown);
    assert_eq!(named(&checks, "node name").result, CheckResult::Limited);
    assert!(!checks.iter().any(|check| check.name == "ClusterRole"));
}
