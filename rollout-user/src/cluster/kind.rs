//! The kinds that are watched: where they live in the API and how they become records.

use super::convert;
use super::wire;
use crate::record::Body;
use crate::record::cluster::{
    ControllerRevision, DaemonSet, Deployment, EndpointSlice, Meta, Observed, Pod, ReplicaSet,
    Service, StatefulSet,
};
use serde::de::DeserializeOwned;

/// A kind of object.
pub(crate) trait Kind: Clone + Send + 'static {
    /// Its JSON.
    type Wire: DeserializeOwned + Send;
    /// Plural name in URLs and messages.
    const RESOURCE: &'static str;
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    const API: &'static str;

    /// Keeps what is needed.
    fn from_wire(wire: Self::Wire) -> Self;
    /// Its identity.
    fn meta(&self) -> &Meta;
    /// As a record.
    fn body(observed: Observed<Self>) -> Body;

    /// The collection's path, of one namespace or of all.
    fn path(namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!(
                "{}/namespaces/{}/{}",
                Self::API,
                super::request::encoded(namespace),
                Self::RESOURCE
            ),
            None => format!("{}/{}", Self::API, Self::RESOURCE),
        }
    }
}

macro_rules! kind {
    ($kind:ident, $resource:literal, $api:literal, $convert:ident, $($meta:tt).+) => {
        impl Kind for $kind {
            type Wire = wire::$kind;
            const RESOURCE: &'static str = $resource;
            const API: &'static str = $api;

            fn from_wire(wire: Self::Wire) -> Self {
                convert::$convert(wire)
            }
            fn meta(&self) -> &Meta {
                &self.$($meta).+
            }
            fn body(observed: Observed<Self>) -> Body {
                Body::$kind(observed)
            }
        }
    };
}

kind!(Pod, "pods", "/api/v1", from_pod, meta);
kind!(Service, "services", "/api/v1", from_service, meta);
kind!(EndpointSlice, "endpointslices", "/apis/discovery.k8s.io/v1", from_endpoint_slice, meta);
kind!(ReplicaSet, "replicasets", "/apis/apps/v1", from_replica_set, meta);
kind!(Deployment, "deployments", "/apis/apps/v1", from_deployment, meta);
kind!(StatefulSet, "statefulsets", "/apis/apps/v1", from_stateful_set, 0.meta);
kind!(DaemonSet, "daemonsets", "/apis/apps/v1", from_daemon_set, 0.meta);
kind!(ControllerRevision, "controllerrevisions", "/apis/apps/v1", from_controller_revision, 0.meta);
