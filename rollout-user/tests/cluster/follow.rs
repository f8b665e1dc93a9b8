//! What a healthy server says arrives once, in order, with its time.

use crate::objects::{event, owned, page, pod, replica_set, status};
use crate::run::{PODS, Run, WORKLOAD_PODS, node, timing, workload};
use crate::server::{Answer, Server, Step};
use rollout::record::Body;
use rollout::timeline::monotonic_ns;
use serde_json::json;

#[tokio::test]
async fn a_list_and_its_watch_become_observations_with_intervals() {
    let server = Server::start().await;
    server.list(PODS, page(10, &[pod("a", "ua", 5, "10.1.0.5")]));
    let mut deleted = pod("a", "ua", 13, "10.1.0.5");
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:05:05Z");
    server.watch(
        PODS,
        Answer::Stream(vec![
            event("ADDED", pod("b", "ub", 11, "")),
            event("MODIFIED", pod("b", "ub", 12, "10.1.0.6")),
            event("DELETED", deleted),
            Step::Hold,
        ]),
    );
    let begun = monotonic_ns();
    let mut run = Run::start(&server, node(), timing()).await;
    run.watches.synced().await;
    run.until("the deletion", |run| run.pods().len() == 4).await;

    assert_eq!(run.pod_history(), ["+a@5", "+b@11", "+b@12", "-a@13"]);
    let times: Vec<u64> = run
        .records
        .iter()
        .filter(|record| matches!(record.body, Body::Pod(_)))
        .map(|record| record.time_ns)
        .collect();
    let pods = run.pods();
    assert_eq!(pods[0].not_before_ns, 0);
    assert_eq!(pods[2].not_before_ns, times[1], "the previous version's arrival");
    assert_eq!(pods[3].not_before_ns, times[0]);
    assert!(pods[3].object.meta.deletion_timestamp.is_some(), "its last state");
    assert!(times.iter().all(|time| (begun..monotonic_ns()).contains(time)));
    assert!(times.is_sorted());
    assert_eq!(run.synced("pods"), 1);
    assert!(run.cuts("pods").is_empty());
    let watched = server.asked_for(&["watch=true", "spec.nodeName%3Dnode1"]);
    assert!(watched[0].contains("resourceVersion=10"), "{watched:?}");
}

