//! What the user means by `deployment/serv`: the workload, its Services, its addresses and ports.
//!
//! In: a target's text and a namespace. Out: [`TargetInfo`], or an error that names what is close.

mod resolve;

use super::failure::Failure;
use super::kind::Kind;
use super::wire::{self, Lenient, ListPage};
use super::{Cluster, request};
use crate::error::hinted;
use crate::record::cluster::{DaemonSet, Deployment, Service, StatefulSet};
use crate::record::meta::Target;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A workload and how to find what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Kind, namespace, name.
    pub target: Target,
    /// Label selector of its pods and revisions, as a query writes it.
    pub selector: String,
}

/// A target and what leads to it.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetInfo {
    /// For [`Scope`](super::Scope).
    pub workload: Workload,
    /// As it is now; StatefulSets and DaemonSets in a Deployment's terms.
    pub deployment: Deployment,
    /// Services of its namespace whose selector matches its pods, by name.
    pub services: Vec<Service>,
    /// The Services' TCP addresses: cluster, external and load-balancer addresses with their ports.
    pub addresses: BTreeSet<SocketAddr>,
    /// TCP ports on which its pods are reached through the Services; without Services the declared container ports.
    pub pod_ports: BTreeSet<u16>,
    /// What a user should know before the update, e.g. that it is paused or has no Service.
    pub notes: Vec<String>,
}

pub(super) async fn find(
    cluster: &Cluster,
    spec: &str,
    namespace: &str,
) -> anyhow::Result<TargetInfo> {
    let (kind, name) = resolve::kind_and_name(spec)?;
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    let target = Target { kind: kind.to_owned(), namespace, name };
    let url = format!("{}/{}", collection(&target, true), request::encoded(&target.name));
    let malformed = |error: serde_json::Error| {
        Failure::Malformed(error.to_string()).at(&cluster.server, &cluster.source)
    };
    let found = match request::get(&cluster.client, &url, cluster.timing.answer).await {
        Ok(answer) => resolve::read(kind, &answer.body).map_err(malformed)?,
        Err(Failure::NotFound(_)) => return Err(not_found(cluster, &target).await),
        Err(failure) => return Err(failure.at(&cluster.server, &cluster.source)),
    };
    // Without the right to list Services the target is known all the same.
    let services: Result<Vec<wire::Service>, Failure> = list(
        cluster,
        &request::Query { path: Service::path(Some(&target.namespace)), ..Default::default() },
    )
    .await;
    let (services, denied) = match services {
        Ok(services) => (services, None),
        Err(failure) => (Vec::new(), Some(failure.reason())),
    };
    Ok(resolve::resolve(kind, found, services, denied))
}

/// The path of the target's kind, in its namespace or in all.
fn collection(target: &Target, in_namespace: bool) -> String {
    let namespace = in_namespace.then_some(target.namespace.as_str());
    match target.kind.as_str() {
        "StatefulSet" => StatefulSet::path(namespace),
        "DaemonSet" => DaemonSet::path(namespace),
        _ => Deployment::path(namespace),
    }
}

/// The first page of a list; enough for suggestions and for the Services of a namespace.
async fn list<W: serde::de::DeserializeOwned>(
    cluster: &Cluster,
    query: &request::Query,
) -> Result<Vec<W>, Failure> {
    let mut token = String::new();
    let mut items = Vec::new();
    loop {
        let answer =
            request::get(&cluster.client, &query.page(&token), cluster.timing.answer).await?;
        let page: ListPage<W> = serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::Malformed(error.to_string()))?;
        items.extend(page.items.into_iter().flatten().filter_map(|item| match item {
            Lenient::Good(item) => Some(*item),
            Lenient::Bad(_) => None,
        }));
        token = page.metadata.r#continue;
        if token.is_empty() {
            return Ok(items);
        }
    }
}

#[derive(serde::Deserialize)]
struct Named {
    metadata: wire::ObjectMeta,
}

async fn not_found(cluster: &Cluster, target: &Target) -> anyhow::Error {
    let Target { kind, namespace, name } = target;
    let here = request::Query { path: collection(target, true), ..Default::default() };
    let everywhere = request::Query {
        path: collection(target, false),
        fields: format!("metadata.name={name}"),
        ..Default::default()
    };
    // Suggestions are a courtesy: what cannot be listed is not suggested.
    let here: Vec<Named> = list(cluster, &here).await.unwrap_or_default();
    let everywhere: Vec<Named> = list(cluster, &everywhere).await.unwrap_or_default();
    let names: Vec<&str> = here.iter().map(|one| one.metadata.name.as_str()).collect();
    let namespaces: Vec<&str> =
        everywhere.iter().map(|one| one.metadata.namespace.as_str()).collect();
    hinted(
        format!("no {kind} `{name}` in namespace `{namespace}`"),
        resolve::suggestion(target, &names, &namespaces),
    )
}
