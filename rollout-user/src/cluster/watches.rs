//! All watches of one run: which there are, when they are in sync, which are behind.
//!
//! In: a [`Scope`]. Out: tokio tasks that feed the timeline, and a handle on them.

use super::failure::Failure;
use super::kind::Kind;
use super::owners::{Owners, Wanted};
use super::request::Query;
use super::seen::{Holder, Seen};
use super::watch::{Standing, Watch, push};
use super::{Cluster, Scope, clock};
use crate::error::hinted;
use crate::record::Body;
use crate::record::cluster::{
    ControllerRevision, DaemonSet, Deployment, EndpointSlice, Pod, ReplicaSet, Service, StatefulSet,
};
use crate::record::meta::Target;
use crate::timeline::{Inlet, monotonic_ns};
use std::sync::Arc;
use std::sync::Mutex as PlainMutex;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

/// Running watches. They end when this is dropped; what they pushed stays.
pub struct Watches {
    /// Dropping it aborts the tasks.
    _tasks: JoinSet<()>,
    standings: Vec<(String, watch::Receiver<Standing>)>,
    pods: Arc<Mutex<Seen<Pod>>>,
    node: Option<String>,
    notes: Arc<PlainMutex<Vec<String>>>,
}

/// A watch that is not in sync now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// E.g. `pods node=node1`.
    pub watch: String,
    /// The last failure; `None` while the first list is under way.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<&'static str>,
}

/// Between two measurements of the server's clock.
const CLOCK_EVERY: Duration = Duration::from_secs(300);
/// After one that failed.
const CLOCK_AGAIN: Duration = Duration::from_secs(20);

struct Starter<'a> {
    cluster: &'a Cluster,
    inlet: &'a Inlet,
    owners: mpsc::UnboundedSender<Wanted>,
    tasks: JoinSet<()>,
    standings: Vec<(String, watch::Receiver<Standing>)>,
}

impl Starter<'_> {
    fn start<K: Kind>(
        &mut self,
        seen: &Arc<Mutex<Seen<K>>>,
        holder: Holder,
        query: Query,
        scope: String,
        ask_owners: bool,
    ) where
        Watch<K>: Send,
    {
        let (standing, receiver) = watch::channel(Standing::default());
        let name = format!("{} {scope}", K::RESOURCE);
        self.standings.push((name.trim_end().to_owned(), receiver));
        let watch = Watch {
            client: self.cluster.client.clone(),
            timing: self.cluster.timing.clone(),
            query,
            scope,
            holder,
            seen: seen.clone(),
            inlet: self.inlet.clone(),
            standing,
            owners: ask_owners.then(|| self.owners.clone()),
            alive_ns: 0,
        };
        self.tasks.spawn(watch.run());
    }

    /// The workload itself, alone.
    fn start_workload<K: Kind>(&mut self, target: &Target)
    where
        Watch<K>: Send,
    {
        let path = K::path(Some(target.namespace.as_str()));
        let fields = format!("metadata.name={}", target.name);
        let query = Query { path, fields, ..Query::default() };
        let seen = Arc::new(Mutex::new(Seen::<K>::new()));
        let scope = format!("{}/{}", target.namespace, target.name);
        self.start(&seen, Holder::Whole, query, scope, false);
    }
}

