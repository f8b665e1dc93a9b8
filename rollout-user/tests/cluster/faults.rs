//! What a sick server says or does not say is stated, backed off, and made good by a new list.

use crate::objects::{event, page, pod, status, status_object};
use crate::run::{PODS, Run, node, timing};
use crate::server::{Answer, Server, Step};
use rollout::cluster::Timing;
use rollout::error::render;
use serde_json::json;
use std::time::{Duration, Instant};

fn here() -> serde_json::Value {
    pod("a", "ua", 5, "10.1.0.5")
}

fn reasons(run: &Run) -> String {
    run.cuts("pods").join(" | ")
}

/// After `fault` on the watch: one cut, a new list, in sync again, nothing recorded twice.
async fn recovers_from_watch(fault: Answer, reason: &str) {
    let server = Server::start().await;
    server.list(PODS, page(10, &[here()]));
    server.watch(PODS, fault);
    server.watch(PODS, Answer::Stream(vec![Step::Hold]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("sync after the fault", |run| run.synced("pods") == 2).await;
    assert_eq!(run.cuts("pods").len(), 1, "{}", reasons(&run));
    assert!(reasons(&run).contains(reason), "{}", reasons(&run));
    assert_eq!(run.pod_history(), ["+a@5"]);
    let cut = run.states("pods", rollout::record::cluster::WatchChange::Cut)[0];
    assert!(cut.since_ns > 0, "the list was a sign of life");
    assert!(run.watches.behind().iter().all(|one| !one.watch.starts_with("pods")));
}

/// Pauses that are long against everything else: at least 150 ms with their spread.
fn slow() -> Timing {
    let pause = Duration::from_millis(200);
    Timing { pause_first: pause, pause_most: pause, ..timing() }
}

/// Fails if there were more attempts than pauses fit: a slower machine makes fewer, never more.
fn assert_paused(attempts: usize, begun: Instant) {
    let elapsed = begun.elapsed();
    let most = 1 + elapsed.as_millis() / 150;
    assert!(attempts as u128 <= most, "{attempts} attempts in {elapsed:?}");
}

/// While lists fail: said once, paused between, and read as soon as it works.
async fn recovers_from_list(fault: Answer, reason: &str) {
    let server = Server::start().await;
    server.list(PODS, fault);
    let begun = Instant::now();
    let mut run = Run::start(&server, node(), slow()).await;
    let lists = || server.asked_for(&["limit=", "spec.nodeName"]).len();
    run.until("five attempts", |run| lists() >= 5 && !run.cuts("pods").is_empty()).await;
    assert_paused(lists(), begun);
    assert_eq!(run.cuts("pods").len(), 1, "{}", reasons(&run));
    assert!(reasons(&run).contains(reason), "{}", reasons(&run));
    assert_eq!(run.states("pods", rollout::record::cluster::WatchChange::Cut)[0].since_ns, 0);
    let behind = run.watches.behind();
    assert!(behind.iter().any(|one| one.watch == "pods node=node1"), "{behind:?}");

    server.list(PODS, page(10, &[here()]));
    server.list(PODS, page(10, &[here()]));
    run.until("sync", |run| run.synced("pods") == 1).await;
    assert_eq!(run.pod_history(), ["+a@5"]);
}

#[tokio::test]
async fn gone_410_in_the_stream() {
    let gone = event("ERROR", status_object(410, "too old resource version: 10 (20)"));
    recovers_from_watch(Answer::Stream(vec![gone, Step::Hold]), "410 too old resource").await;
}

#[tokio::test]
async fn gone_410_as_the_answer() {
    recovers_from_watch(status(410, "too old"), "410 too old").await;
}

#[tokio::test]
async fn another_error_in_the_stream() {
    let error = event("ERROR", status_object(500, "etcd went away"));
    recovers_from_watch(Answer::Stream(vec![error, Step::Hold]), "500 etcd went away").await;
}

#[tokio::test]
async fn an_error_without_status_in_the_stream() {
    let error = event("ERROR", json!([1, 2, 3]));
    recovers_from_watch(Answer::Stream(vec![error, Step::Hold]), "error without a status").await;
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_line() {
    let half = Step::Bytes(br#"{"type":"ADDED","object":{"metadata":{"name":"half","#.to_vec());
    recovers_from_watch(Answer::Stream(vec![half, Step::Break]), "no connection").await;
}

#[tokio::test]
async fn a_regular_end_in_the_middle_of_a_line() {
    let half = Step::Bytes(br#"{"type":"ADDED","#.to_vec());
    recovers_from_watch(Answer::Stream(vec![half, Step::End]), "ended inside a line").await;
}

#[tokio::test]
async fn garbage_in_the_stream() {
    let garbage = Step::Bytes(b"\xff\x00<html>\n".to_vec());
    recovers_from_watch(Answer::Stream(vec![garbage, Step::Hold]), "unreadable answer").await;
}

#[tokio::test]
async fn no_http_at_all() {
    recovers_from_watch(Answer::NotHttp(b"SSH-2.0-x\r\n\r\n".to_vec()), "no connection").await;
}

#[tokio::test]
async fn wrong_token_401() {
    recovers_from_list(status(401, "Unauthorized"), "401 Unauthorized").await;
}

#[tokio::test]
async fn forbidden_403() {
    let text = "pods is forbidden: User \"x\" cannot list resource \"pods\"";
    recovers_from_list(status(403, text), "403 pods is forbidden").await;
}

#[tokio::test]
async fn internal_error_500() {
    recovers_from_list(Answer::Text(500, "boom".into()), "500 boom").await;
}

#[tokio::test]
async fn a_list_of_garbage() {
    recovers_from_list(Answer::Text(200, "<html>login</html>".into()), "unreadable answer").await;
}

#[tokio::test]
async fn a_list_of_another_shape() {
    recovers_from_list(Answer::Json(200, json!({"items": 7})), "unreadable answer").await;
}

#[tokio::test]
async fn a_list_without_version() {
    let list = json!({"metadata": {}, "items": []});
    recovers_from_list(Answer::Json(200, list), "without resource version").await;
}

#[tokio::test]
async fn a_server_that_ends_every_watch_at_once_is_not_asked_in_a_fast_loop() {
    let server = Server::start().await;
    server.watch(PODS, Answer::Stream(vec![Step::End]));
    let begun = Instant::now();
    let timing = Timing { shortest: Duration::from_secs(3600), ..slow() };
    let mut run = Run::start(&server, node(), timing).await;
    let watches = || server.asked_for(&["watch=true", "spec.nodeName"]).len();
    run.until("five watches", |_| watches() >= 5).await;
    assert_paused(watches(), begun);
    assert!(reasons(&run).contains("the server ended the watch after"), "{}", reasons(&run));
}

#[tokio::test]
async fn a_watch_that_falls_silent_beyond_its_time_is_cut() {
    let server = Server::start().await;
    server.list(PODS, page(10, &[here()]));
    let timing =
        Timing { watch: Duration::from_millis(50), grace: Duration::from_millis(50), ..timing() };
    let mut run = Run::start(&server, node(), timing).await;
    run.until("the cut", |run| !run.cuts("pods").is_empty() && run.synced("pods") >= 2).await;
    assert!(reasons(&run).contains("no answer for 0.1 s"), "{}", reasons(&run));
}

#[tokio::test]
async fn what_came_before_a_fault_is_kept() {
    let server = Server::start().await;
    server.list(PODS, page(10, &[here()]));
    server.watch(
        PODS,
        Answer::Stream(vec![
            event("MODIFIED", pod("a", "ua", 11, "10.1.0.5")),
            event("ADDED", pod("b", "ub", 12, "10.1.0.6")),
            Step::Break,
        ]),
    );
    server.watch(PODS, Answer::Stream(vec![Step::Hold]));
    server.list(PODS, page(20, &[pod("a", "ua", 15, "10.1.0.5"), pod("b", "ub", 12, "10.1.0.6")]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("sync", |run| run.synced("pods") == 2).await;
    assert_eq!(run.pod_history(), ["+a@5", "+a@11", "+b@12", "+a@15"]);
}

#[tokio::test]
async fn a_restarted_server_with_a_vanished_pod_and_a_reused_address() {
    let mut server = Server::start().await;
    server.list(PODS, page(10, &[here(), pod("b", "ub", 6, "10.1.0.6")]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("sync", |run| run.synced("pods") == 1).await;
    let seen_at = run.records.iter().map(|record| record.time_ns).min().unwrap();

    server.stop().await;
    run.until("the cut", |run| !run.cuts("pods").is_empty()).await;
    assert!(reasons(&run).contains("no connection"), "{}", reasons(&run));
    server.restart().await;
    let reuser = pod("c", "uc", 15, "10.1.0.5");
    server.list(PODS, page(20, &[reuser, pod("b", "ub", 6, "10.1.0.6")]));
    run.until("sync again", |run| run.synced("pods") == 2).await;

    assert_eq!(run.pod_history(), ["+a@5", "+b@6", "-a@5", "+c@15"]);
    let pods = run.pods();
    assert_eq!(pods[2].object.ips, pods[3].object.ips, "the old pod goes before the new one");
    assert!(pods[2].not_before_ns >= seen_at && pods[2].not_before_ns > 0);
}

#[tokio::test]
async fn an_unreadable_object_is_counted_and_the_others_are_read() {
    let server = Server::start().await;
    let mut wrong = pod("w", "uw", 5, "10.1.0.9");
    wrong["status"]["podIPs"] = json!("none");
    let mut nameless = pod("n", "", 5, "10.1.0.9");
    nameless["metadata"]["uid"] = json!(null);
    server.list(PODS, page(10, &[wrong.clone(), here(), nameless, json!(7)]));
    server.watch(
        PODS,
        Answer::Stream(vec![
            event("ADDED", wrong),
            event("PHRASED", pod("x", "ux", 11, "")),
            event("ADDED", pod("b", "ub", 12, "10.1.0.6")),
            Step::Hold,
        ]),
    );
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("the last", |run| run.pods().len() == 2).await;
    assert_eq!(run.pod_history(), ["+a@5", "+b@12"]);
    assert_eq!(run.lost(), 5);
    assert!(run.cuts("pods").is_empty());
}

#[tokio::test]
async fn waiting_for_sync_ends_early_when_a_right_is_missing() {
    let server = Server::start().await;
    server.list("/api/v1/services", status(403, "services is forbidden"));
    let run = Run::start(&server, node(), timing()).await;
    let error = run.watches.synced_within(Duration::from_secs(3600)).await.unwrap_err();
    let text = render(&error);
    assert!(text.contains("`services`: 403 services is forbidden"), "{text}");
    assert!(text.contains("hint: a permission is missing: `rollout doctor`"), "{text}");
}

#[tokio::test]
async fn waiting_for_sync_names_what_is_missing() {
    let mut server = Server::start().await;
    server.stop().await;
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("cuts", |run| run.cuts("services").len() == 1 && run.cuts("pods").len() == 1).await;
    let error = run.watches.synced_within(Duration::ZERO).await.unwrap_err();
    let text = render(&error);
    assert!(text.contains("`services`: no connection") && text.contains("refused"), "{text}");

    server.restart().await;
    run.watches.synced_within(Duration::from_secs(60)).await.unwrap();
}
