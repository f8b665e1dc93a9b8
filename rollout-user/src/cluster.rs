//! The Kubernetes side: how to reach the API server, what it says of pods, slices, Services and revisions, and when.
//!
//! In: a kubeconfig or a service account, and a [`Scope`]. Out: observations on the timeline, stamped the moment their
//! bytes arrived; the facts about a target; checks for `doctor`. Only this module imports `kube`'s client.

mod access;
mod backoff;
pub mod checks;
mod clock;
mod convert;
mod failure;
mod kind;
mod lines;
mod owners;
pub mod rbac;
mod request;
mod restart;
mod seen;
mod target;
mod watch;
mod watches;
mod wire;

pub use access::{Access, Timing};
pub use checks::{Check, CheckResult, checks};
pub use target::{TargetInfo, Workload};
pub use watches::{Behind, Watches};

use crate::timeline::Inlet;
use failure::Failure;

/// A configured way to an API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// The server's URL, for messages.
    server: String,
    /// Where the configuration was found, for messages.
    source: String,
    /// Namespace of the context.
    namespace: String,
    timing: Timing,
}

/// What to watch. EndpointSlices and Services are always watched cluster-wide.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Pods of this node; `None` with a workload: only its pods; `None` without one: all pods.
    pub node: Option<String>,
    /// Pods of this workload on all nodes, its ReplicaSets and the Deployment itself.
    pub workload: Option<Workload>,
}

/// Finds the configuration and asks the server for its version. Errors carry a hint: malformed kubeconfig, unknown
/// context, no configuration at all, server out of reach, credentials refused.
pub async fn connect(access: &Access) -> anyhow::Result<Cluster> {
    let cluster = Cluster::open(access).await?;
    cluster.version().await?;
    Ok(cluster)
}

impl Cluster {
    /// Finds the configuration without talking to the server: [`Cluster::watch`] then waits until it is in reach.
    pub async fn open(access: &Access) -> anyhow::Result<Cluster> {
        access::open(access).await
    }

    /// The server's version, e.g. `v1.35.4`.
    pub async fn version(&self) -> anyhow::Result<String> {
        let asked = request::get(&self.client, "/version", self.timing.answer).await;
        let body = match asked {
            Ok(answer) => answer.body,
            // Some clusters hide the version; the server was reached all the same.
            Err(Failure::Forbidden(_)) => return Ok("unknown".into()),
            Err(failure) => return Err(failure.at(&self.server, &self.source)),
        };
        let version: serde_json::Value = serde_json::from_slice(&body).map_err(|error| {
            Failure::Malformed(error.to_string()).at(&self.server, &self.source)
        })?;
        Ok(version["gitVersion"].as_str().unwrap_or("unknown").to_owned())
    }

    /// Namespace of the context, `default` where it names none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where the configuration was found, for a user.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Starts the watches on the current tokio runtime; they end when the returned value is dropped.
    pub fn watch(&self, scope: Scope, inlet: Inlet) -> Watches {
        watches::start(self, &scope, &inlet)
    }

    /// Looks a target such as `deployment/serv` up. `namespace`: `None` takes the context's.
    pub async fn target(&self, spec: &str, namespace: Option<&str>) -> anyhow::Result<TargetInfo> {
        target::find(self, spec, namespace.unwrap_or(&self.namespace)).await
    }
}
