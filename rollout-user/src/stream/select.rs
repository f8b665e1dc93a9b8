//! Which events a user asked for. In: a record, its tags, the filter flags. Out: yes or no. Pure.

use crate::attribute::tag::{PodRef, ServiceTag, Tag};
use crate::cli::filter::FilterArgs;
use crate::record::Body;
use crate::record::kernel::Flow;
use std::net::{IpAddr, SocketAddr};

/// What is known of an event when the filter looks at it.
pub struct Candidate<'a> {
    /// The event.
    pub body: &'a Body,
    /// Whose socket it is.
    pub client: Option<&'a Tag>,
    /// What was dialled.
    pub service: Option<&'a ServiceTag>,
    /// The backends that were chosen.
    pub backends: &'a [&'a Tag],
    /// Their addresses.
    pub backend_addresses: &'a [SocketAddr],
    /// A pod's label by UID and key.
    pub label: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// Whether all conditions that are given hold.
pub fn matches(filter: &FilterArgs, event: &Candidate<'_>) -> bool {
    is_kind(filter, event.body)
        && filter.namespace.as_ref().is_none_or(|name| in_namespace(event, name))
        && filter.pod.as_ref().is_none_or(|name| pods(event).any(|pod| pod.name == *name))
        && filter
            .service
            .as_ref()
            .is_none_or(|name| event.service.is_some_and(|service| service.name == *name))
        && filter.selector.as_ref().is_none_or(|selector| {
            pods(event).any(|pod| selector.matches(|key| (event.label)(&pod.uid, key)))
        })
        && filter.ip.is_none_or(|ip| addresses(event).any(|seen| seen == ip.to_canonical()))
        && filter.cidr.is_none_or(|range| addresses(event).any(|seen| range.contains(seen)))
        && (filter.port.is_empty() || ports(event).any(|port| filter.port.contains(&port)))
}

/// Whether an event is of a kind that is asked for. Numbers that change every second only by name.
pub fn is_kind(filter: &FilterArgs, body: &Body) -> bool {
    let kind = kind_of(body);
    (filter.kind.is_empty() && !matches!(body, Body::ConntrackStats(_)))
        || filter.kind.iter().any(|wanted| wanted == kind)
}

/// The kinds of events that `trace` prints, as [`kind_of`] names them.
pub const EVENT_KINDS: [&str; 22] = [
    "connect",
    "connect_returned",
    "established",
    "connect_failed",
    "closed",
    "syn_retransmit",
    "syn_ack_retransmitted",
    "backlog_full",
    "listen_counters",
    "conntrack_stats",
    "syn_dropped",
    "reset_sent",
    "reset_received",
    "listener_opened",
    "listener_closed",
    "backend_chosen",
    "no_destination",
    "icmp_sent",
    "ipvs_destination",
    "ipvs_service_gone",
    "signal",
    "exit",
];

/// The name of an event's kind, as `--kind` and the JSON output spell it.
pub fn kind_of(body: &Body) -> &'static str {
    match body {
        Body::Connect(_) => "connect",
        Body::ConnectReturned(_) => "connect_returned",
        Body::Established(_) => "established",
        Body::ConnectFailed(_) => "connect_failed",
        Body::Closed(_) => "closed",
        Body::SynRetransmit(_) => "syn_retransmit",
        Body::SynAckRetransmitted(_) => "syn_ack_retransmitted",
        Body::BacklogFull(_) => "backlog_full",
        Body::ListenCounters(_) => "listen_counters",
        Body::ConntrackStats(_) => "conntrack_stats",
        Body::SynDropped(_) => "syn_dropped",
        Body::ResetSent(_) => "reset_sent",
        Body::ResetReceived(_) => "reset_received",
        Body::ListenerOpened(_) => "listener_opened",
        Body::ListenerClosed(_) => "listener_closed",
        Body::BackendChosen(_) => "backend_chosen",
        Body::NoDestination(_) => "no_destination",
        Body::IcmpSent(_) => "icmp_sent",
        Body::IpvsDestination(_) => "ipvs_destination",
        Body::IpvsServiceGone(_) => "ipvs_service_gone",
        Body::Signal(_) => "signal",
        Body::Exit(_) => "exit",
        Body::Header(_) => "header",
        Body::Clock(_) => "clock",
        Body::ServerClock(_) => "server_clock",
        Body::Loss(_) => "loss",
        Body::Hooks(_) => "hooks",
        Body::DataPath(_) => "data_path",
        Body::Phase(_) => "phase",
        Body::Pod(_) => "pod",
        Body::EndpointSlice(_) => "endpoint_slice",
        Body::Service(_) => "service",
        Body::ReplicaSet(_) => "replica_set",
        Body::Deployment(_) => "deployment",
        Body::StatefulSet(_) => "stateful_set",
        Body::DaemonSet(_) => "daemon_set",
        Body::ControllerRevision(_) => "controller_revision",
        Body::Watch(_) => "watch",
        Body::IpvsTable(_) => "ipvs_table",
        Body::IpvsConnections(_) => "ipvs_connections",
        Body::Listeners(_) => "listeners",
        Body::Cgroup(_) => "cgroup",
        Body::PodNetns(_) => "pod_netns",
        Body::KubeletProcess(_) => "kubelet_process",
    }
}

/// Whether a record is a kernel event, which `trace` prints.
pub fn is_event(body: &Body) -> bool {
    flow_of(body).is_some()
        || matches!(
            body,
            Body::ListenerOpened(_)
                | Body::ListenerClosed(_)
                | Body::IpvsDestination(_)
                | Body::IpvsServiceGone(_)
                | Body::Signal(_)
                | Body::Exit(_)
                | Body::ListenCounters(_)
                | Body::ConntrackStats(_)
        )
}