pub(super) fn start(cluster: &Cluster, scope: &Scope, inlet: &Inlet) -> Watches {
    let (owners, wanted) = mpsc::unbounded_channel();
    let mut starter =
        Starter { cluster, inlet, owners, tasks: JoinSet::new(), standings: Vec::new() };
    let pods = Arc::new(Mutex::new(Seen::new()));
    let sets = Arc::new(Mutex::new(Seen::new()));
    let notes = Arc::new(PlainMutex::new(Vec::new()));

    if let Some(node) = &scope.node {
        let fields = format!("spec.nodeName={node}");
        let query = Query { path: Pod::path(None), fields, ..Query::default() };
        starter.start(&pods, Holder::Whole, query, format!("node={node}"), true);
    } else if scope.workload.is_none() {
        let query = Query { path: Pod::path(None), ..Query::default() };
        starter.start(&pods, Holder::Whole, query, String::new(), true);
    }
    let whole = |path| Query { path, ..Query::default() };
    let slices = Arc::new(Mutex::new(Seen::<EndpointSlice>::new()));
    let services = Arc::new(Mutex::new(Seen::<Service>::new()));
    let holder = Holder::Whole;
    starter.start(&slices, holder, whole(EndpointSlice::path(None)), String::new(), false);
    starter.start(&services, holder, whole(Service::path(None)), String::new(), false);

    if let Some(workload) = &scope.workload {
        let target = &workload.target;
        let name = format!("{}/{}", target.namespace, target.name);
        let namespace = Some(target.namespace.as_str());
        let labels = &workload.selector;
        let labelled = |path| Query { path, labels: labels.clone(), ..Query::default() };
        let query = labelled(Pod::path(namespace));
        starter.start(&pods, Holder::Labelled, query, name.clone(), true);
        if target.owns_pods() {
            let revisions = Arc::new(Mutex::new(Seen::<ControllerRevision>::new()));
            let query = labelled(ControllerRevision::path(namespace));
            starter.start(&revisions, Holder::Labelled, query, name, false);
        } else {
            let query = labelled(ReplicaSet::path(namespace));
            starter.start(&sets, Holder::Labelled, query, name, false);
        }
        match target.kind.as_str() {
            "StatefulSet" => starter.start_workload::<StatefulSet>(target),
            "DaemonSet" => starter.start_workload::<DaemonSet>(target),
            _ => starter.start_workload::<Deployment>(target),
        }
    }

    let Starter { owners, mut tasks, standings, .. } = starter;
    // The watches hold their own ends: with the last of them the fetcher ends, too.
    drop(owners);
    let fetcher = Owners {
        client: cluster.client.clone(),
        timing: cluster.timing.clone(),
        wanted,
        seen: sets,
        inlet: inlet.clone(),
        notes: notes.clone(),
    };
    tasks.spawn(fetcher.run());
    tasks.spawn(clocks(cluster.clone(), inlet.clone()));
    Watches { _tasks: tasks, standings, pods, node: scope.node.clone(), notes }
}

/// Measures the server's clock now and then. An answer without a date is no measurement, and says nothing.
async fn clocks(cluster: Cluster, inlet: Inlet) {
    loop {
        let measured = clock::measure(&cluster.client, &cluster.timing).await;
        let pause = if measured.is_some() { CLOCK_EVERY } else { CLOCK_AGAIN };
        if let Some(measured) = measured {
            push(&inlet, monotonic_ns(), Body::ServerClock(measured)).await;
        }
        tokio::time::sleep(pause).await;
    }
}

impl Watches {
    /// Waits until every first list is in. Waits for ever while the server is out of reach.
    pub async fn synced(&self) {
        for (_, standing) in &self.standings {
            let mut standing = standing.clone();
            // An error means that the task ended, which only a dropped `Watches` does.
            let _ = standing.wait_for(|standing| standing.listed).await;
        }
    }

    /// Waits at most `patience`; then an error that names each watch without its first list, why, and what to do.
    /// A missing permission or refused credentials end the wait
    /// after a second.
    pub async fn synced_within(&self, patience: Duration) -> anyhow::Result<()> {
        let refused = async {
            // A server that has just started refuses for a moment what it permits later.
            let mut rounds = 0;
            while rounds < 50 {
                rounds = if self.refused() { rounds + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            biased;
            () = self.synced() => return Ok(()),
            () = refused => {}
            () = tokio::time::sleep(patience) => {}
        }
        let behind = self.behind();
        let texts: Vec<String> = behind
            .iter()
            .map(|one| match &one.reason {
                Some(reason) => format!("`{}`: {reason}", one.watch),
                None => format!("`{}`: no answer yet", one.watch),
            })
            .collect();
        let remedy = behind.iter().find_map(|one| one.remedy);
        Err(hinted(
            format!("cannot watch {}", texts.join("; ")),
            remedy.unwrap_or("is the API server up and reachable from this node?"),
        ))
    }

    /// A first list was refused for want of a right or of valid credentials.
    fn refused(&self) -> bool {
        self.standings.iter().any(|(_, standing)| {
            let standing = standing.borrow();
            let failure = standing.failure.as_ref().filter(|_| !standing.listed);
            matches!(failure, Some(Failure::Forbidden(_) | Failure::Unauthorized(_)))
        })
    }

    /// The watches that are not in sync at this moment.
    pub fn behind(&self) -> Vec<Behind> {
        let mut behind = Vec::new();
        for (name, standing) in &self.standings {
            let standing = standing.borrow();
            if !standing.synced {
                behind.push(Behind {
                    watch: name.clone(),
                    reason: standing.failure.as_ref().map(Failure::reason),
                    remedy: standing.failure.as_ref().map(Failure::remedy),
                });
            }
        }
        behind
    }

    /// What is degraded though the watches are in sync, for a user.
    pub async fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.lock().map(|notes| notes.clone()).unwrap_or_default();
        if let Some(node) = &self.node
            && self.pods.lock().await.count(Holder::Whole) == 0
            && !self.behind().iter().any(|one| one.watch.starts_with("pods node="))
        {
            notes.push(format!(
                "the API server knows no pod on node `{node}`: pass --node with this node's name"
            ));
        }
        notes
    }
}
