//! Connects of the small cluster: who dials what, and what the kernel says of it afterwards.
//!
//! Times after a connect's begin are microseconds too.

use crate::world::*;
use rollout::record::Body;
use rollout::record::kernel::*;
use std::net::{IpAddr, Ipv4Addr};

impl World {
    /// A user behind the gateway dials the Service.
    pub fn dial(&mut self, at: u64) -> Dial<'_> {
        self.port += 1;
        let flow = Flow { source: Some(ip(2)), source_port: Some(self.port), destination: vip() };
        self.dial_as(at, flow, GATEWAY, GATEWAY_CGROUP, "nginx")
    }

    /// kubelet probes pod `n`.
    pub fn probe(&mut self, at: u64, n: u8) -> Dial<'_> {
        self.port += 1;
        let source = Some(IpAddr::V4(Ipv4Addr::new(10, 244, 1, 1)));
        let flow = Flow { source, source_port: Some(self.port), destination: backend(n) };
        self.dial_as(at, flow, NODE, KUBELET_CGROUP, "kubelet")
    }

    pub fn dial_as(
        &mut self,
        at: u64,
        flow: Flow,
        netns: Netns,
        cgroup: u64,
        comm: &str,
    ) -> Dial<'_> {
        self.attempts += 1;
        let (attempt, comm) = (self.attempts, comm.to_owned());
        let connect = Connect { attempt, flow, netns, cgroup, pid: 4_711, comm };
        self.push(at, Body::Connect(connect));
        Dial { world: self, attempt, flow, netns, at }
    }

    /// The usual success: chosen, established after 400 µs, closed a little later.
    pub fn request(&mut self, at: u64, n: u8) {
        let mut dial = self.dial(at);
        dial.chosen(20, n);
        dial.established(400);
        dial.closed(5 * MS, None);
    }

    pub fn steady(&mut self, from: u64, to: u64, every: u64, pods: &[u8]) {
        let mut at = from;
        for n in pods.iter().cycle() {
            if at >= to {
                return;
            }
            self.request(at, *n);
            at += every;
        }
    }
}

/// A connect that was begun; its later events come at microseconds after its begin.
pub struct Dial<'a> {
    pub world: &'a mut World,
    pub attempt: u64,
    pub flow: Flow,
    netns: Netns,
    at: u64,
}

impl<'a> Dial<'a> {
    /// A connect that was begun before, at `at`.
    pub fn resumed(world: &'a mut World, attempt: u64, flow: Flow, netns: Netns, at: u64) -> Self {
        Self { world, attempt, flow, netns, at }
    }
}

impl Dial<'_> {
    fn push(&mut self, after: u64, body: Body) -> u64 {
        self.world.push(self.at + after, body)
    }

    pub fn chosen(&mut self, after: u64, n: u8) -> u64 {
        self.chosen_by(after, n, Chooser::Ipvs)
    }

    pub fn chosen_by(&mut self, after: u64, n: u8, by: Chooser) -> u64 {
        let (flow, backend) = (self.flow, backend(n));
        let weight = (by == Chooser::Ipvs).then_some(1);
        let chosen = BackendChosen { flow, backend, weight, by, netns: NODE };
        self.push(after, Body::BackendChosen(chosen))
    }

    pub fn established(&mut self, after: u64) -> u64 {
        let (attempt, flow) = (self.attempt, self.flow);
        let latency_ns = after * 1_000;
        self.push(after, Body::Established(Established { attempt, flow, latency_ns }))
    }

    pub fn failed(&mut self, after: u64, errno: Option<i32>) -> u64 {
        let (attempt, flow) = (self.attempt, self.flow);
        let latency_ns = after * 1_000;
        self.push(after, Body::ConnectFailed(ConnectFailed { attempt, flow, errno, latency_ns }))
    }

    pub fn returned(&mut self, after: u64, errno: i32) -> u64 {
        let returned = ConnectReturned {
            attempt: Some(self.attempt),
            flow: self.flow,
            netns: self.netns,
            cgroup: GATEWAY_CGROUP,
            pid: 4_711,
            comm: "nginx".into(),
            errno,
            duration_ns: after * 1_000,
        };
        self.push(after, Body::ConnectReturned(returned))
    }

    pub fn closed(&mut self, after: u64, errno: Option<i32>) -> u64 {
        let (attempt, flow) = (self.attempt, self.flow);
        self.push(after, Body::Closed(Closed { attempt, flow, errno }))
    }

    pub fn resent(&mut self, after: u64, errno: Option<i32>) -> u64 {
        let (attempt, flow, netns) = (Some(self.attempt), self.flow, self.netns);
        self.push(after, Body::SynRetransmit(SynRetransmit { attempt, flow, netns, errno }))
    }

    pub fn dropped(&mut self, after: u64, reason: &str, netns: Netns) -> u64 {
        let flow = self.flow;
        self.dropped_flow(after, reason, netns, flow)
    }

    pub fn dropped_flow(&mut self, after: u64, reason: &str, netns: Netns, flow: Flow) -> u64 {
        let (reason, location) = (Some(reason.to_owned()), None);
        self.push(after, Body::SynDropped(SynDropped { flow, netns, reason, location }))
    }

    pub fn no_destination(&mut self, after: u64) -> u64 {
        let flow = self.flow;
        self.push(after, Body::NoDestination(NoDestination { flow, netns: NODE }));
        self.push(after + 5, Body::IcmpSent(IcmpSent { flow, netns: NODE, icmp_type: 3, code: 3 }))
    }

    pub fn reset(&mut self, after: u64, state: &str) -> u64 {
        let (attempt, flow, netns) = (Some(self.attempt), self.flow, self.netns);
        let state = state.to_owned();
        self.push(after, Body::ResetReceived(ResetReceived { attempt, flow, netns, state }))
    }

    /// The RST for this connect's segments, as the namespace that sends it tells.
    pub fn reset_sent(&mut self, after: u64, n: u8, state: Option<&str>) -> u64 {
        let flow = Flow { destination: backend(n), ..self.flow };
        let (has_socket, state) = (state.is_some(), state.map(str::to_owned));
        let reset = ResetSent { flow, netns: netns(n), has_socket, state, reason: None };
        self.push(after, Body::ResetSent(reset))
    }

    /// The client's own kernel answers an untranslated packet of pod `n`.
    pub fn stray_reset(&mut self, after: u64, n: u8) -> u64 {
        let (Some(own), Some(port)) = (self.flow.source, self.flow.source_port) else { return 0 };
        let flow = Flow {
            source: Some(ip(n)),
            source_port: Some(backend(n).port()),
            destination: std::net::SocketAddr::new(own, port),
        };
        let netns = self.netns;
        let reset = ResetSent { flow, netns, has_socket: false, state: None, reason: None };
        self.push(after, Body::ResetSent(reset))
    }

    /// A closed port answers: the pod's stack drops the SYN and sends a RST.
    pub fn refused(&mut self, after: u64, n: u8) {
        let flow = Flow { destination: backend(n), ..self.flow };
        self.dropped_flow(after - 20, "NO_SOCKET", netns(n), flow);
        self.reset(after - 5, "SYN_SENT");
        self.failed(after, Some(111));
    }
}
