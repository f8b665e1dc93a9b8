//! The JSON of the API server, as far as it is needed: partial structs that skip everything else while parsing.
//!
//! In: one object, list page or watch line. Out: values that `convert` turns into records. Every field may be missing
//! or `null`; times stay text and numbers wide, so that one odd value cannot make a whole object unreadable.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Reads `null` as the default, as Go writes empty slices and maps.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

macro_rules! wire {
    ($(#[doc = $doc:literal] $name:ident {
        $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)?
    })*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(crate) struct $name {
            $($(#[$attribute])* #[serde(deserialize_with = "nullable")] pub $field: $type,)*
        }
    )*};
}

wire! {
    /// `metadata` of an object.
    ObjectMeta {
        name: String,
        namespace: String,
        uid: String,
        resource_version: String,
        generation: i64,
        creation_timestamp: Option<String>,
        deletion_timestamp: Option<String>,
        deletion_grace_period_seconds: Option<i64>,
        labels: BTreeMap<String, String>,
        annotations: Annotations,
        owner_references: Vec<OwnerReference>,
        managed_fields: Vec<ManagedField>,
    }
    /// The annotations that are read; the others can be large.
    Annotations {
        #[serde(rename = "deployment.kubernetes.io/revision")]
        revision: Option<String>,
    }
    /// `metadata.ownerReferences[]`.
    OwnerReference { kind: String, name: String, uid: String, controller: bool }
    /// `metadata.managedFields[]`: only when.
    ManagedField { time: Option<String> }

    /// A Pod.
    Pod { metadata: ObjectMeta, spec: PodSpec, status: PodStatus }
    /// `spec` of a Pod or of a pod template.
    PodSpec {
        node_name: Option<String>,
        host_network: bool,
        termination_grace_period_seconds: Option<i64>,
        containers: Vec<ContainerSpec>,
        init_containers: Vec<ContainerSpec>,
    }
    /// `spec.containers[]`.
    ContainerSpec {
        name: String,
        ports: Vec<ContainerPort>,
        lifecycle: Lifecycle,
        restart_policy: Option<String>,
    }
    /// `ports[]` of a container.
    ContainerPort { name: String, container_port: i64, protocol: Option<String> }
    /// `lifecycle` of a container.
    Lifecycle { pre_stop: Handler }
    /// `preStop`.
    Handler {
        sleep: Option<SleepAction>,
        exec: Option<IgnoredAny>,
        http_get: Option<IgnoredAny>,
        tcp_socket: Option<IgnoredAny>,
    }
    /// `preStop.sleep`.
    SleepAction { seconds: i64 }
    /// `status` of a Pod.
    PodStatus {
        phase: String,
        #[serde(rename = "podIP")]
        pod_ip: Option<String>,
        #[serde(rename = "podIPs")]
        pod_ips: Vec<PodIp>,
        conditions: Vec<Condition>,
        container_statuses: Vec<ContainerStatus>,
        init_container_statuses: Vec<ContainerStatus>,
    }
    /// `status.podIPs[]`.
    PodIp { ip: String }
    /// `status.conditions[]`.
    Condition { r#type: String, status: String, last_transition_time: Option<String> }
    /// `status.containerStatuses[]`.
    ContainerStatus {
        name: String,
        #[serde(rename = "containerID")]
        container_id: String,
        restart_count: i64,
        state: ContainerState,
    }
    /// `state` of a container.
    ContainerState { running: Option<Running>, terminated: Option<Terminated> }
    /// `state.running`.
    Running { started_at: Option<String> }
    /// `state.terminated`.
    Terminated { started_at: Option<String>, finished_at: Option<String>, exit_code: Option<i64> }

    /// An EndpointSlice.
    EndpointSlice { metadata: ObjectMeta, ports: Vec<SlicePort>, endpoints: Vec<Endpoint> }
    /// `ports[]` of a slice.
    SlicePort { name: String, port: Option<i64>, protocol: Option<String> }
    /// `endpoints[]`.
    Endpoint {
        addresses: Vec<String>,
        conditions: Conditions,
        target_ref: TargetRef,
        node_name: Option<String>,
    }
    /// `conditions` of an endpoint.
    Conditions { ready: Option<bool>, serving: Option<bool>, terminating: Option<bool> }
    /// `targetRef` of an endpoint.
    TargetRef { kind: String, name: Option<String>, uid: Option<String> }

    /// A Service.
    Service { metadata: ObjectMeta, spec: ServiceSpec, status: ServiceStatus }
    /// `spec` of a Service.
    ServiceSpec {
        r#type: String,
        #[serde(rename = "clusterIP")]
        cluster_ip: Option<String>,
        #[serde(rename = "clusterIPs")]
        cluster_ips: Vec<String>,
        #[serde(rename = "externalIPs")]
        external_ips: Vec<String>,
        selector: BTreeMap<String, String>,
        ports: Vec<ServicePort>,
        internal_traffic_policy: String,
        external_traffic_policy: String,
    }
    /// `spec.ports[]` of a Service.
    ServicePort {
        name: String,
        port: i64,
        target_port: Option<IntOrString>,
        node_port: Option<i64>,
        protocol: Option<String>,
    }
    /// `status` of a Service.
    ServiceStatus { load_balancer: LoadBalancer }
    /// `status.loadBalancer`.
    LoadBalancer { ingress: Vec<Ingress> }
    /// `status.loadBalancer.ingress[]`.
    Ingress { ip: Option<String> }

    /// A ReplicaSet.
    ReplicaSet { metadata: ObjectMeta, spec: ReplicaSetSpec, status: ReplicaSetStatus }
    /// `spec` of a ReplicaSet.
    ReplicaSetSpec { replicas: Option<i64> }
    /// `status` of a ReplicaSet.
    ReplicaSetStatus { replicas: i64, ready_replicas: i64 }

    /// A Deployment.
    Deployment { metadata: ObjectMeta, spec: DeploymentSpec, status: DeploymentStatus }
    /// `spec` of a Deployment.
    DeploymentSpec {
        replicas: Option<i64>,
        paused: bool,
        selector: LabelSelector,
        strategy: Strategy,
        template: serde_json::Value,
    }
    /// `spec.selector`.
    LabelSelector { match_labels: BTreeMap<String, String>, match_expressions: Vec<Expression> }
    /// `spec.selector.matchExpressions[]`.
    Expression { key: String, operator: String, values: Vec<String> }
    /// `spec.strategy`.
    Strategy { r#type: String }
    /// `status` of a Deployment.
    DeploymentStatus {
        observed_generation: i64,
        replicas: i64,
        updated_replicas: i64,
        ready_replicas: i64,
        available_replicas: i64,
    }
    /// A StatefulSet.
    StatefulSet { metadata: ObjectMeta, spec: StatefulSetSpec, status: StatefulSetStatus }
    /// `spec` of a StatefulSet.
    StatefulSetSpec {
        replicas: Option<i64>,
        selector: LabelSelector,
        update_strategy: UpdateStrategy,
        pod_management_policy: String,
        ordinals: Ordinals,
        template: serde_json::Value,
    }
    /// `spec.ordinals`.
    Ordinals { start: i64 }
    /// `spec.updateStrategy`.
    UpdateStrategy { r#type: String, rolling_update: RollingUpdate }
    /// `spec.updateStrategy.rollingUpdate`.
    RollingUpdate {
        partition: i64,
        max_unavailable: Option<IntOrString>,
        max_surge: Option<IntOrString>,
    }
    /// `status` of a StatefulSet.
    StatefulSetStatus {
        observed_generation: i64,
        replicas: i64,
        updated_replicas: i64,
        ready_replicas: i64,
        available_replicas: i64,
        update_revision: String,
    }

    /// A DaemonSet.
    DaemonSet { metadata: ObjectMeta, spec: DaemonSetSpec, status: DaemonSetStatus }
    /// `spec` of a DaemonSet.
    DaemonSetSpec {
        selector: LabelSelector,
        update_strategy: UpdateStrategy,
        template: serde_json::Value,
    }
    /// `status` of a DaemonSet.
    DaemonSetStatus {
        observed_generation: i64,
        current_number_scheduled: i64,
        desired_number_scheduled: i64,
        updated_number_scheduled: i64,
        number_ready: i64,
        number_available: i64,
    }

    /// A ControllerRevision; what it holds is not read.
    ControllerRevision { metadata: ObjectMeta, revision: i64 }

    /// `spec.template` of a workload.
    Template { metadata: ObjectMeta, spec: PodSpec }

    /// `metadata` of a list page.
    ListMeta { resource_version: String, r#continue: String }
}

/// `targetPort`: a number or a name; `maxUnavailable`: a number or a percentage.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum IntOrString {
    /// A number.
    Int(i64),
    /// A container port's name.
    Name(String),
}

/// An item that may be unreadable without making its page unreadable.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Lenient<T> {
    /// Read.
    Good(Box<T>),
    /// Not what it should be.
    Bad(IgnoredAny),
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct ListPage<T> {
    /// Version of the list and where it goes on.
    pub metadata: ListMeta,
    /// Its objects; Go writes `null` for none.
    pub items: Option<Vec<Lenient<T>>>,
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
pub(crate) struct WatchLine {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub r#type: String,
    /// The object, or a `Status`.
    pub object: serde_json::Value,
}

/// The `Status` inside an `ERROR` line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// HTTP-like code, 410 for `Gone`.
    pub code: u16,
    /// For people.
    #[serde(deserialize_with = "nullable")]
    pub message: String,
}
