//! Backend choices by netfilter NAT, from conntrack's `NEW` events (F14): kube-proxy in iptables or nftables mode, and a
//! cross-check of IPVS.
//!
//! In: a network namespace. Out: `BackendChosen { by: conntrack }` where the reply comes from somewhere else than what
//! was dialled; `Loss` of stage `conntrack` where the kernel says that events did not fit the socket (ENOBUFS).
//!
//! An event is made when the first packet of the flow is confirmed, that is after NAT and before it leaves, so a refused
//! connect has one too. Its time is the kernel's where that passes it (Linux 6.14 with
//! `net.netfilter.nf_conntrack_timestamp=1`), else that of its arrival here, which is later. Nothing is configured: [`settings`] tells what the host has switched on.

pub mod event;
pub mod settings;
pub mod stats;

use super::host;
use super::netlink::socket::Netlink;
use super::netlink::wire;
use super::netns::Namespace;
use super::worker::{Stop, TICK, Worker};
use crate::record::Body;
use crate::record::kernel::{BackendChosen, Chooser, Flow, Netns};
use crate::record::meta::{Loss, Stage};
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::{Context, Result};
use rustix::io::Errno;

/// Bit of `NFNLGRP_CONNTRACK_NEW`.
const GROUP_NEW: u32 = 1;
/// Room for about 20,000 events while this thread is not scheduled.
const RECEIVE_BUFFER: usize = 16 << 20;

/// Subscribes to the connections of `namespace` and follows them; from its return on every choice is pushed. Needs
/// CAP_NET_ADMIN there.
pub fn follow(namespace: &Namespace, inlet: Inlet) -> Result<Worker> {
    Reader::subscribe(namespace, inlet, RECEIVE_BUFFER)?.start()
}

/// A subscription. The kernel keeps its events until it is started, as long as they fit.
pub struct Reader {
    netlink: Netlink,
    inlet: Inlet,
    netns: Netns,
    /// Up to here nothing is missing, ns of `CLOCK_MONOTONIC`.
    complete_ns: u64,
}

impl Reader {
    /// Subscribes, with room for `receive_buffer` bytes of events.
    pub fn subscribe(namespace: &Namespace, inlet: Inlet, receive_buffer: usize) -> Result<Self> {
        let protocol = rustix::net::netlink::NETFILTER;
        let netlink = Netlink::subscribe(protocol, GROUP_NEW, Some(namespace))
            .context("cannot subscribe to conntrack events")?;
        netlink.grow_receive_buffer(receive_buffer);
        netlink.set_patience(TICK)?;
        Ok(Self { netlink, inlet, netns: namespace.identify(), complete_ns: monotonic_ns() })
    }

    /// Pushes events from a thread of its own.
    pub fn start(mut self) -> Result<Worker> {
        Worker::start("rollout-conntrack", move |stop| self.run(&stop))
    }

    fn run(&mut self, stop: &Stop) {
        while !stop.is_set() {
            match self.netlink.receive() {
                Ok(datagram) => {
                    let now_ns = monotonic_ns();
                    let malformed = push_choices(datagram, now_ns, self.netns, &self.inlet);
                    if malformed > 0 {
                        self.push_loss(Stage::Decode, malformed);
                    }
                    self.complete_ns = now_ns;
                }
                Err(Errno::AGAIN) => self.complete_ns = monotonic_ns(),
                Err(Errno::INTR) => {}
                // The kernel does not say how many.
                Err(Errno::NOBUFS) => self.push_loss(Stage::Conntrack, 0),
                Err(_) => {
                    self.push_loss(Stage::Conntrack, 0);
                    // An error that stays must not fill the timeline.
                    stop.sleep(TICK);
                }
            }
        }
    }

    fn push_loss(&mut self, stage: Stage, count: u64) {
        let since_ns = self.complete_ns;
        let program = "conntrack".to_owned();
        self.inlet.push_now(Body::Loss(Loss { stage, program, count, since_ns }));
    }
}

/// Pushes what one datagram tells; returns how many messages could not be understood.
fn push_choices(datagram: &[u8], now_ns: u64, netns: Netns, inlet: &Inlet) -> u64 {
    let mut malformed = 0;
    for message in wire::messages(datagram) {
        let Ok(message) = message else {
            malformed += 1;
            continue;
        };
        match event::parse(&message) {
            Ok(Some(new)) => {
                let at_ns = new
                    .unix_ns
                    .and_then(|unix_ns| host::monotonic_of(unix_ns, &host::clock()))
                    .map_or(now_ns, |at_ns| at_ns.min(now_ns));
                if let Some(chosen) = choice(&new, netns) {
                    inlet.push(at_ns, Body::BackendChosen(chosen));
                }
            }
            Ok(None) => {}
            Err(_) => malformed += 1,
        }
    }
    malformed
}

/// A choice was made if the answers come from another address than the one dialled. Source NAT alone is none.
fn choice(new: &event::New, netns: Netns) -> Option<BackendChosen> {
    (new.reply.source != new.original.destination).then(|| BackendChosen {
        flow: Flow {
            source: Some(new.original.source.ip()),
            source_port: Some(new.original.source.port()),
            destination: new.original.destination,
        },
        backend: new.reply.source,
        weight: None,
        by: Chooser::Conntrack,
        netns,
    })
}

#[cfg(test)]
mod tests {
    use super::event::{New, Tuple};
    use super::*;

    fn tuple(source: &str, destination: &str) -> Tuple {
        Tuple { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn f14_the_reply_tuple_names_the_backend() {
        let original = tuple("10.244.0.7:50000", "10.96.0.10:80");
        let reply = tuple("10.244.0.5:8080", "10.244.0.7:50000");
        let chosen = choice(&New { original, reply, unix_ns: None }, Netns::default()).unwrap();
        assert_eq!(chosen.backend.to_string(), "10.244.0.5:8080");
        assert_eq!(chosen.flow.destination.to_string(), "10.96.0.10:80");
        assert_eq!(chosen.flow.source_port, Some(50000));
        assert_eq!(chosen.by, Chooser::Conntrack);
    }

    #[test]
    fn masquerading_alone_is_no_choice() {
        let original = tuple("10.244.0.7:50000", "192.0.2.1:443");
        let reply = tuple("192.0.2.1:443", "198.51.100.2:50000");
        assert_eq!(choice(&New { original, reply, unix_ns: None }, Netns::default()), None);
    }
}
