//! Every SYN: on the client's veth, on each server's veth, and in `rollout`'s report.
//!
//! In: captures and the report's attempts. Out: statements that counts agree SYN by SYN and class by class (F24).

use super::pcap::{Kind, Packet};
use super::statement::Comparison;
use anyhow::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// A SYN as the report has it.
#[derive(Debug, Clone)]
pub struct SaidSyn {
    /// Unix time, ns.
    pub unix_ns: i64,
    /// Its class, as in `docs/report.md`.
    pub class: String,
    /// Where it went.
    pub address: Option<SocketAddr>,
    /// Whether an ICMP error answered it.
    pub by_icmp: bool,
}

/// An attempt as the report has it.
#[derive(Debug, Clone)]
pub struct SaidAttempt {
    /// Client address and port; `None` where the port was never learnt.
    pub client: Option<SocketAddr>,
    /// What was dialled.
    pub destination: SocketAddr,
    /// Begin, Unix ns.
    pub unix_ns: i64,
    /// Latency to its outcome, ns.
    pub latency_ns: Option<u64>,
    /// Failed or slowed.
    pub troubled: bool,
    /// Its SYNs.
    pub syns: Vec<SaidSyn>,
}

/// What the report says of the client's attempts.
#[derive(Debug, Clone)]
pub struct Said {
    /// The client's attempts.
    pub attempts: Vec<SaidAttempt>,
    /// First and last record, Unix ns.
    pub span: (i64, i64),
}

impl Said {
    /// Takes the attempts of one client out of a report.
    ///
    /// # Errors
    /// When the report lacks what `docs/report.md` promises.
    pub fn from_report(report: &Value, client: IpAddr) -> anyhow::Result<Said> {
        let attempts = report["attempts"].as_array().context("the report has no `attempts`")?;
        let own = attempts
            .iter()
            .filter(|attempt| address_of(&attempt["client"]["address"]) == Some(client));
        let source = &report["source"];
        let bound = |end: &str| source[end]["unix_ns"].as_i64().context("the report has no span");
        let span = (bound("from")?, bound("to")?);
        Ok(Said { attempts: own.map(attempt).collect::<Result<_, _>>()?, span })
    }
}

fn address_of<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn attempt(value: &Value) -> anyhow::Result<SaidAttempt> {
    let unix = |value: &Value| value["unix_ns"].as_i64().context("a moment has no `unix_ns`");
    let syns = value["syns"].as_array().context("an attempt has no `syns`")?;
    let syns = syns.iter().map(|syn| {
        Ok(SaidSyn {
            unix_ns: unix(syn)?,
            class: syn["class"].as_str().context("a SYN has no `class`")?.to_owned(),
            address: address_of(&syn["address"]),
            by_icmp: syn["answer"] == "icmp",
        })
    });
    let client = address_of(&value["client"]["address"])
        .zip(value["client"]["port"].as_u64().and_then(|port| u16::try_from(port).ok()))
        .map(|(address, port)| SocketAddr::new(address, port));
    let flag = |name: &str| value[name].as_bool().unwrap_or(false);
    Ok(SaidAttempt {
        client,
        destination: address_of(&value["destination"]).context("no `destination`")?,
        unix_ns: unix(value)?,
        latency_ns: value["latency_ns"].as_u64(),
        troubled: flag("failed") || flag("slowed"),
        syns: syns.collect::<anyhow::Result<_>>()?,
    })
}

/// Seconds at both ends that are left out: who started first is not the question.
const MARGIN_NS: i64 = 1_000_000_000;

/// From `tcp_connect` to the last veth, in an emulated guest.
const QUIET_NS: i64 = 10_000_000;

/// The class of what never left.
pub const NOT_SENT: &str = "not_sent";

