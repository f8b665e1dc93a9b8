//! Watches against the mock server, and what they put on the timeline.

use crate::server::Server;
use rollout::cluster::{Access, Cluster, Scope, Timing, Watches, Workload};
use rollout::record::cluster::{Observed, Pod, WatchChange, WatchState};
use rollout::record::meta::Target;
use rollout::record::{Body, Record};
use rollout::timeline::{Next, Timeline, queue};
use std::time::{Duration, Instant};

/// Where the node's pods are listed.
pub const PODS: &str = "/api/v1/pods";
/// Where the workload's pods are listed.
pub const WORKLOAD_PODS: &str = "/api/v1/namespaces/default/pods";

/// Far beyond what any step needs.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn timing() -> Timing {
    Timing {
        answer: Duration::from_secs(30),
        watch: Duration::from_secs(300),
        grace: Duration::from_secs(10),
        shortest: Duration::ZERO,
        pause_first: Duration::from_millis(10),
        pause_most: Duration::from_millis(40),
    }
}

pub fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: c, cluster: {{server: \"{url}\"}}}}]\n\
         users: [{{name: u, user: {{token: secret-token}}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    )
}

/// Access through a kubeconfig file; the directory must live as long as it is read.
pub fn access(url: &str, timing: Timing) -> (tempfile::TempDir, Access) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, kubeconfig(url)).unwrap();
    (directory, Access { kubeconfig: Some(path), context: None, timing })
}

pub async fn cluster(server: &Server, timing: Timing) -> Cluster {
    let (_directory, access) = access(&server.url(), timing);
    Cluster::open(&access).await.unwrap()
}

pub fn node() -> Scope {
    Scope { node: Some("node1".into()), workload: None }
}

pub fn workload() -> Scope {
    workload_of("Deployment")
}

/// `serv` of a kind in namespace `default`.
pub fn workload_of(kind: &str) -> Scope {
    let target = Target { kind: kind.into(), namespace: "default".into(), name: "serv".into() };
    Scope {
        node: Some("node1".into()),
        workload: Some(Workload { target, selector: "app=serv".into() }),
    }
}

/// Running watches and all records so far.
pub struct Run {
    pub watches: Watches,
    timeline: Timeline,
    pub records: Vec<Record>,
}

impl Run {
    pub async fn start(server: &Server, scope: Scope, timing: Timing) -> Run {
        Self::with_queue(server, scope, timing, 100_000).await
    }

    pub async fn with_queue(server: &Server, scope: Scope, timing: Timing, size: usize) -> Run {
        let cluster = cluster(server, timing).await;
        let (inlet, timeline) = queue(size);
        Run { watches: cluster.watch(scope, inlet), timeline, records: Vec::new() }
    }

    /// Collects records until `enough`, or fails with what there was.
    pub async fn until(&mut self, what: &str, enough: impl Fn(&Run) -> bool) {
        let begun = Instant::now();
        loop {
            while let Next::Record(record) = self.timeline.next(Duration::ZERO) {
                self.records.push(*record);
            }
            if enough(self) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never saw {what} in {:#?}", self.records);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub fn pods(&self) -> Vec<&Observed<Pod>> {
        let pod = |record: &'_ Record| matches!(record.body, Body::Pod(_));
        self.records
            .iter()
            .filter(|record| pod(record))
            .filter_map(|record| match &record.body {
                Body::Pod(observed) => Some(observed),
                _ => None,
            })
            .collect()
    }

    /// `+name` for present, `-name` for gone, with the version.
    pub fn pod_history(&self) -> Vec<String> {
        self.pods()
            .iter()
            .map(|pod| {
                let sign = if pod.present { '+' } else { '-' };
                format!("{sign}{}@{}", pod.object.meta.name, pod.object.meta.resource_version)
            })
            .collect()
    }

    pub fn states(&self, resource: &str, change: WatchChange) -> Vec<&WatchState> {
        self.records
            .iter()
            .filter_map(|record| match &record.body {
                Body::Watch(state) if state.resource == resource && state.change == change => {
                    Some(state)
                }
                _ => None,
            })
            .collect()
    }

    pub fn cuts(&self, resource: &str) -> Vec<String> {
        let cuts = self.states(resource, WatchChange::Cut);
        cuts.iter().map(|state| state.reason.clone().unwrap()).collect()
    }

    pub fn synced(&self, resource: &str) -> usize {
        self.states(resource, WatchChange::Synced).len()
    }

    /// Objects that were counted as lost.
    pub fn lost(&self) -> u64 {
        self.records
            .iter()
            .map(|record| match &record.body {
                Body::Loss(loss) => loss.count,
                _ => 0,
            })
            .sum()
    }
}