#[tokio::test]
async fn f17_a_pod_is_recorded_before_it_has_an_address() {
    let server = Server::start().await;
    server.watch(PODS, Answer::Stream(vec![event("ADDED", pod("new", "un", 11, "")), Step::Hold]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("the pod", |run| run.pods().len() == 1).await;
    assert!(run.pods()[0].object.ips.is_empty());
}

#[tokio::test]
async fn a_regular_end_resumes_from_the_bookmark_and_is_no_gap() {
    let server = Server::start().await;
    let bookmark = json!({"metadata": {"resourceVersion": "77"}});
    server.watch(PODS, Answer::Stream(vec![event("BOOKMARK", bookmark), Step::End]));
    server.watch(
        PODS,
        Answer::Stream(vec![event("ADDED", pod("a", "ua", 78, "10.1.0.5")), Step::Hold]),
    );
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("the pod", |run| run.pods().len() == 1).await;
    let watched = server.asked_for(&["watch=true", "spec.nodeName"]);
    assert!(watched[1].contains("resourceVersion=77"), "{watched:?}");
    assert_eq!(server.asked_for(&["limit=", "spec.nodeName"]).len(), 1, "no second list");
    assert!(run.cuts("pods").is_empty());
    assert_eq!(run.lost(), 0, "a bookmark is no object");
}

#[tokio::test]
async fn pages_are_joined() {
    let server = Server::start().await;
    let first = json!({"metadata": {"resourceVersion": "10", "continue": "next=1"},
                       "items": [pod("a", "ua", 5, "10.1.0.5")]});
    server.list(PODS, Answer::Json(200, first));
    server.list(PODS, page(10, &[pod("b", "ub", 6, "10.1.0.6")]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("sync", |run| run.synced("pods") == 1).await;
    assert_eq!(run.pod_history(), ["+a@5", "+b@6"]);
    assert_eq!(server.asked_for(&["continue=next%3D1"]).len(), 1);
}

#[tokio::test]
async fn a_pod_that_two_watches_bring_is_recorded_once() {
    let server = Server::start().await;
    let here = pod("here", "uh", 5, "10.1.0.5");
    let mut remote = pod("remote", "ur", 6, "10.2.0.5");
    remote["spec"]["nodeName"] = json!("node2");
    server.list(PODS, page(10, std::slice::from_ref(&here)));
    server.list(WORKLOAD_PODS, page(10, &[here, remote.clone()]));
    let gone = || event("DELETED", pod("here", "uh", 12, "10.1.0.5"));
    let end = |name| event("ADDED", pod(name, name, 13, "10.1.0.9"));
    server.watch(PODS, Answer::Stream(vec![gone(), end("one"), Step::Hold]));
    server.watch(WORKLOAD_PODS, Answer::Stream(vec![gone(), end("two"), Step::Hold]));
    let mut run = Run::start(&server, workload(), timing()).await;
    run.watches.synced().await;
    run.until("the ends of both", |run| {
        let history = run.pod_history();
        ["+one@13", "+two@13"].iter().all(|end| history.contains(&(*end).into()))
    })
    .await;
    let mut history = run.pod_history();
    history.sort();
    assert_eq!(history, ["+here@5", "+one@13", "+remote@6", "+two@13", "-here@12"]);
    let scopes: Vec<_> = run
        .states("pods", rollout::record::cluster::WatchChange::Synced)
        .iter()
        .map(|state| state.scope.clone())
        .collect();
    assert!(scopes.contains(&"node=node1".into()) && scopes.contains(&"default/serv".into()));
    assert!(!server.asked_for(&[WORKLOAD_PODS, "labelSelector=app%3Dserv"]).is_empty());
}

#[tokio::test]
async fn every_pod_here_gets_its_revision_and_each_set_is_fetched_once() {
    let server = Server::start().await;
    let pods: Vec<_> = (0..5)
        .map(|number| owned(pod("p", &format!("u{number}"), 5, "10.1.0.5"), "gateway-abc"))
        .collect();
    server.list(PODS, page(10, &pods));
    let path = "/apis/apps/v1/namespaces/default/replicasets/gateway-abc";
    server.list(path, Answer::Json(200, replica_set("gateway-abc", 3, 7)));
    let mut run = Run::start(&server, node(), timing()).await;
    let sets = |run: &Run| {
        let sets = run.records.iter().filter_map(|record| match &record.body {
            Body::ReplicaSet(set) => set.object.revision,
            _ => None,
        });
        sets.collect::<Vec<_>>()
    };
    run.until("the ReplicaSet", |run| !sets(run).is_empty()).await;
    assert_eq!(sets(&run), [7]);
    assert!(run.watches.notes().await.is_empty());
}

#[tokio::test]
async fn a_revision_that_may_not_be_read_is_said() {
    let server = Server::start().await;
    server.list(PODS, page(10, &[owned(pod("p", "u", 5, "10.1.0.5"), "gateway-abc")]));
    let path = "/apis/apps/v1/namespaces/default/replicasets/gateway-abc";
    server.list(path, status(403, "replicasets is forbidden"));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("the request", |_| !server.asked_for(&[path]).is_empty()).await;
    while run.watches.notes().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let notes = run.watches.notes().await;
    assert!(
        notes[0].contains("revision of pods of `default/gateway-abc` unknown: 403"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_node_without_pods_is_questioned() {
    let server = Server::start().await;
    let run = Run::start(&server, node(), timing()).await;
    run.watches.synced().await;
    let notes = run.watches.notes().await;
    assert!(notes[0].contains("no pod on node `node1`"), "{notes:?}");
}

#[tokio::test]
async fn a_small_queue_slows_the_list_and_loses_nothing() {
    let server = Server::start().await;
    let pods: Vec<_> =
        (0..300).map(|number| pod("p", &format!("u{number}"), 5, "10.1.0.5")).collect();
    server.list(PODS, page(10, &pods));
    let mut run = Run::with_queue(&server, node(), timing(), 2).await;
    run.until("all", |run| run.pods().len() == 300 && run.synced("pods") == 1).await;
    assert_eq!(run.lost(), 0);
}

#[tokio::test]
async fn hostile_strings_pass_as_data_and_huge_labels_are_counted() {
    let server = Server::start().await;
    let mut hostile = pod("\u{1b}]0;x\u{7}\n<script>", "u", 5, "10.1.0.5");
    hostile["metadata"]["labels"] =
        json!({"app": "serv", "\u{0}\u{202e}": "\r\n", "huge": "x".repeat(1 << 20)});
    server.list(PODS, page(10, &[hostile]));
    let mut run = Run::start(&server, node(), timing()).await;
    run.until("the pod", |run| run.pods().len() == 1).await;
    let meta = &run.pods()[0].object.meta;
    assert_eq!(meta.name, "\u{1b}]0;x\u{7}\n<script>");
    assert_eq!((meta.labels.len(), meta.labels_cut), (2, 1));
    assert_eq!(meta.labels["\u{0}\u{202e}"], "\r\n");
    let json = serde_json::to_string(&run.records).unwrap();
    let back: Vec<rollout::record::Record> = serde_json::from_str(&json).unwrap();
    assert_eq!(back, run.records);
}

#[tokio::test]
async fn the_servers_clock_is_measured() {
    let server = Server::start().await;
    server.date_ahead(-40);
    let mut run = Run::start(&server, node(), timing()).await;
    let clock = |run: &Run| {
        run.records.iter().find_map(|record| match &record.body {
            Body::ServerClock(clock) => Some(clock.clone()),
            _ => None,
        })
    };
    run.until("the clock", |run| clock(run).is_some()).await;
    let clock = clock(&run).unwrap();
    let bounds = clock.ahead_at_least_ns..=clock.ahead_at_most_ns;
    assert!(bounds.contains(&-40_000_000_000), "{bounds:?}");
    assert!(!bounds.contains(&0), "one answer alone says it to a second");
}