/// Compares SYN by SYN.
pub fn compare(
    comparison: &mut Comparison,
    said: &Said,
    client: &[Packet],
    servers: &[(IpAddr, Vec<Packet>)],
    service: IpAddr,
) {
    let (from, to) = (said.span.0 + MARGIN_NS, said.span.1 - MARGIN_NS);
    let dialled = || client.iter().filter(|p| p.destination.ip() == service);
    let cut_ns = quiet_before(said.span.1, dialled());
    let sent = by_client(dialled(), cut_ns);
    let traced = traced(said, service, cut_ns);
    // A client address counts when either side saw its first SYN well inside the run.
    let inside = |times: &Vec<i64>| times.first().is_some_and(|time| (from..=to).contains(time));
    let clients: BTreeSet<SocketAddr> = sent
        .iter()
        .filter(|(_, times)| inside(times))
        .map(|(client, _)| *client)
        .chain(traced.iter().filter(|(_, syns)| inside(&times_of(syns))).map(|(c, _)| *c))
        .collect();

    let unequal: Vec<SocketAddr> = clients
        .iter()
        .filter(|client| {
            let sent = sent.get(client).map_or(0, Vec::len);
            let traced = traced.get(client).map_or(0, Vec::len);
            sent != traced
        })
        .copied()
        .collect();
    let count = |lengths: &dyn Fn(&SocketAddr) -> usize| clients.iter().map(lengths).sum::<usize>();
    let sent_count = count(&|client| sent.get(client).map_or(0, Vec::len));
    let traced_count = count(&|client| traced.get(client).map_or(0, Vec::len));
    comparison.equal("SYNs that left the client", sent_count, traced_count);
    comparison.equal("client ports with other numbers of SYNs", 0, unequal.len());

    for syn in clients.iter().filter_map(|client| traced.get(client)).flatten() {
        *comparison.classes.entry(syn.class.clone()).or_default() += 1;
    }
    // What was not sent was on no wire: it only counts as one of the classes that the runs lead to.
    let tried = said.attempts.iter().filter(|a| a.destination.ip() == service);
    let not_sent = tried.flat_map(|a| &a.syns).filter(|syn| syn.class == NOT_SENT).count();
    *comparison.classes.entry(NOT_SENT.to_owned()).or_default() += not_sent as u64;
    let unknown = comparison.classes.get("unknown").copied().unwrap_or(0);
    comparison.equal("SYNs of class `unknown`", 0, unknown);
    for client in &clients {
        let syns = traced.get(client).map_or(&[][..], Vec::as_slice);
        for syn in syns.iter().filter(|syn| syn.class == "unknown") {
            let into_s = (syn.unix_ns - said.span.0) as f64 / 1e9;
            let note = format!("unknown: a SYN of {client}, {into_s:.3} s into the recording");
            comparison.notes.push(note);
        }
    }

    // The kernel limits ICMP errors by destination: not every SYN without a destination gets one.
    let errors = client.iter().filter(|p| p.kind == Kind::Icmp && p.destination.ip() == service);
    let errors = errors.filter(|p| p.unix_ns <= cut_ns && clients.contains(&p.source)).count();
    let answered = clients.iter().filter_map(|client| traced.get(client)).flatten();
    let answered = answered.filter(|syn| syn.by_icmp).count();
    comparison.equal("ICMP errors that reached the client", errors, answered);

    let mut reached_any = 0;
    for (pod, packets) in servers {
        let reached = by_client(packets.iter().filter(|p| p.destination.ip() == *pod), cut_ns);
        let classed = |client: &SocketAddr| {
            let syns = traced.get(client).map_or(&[][..], Vec::as_slice);
            syns.iter()
                .filter(|syn| syn.class == "pod" && syn.address.is_some_and(|a| a.ip() == *pod))
                .count()
        };
        let arrived = |client: &SocketAddr| reached.get(client).map_or(0, Vec::len);
        reached_any += count(&arrived);
        let differing = clients.iter().filter(|c| arrived(c) != classed(c)).count();
        comparison.equal(&format!("SYNs that reached {pod}"), count(&arrived), count(&classed));
        comparison.equal(&format!("client ports that differ at {pod}"), 0, differing);
    }
    let nowhere: u64 = ["dropped_in_ipvs", "no_destination", "undelivered"]
        .iter()
        .filter_map(|class| comparison.classes.get(*class))
        .sum();
    let missing = sent_count.saturating_sub(reached_any) as u64;
    comparison.equal("SYNs that reached no pod", missing, nowhere);
    let captured: BTreeSet<IpAddr> = servers.iter().map(|(pod, _)| *pod).collect();
    let elsewhere = clients
        .iter()
        .filter_map(|client| traced.get(client))
        .flatten()
        .filter(|syn| syn.class == "pod")
        .filter(|syn| syn.address.is_none_or(|address| !captured.contains(&address.ip())))
        .count();
    comparison.equal("SYNs classed to a pod without a witness", 0, elsewhere);
}

/// The last time up to `end_ns` with no SYN near it: a SYN is stamped at several places, and all of them must lie on one
/// side.
fn quiet_before<'a>(end_ns: i64, packets: impl Iterator<Item = &'a Packet>) -> i64 {
    let syns = packets.filter(|packet| packet.kind == Kind::Syn);
    let mut times: Vec<i64> = syns.map(|packet| packet.unix_ns).collect();
    times.sort_unstable();
    times.iter().rev().fold(end_ns, |cut_ns, time| match (cut_ns - time).abs() < QUIET_NS {
        true => time - QUIET_NS,
        false => cut_ns,
    })
}

/// SYNs of the client towards a Service, by client address: those that were on the wire.
fn traced(said: &Said, service: IpAddr, until: i64) -> BTreeMap<SocketAddr, Vec<&SaidSyn>> {
    let mut by_client: BTreeMap<SocketAddr, Vec<&SaidSyn>> = BTreeMap::new();
    for attempt in said.attempts.iter().filter(|a| a.destination.ip() == service) {
        let on_wire =
            attempt.syns.iter().filter(|syn| syn.class != NOT_SENT && syn.unix_ns <= until);
        if let Some(client) = attempt.client {
            by_client.entry(client).or_default().extend(on_wire);
        }
    }
    by_client
}

fn times_of(syns: &[&SaidSyn]) -> Vec<i64> {
    syns.iter().map(|syn| syn.unix_ns).collect()
}

/// Times of captured SYNs by client address, up to `until`.
fn by_client<'a>(
    packets: impl Iterator<Item = &'a Packet>,
    until: i64,
) -> BTreeMap<SocketAddr, Vec<i64>> {
    let mut times: BTreeMap<SocketAddr, Vec<i64>> = BTreeMap::new();
    for packet in packets.filter(|packet| packet.kind == Kind::Syn && packet.unix_ns <= until) {
        times.entry(packet.source).or_default().push(packet.unix_ns);
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_cut_where_no_syn_is_near() -> anyhow::Result<()> {
        let packet = |ms: i64| -> anyhow::Result<Packet> {
            let (source, destination) = ("10.0.0.1:1".parse()?, "10.0.0.2:2".parse()?);
            let unix_ns = ms * 1_000_000;
            Ok(Packet { unix_ns, source, destination, kind: Kind::Syn, sequence: 0 })
        };
        let packets = [packet(900)?, packet(980)?, packet(988)?, packet(1001)?];
        let cut = |end_ms: i64| quiet_before(end_ms * 1_000_000, packets.iter()) / 1_000_000;
        assert_eq!((cut(1000), cut(960), cut(1050)), (970, 960, 1050));
        Ok(())
    }
}