/// The flow that an event is about, if it is about one.
pub fn flow_of(body: &Body) -> Option<&Flow> {
    match body {
        Body::Connect(event) => Some(&event.flow),
        Body::ConnectReturned(event) => Some(&event.flow),
        Body::Established(event) => Some(&event.flow),
        Body::ConnectFailed(event) => Some(&event.flow),
        Body::Closed(event) => Some(&event.flow),
        Body::SynRetransmit(event) => Some(&event.flow),
        Body::SynAckRetransmitted(event) => Some(&event.flow),
        Body::BacklogFull(event) => Some(&event.flow),
        Body::SynDropped(event) => Some(&event.flow),
        Body::ResetSent(event) => Some(&event.flow),
        Body::ResetReceived(event) => Some(&event.flow),
        Body::BackendChosen(event) => Some(&event.flow),
        Body::NoDestination(event) => Some(&event.flow),
        Body::IcmpSent(event) => Some(&event.flow),
        _ => None,
    }
}

/// Pods on either side, those included that it may have been: a filter must not hide what is not sure.
fn pods<'a>(event: &'a Candidate<'_>) -> impl Iterator<Item = &'a PodRef> {
    let tags = event.client.into_iter().chain(event.backends.iter().copied());
    tags.flat_map(|tag| tag.pod.iter().chain(&tag.candidates))
}

fn in_namespace(event: &Candidate<'_>, name: &str) -> bool {
    pods(event).any(|pod| pod.namespace == name)
        || event.service.is_some_and(|service| service.namespace == name)
}

fn sockets(event: &Candidate<'_>) -> impl Iterator<Item = SocketAddr> {
    let own = match event.body {
        Body::ListenerOpened(listener) | Body::ListenerClosed(listener) => {
            vec![listener.address]
        }
        Body::IpvsDestination(change) => {
            change.service.into_iter().chain([change.destination]).collect()
        }
        Body::IpvsServiceGone(gone) => gone.service.into_iter().collect(),
        body => flow_of(body).map(|flow| flow.destination).into_iter().collect(),
    };
    own.into_iter().chain(event.backend_addresses.iter().copied())
}

fn addresses(event: &Candidate<'_>) -> impl Iterator<Item = IpAddr> {
    let source = flow_of(event.body).and_then(|flow| flow.source);
    sockets(event).map(|socket| socket.ip()).chain(source).map(|ip| ip.to_canonical())
}

fn ports(event: &Candidate<'_>) -> impl Iterator<Item = u16> {
    sockets(event).map(|socket| socket.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::tag::Certainty;
    use crate::record::kernel::Established;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        filter: FilterArgs,
    }

    fn pod(name: &str) -> Tag {
        let pod = PodRef {
            namespace: "shop".into(),
            name: name.into(),
            uid: name.into(),
            revision: None,
            template_hash: None,
            workload: None,
            node: None,
        };
        let (state, candidates, host) = (None, Vec::new(), None);
        Tag { certainty: Certainty::Known, pod: Some(pod), state, candidates, host }
    }

    #[test]
    fn numbers_that_change_every_second_are_printed_only_by_name() {
        let body = Body::ConntrackStats(crate::record::table::ConntrackStats::default());
        let passes = |flags: &[&str]| {
            let flags = Flags::parse_from([&["rollout"], flags].concat());
            is_kind(&flags.filter, &body)
        };
        assert!(!passes(&[]) && !passes(&["--kind", "connect"]));
        assert!(passes(&["--kind", "connect,conntrack_stats"]));
    }

    fn passes(flags: &[&str]) -> bool {
        let flow = Flow {
            source: "10.1.0.5".parse().ok(),
            source_port: Some(40000),
            destination: "10.96.0.1:80".parse().unwrap_or_else(|_| unreachable!()),
        };
        let body = Body::Established(Established { attempt: 1, flow, latency_ns: 1 });
        let (client, backend) = (pod("gateway"), pod("serv"));
        let service = ServiceTag {
            certainty: Certainty::Known,
            namespace: "shop".into(),
            name: "serv".into(),
            port: String::new(),
        };
        let label =
            |uid: &str, key: &str| (uid == "serv" && key == "app").then(|| "serv".to_owned());
        let event = Candidate {
            body: &body,
            client: Some(&client),
            service: Some(&service),
            backends: &[&backend],
            backend_addresses: &["10.1.0.9:8000".parse().unwrap_or_else(|_| unreachable!())],
            label: &label,
        };
        let flags = Flags::parse_from([&["rollout"], flags].concat());
        matches(&flags.filter, &event)
    }

    #[test]
    fn each_flag_passes_and_stops() {
        for flags in [
            &["-n", "shop"][..],
            &["-l", "app=serv"],
            &["--pod", "gateway"],
            &["--pod", "serv"],
            &["--service", "serv"],
            &["--ip", "10.1.0.5"],
            &["--ip", "10.1.0.9"],
            &["--cidr", "10.96.0.0/16"],
            &["--port", "80,81"],
            &["--port", "8000"],
            &["--kind", "connect,established"],
            &[],
        ] {
            assert!(passes(flags), "{flags:?}");
        }
        for flags in [
            &["-n", "other"][..],
            &["-l", "app=gateway"],
            &["--pod", "other"],
            &["--service", "other"],
            &["--ip", "10.1.0.6"],
            &["--cidr", "192.168.0.0/16"],
            &["--port", "40000"],
            &["--kind", "connect"],
            &["-n", "shop", "--pod", "other"],
        ] {
            assert!(!passes(flags), "{flags:?}");
        }
    }
}
