//! The three windows a second time: from packets on the servers' veths and the API server's record alone.
//!
//! In: captures and the audit log; of the report only its windows and its end. Out: statements that they agree.

use super::api::Audit;
use super::pcap::{Kind, Packet};
use super::statement::Comparison;
use super::syns::Said;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// tcpdump stamps a packet at the veth, `rollout` a SYN in `tcp_connect`, and the clocks' pairing adds its error; an
/// emulated guest may be descheduled in between.
const TOLERANCE_MS: i64 = 50;

/// The recording's end, where a SYN may be on its way.
const LAST_NS: i64 = 1_000_000_000;

/// A SYN at a pod of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrival {
    pod: IpAddr,
    unix_ns: i64,
    new: bool,
    answered: bool,
}

/// States that windows 1, 2 and 3 agree.
pub fn compare(
    comparison: &mut Comparison,
    report: &Value,
    audit: &Audit,
    said: &Said,
    servers: &[(IpAddr, Vec<Packet>)],
    client: IpAddr,
) {
    let Some(newest) = audit.hashes.last() else {
        comparison.state("windows", "no pod in the audit log".into(), "-".into(), false);
        return;
    };
    // No lower bound: before the update there is one revision, and a baseline is clean.
    let mut arrivals: Vec<Arrival> = servers
        .iter()
        .filter_map(|(pod, packets)| Some((pod, packets, audit.hash_by_address.get(pod)?)))
        .flat_map(|(pod, packets, hash)| arrivals(packets, *pod, client, hash == newest))
        .filter(|arrival| arrival.unix_ns <= said.span.1 + TOLERANCE_MS * 1_000_000)
        .collect();
    arrivals.sort_by_key(|arrival| arrival.unix_ns);
    let windows = &report["windows"];

    let unanswered: Vec<&Arrival> = arrivals.iter().filter(|a| !a.new && !a.answered).collect();
    comparison.equal(
        "window 1: unanswered SYNs to old pods",
        unanswered.len() as u64,
        windows["unanswered"]["syns"].as_u64().unwrap_or(u64::MAX),
    );
    let unanswered = ends(&unanswered);
    span(comparison, "window 1", unanswered, span_of(&windows["unanswered"]), TOLERANCE_MS);

    let old: Vec<&Arrival> = arrivals.iter().filter(|a| !a.new).collect();
    let new: Vec<&Arrival> = arrivals.iter().filter(|a| a.new).collect();
    let both = &windows["both"];
    let edges = new.first().zip(old.last()).map(|(new, old)| (new.unix_ns, old.unix_ns));
    second(comparison, both, edges, &old, &new);

    third(comparison, &windows["only_new"], said, edges.map_or(i64::MIN, |e| e.1), &new);
}

/// Window 3, less the recording's last second: a SYN of that may have arrived after its end, by any delay. One near an
/// edge may be counted on either side of it: it is stamped at its client there, at its pod here.
fn third(
    comparison: &mut Comparison,
    only_new: &Value,
    said: &Said,
    last_old: i64,
    new: &[&Arrival],
) {
    let (cut_ns, tolerance_ns) = (said.span.1 - LAST_NS, TOLERANCE_MS * 1_000_000);
    let pods: BTreeSet<IpAddr> = new.iter().map(|arrival| arrival.pod).collect();
    let to_new = said.attempts.iter().flat_map(|a| &a.syns).filter(|syn| {
        syn.class == "pod" && syn.address.is_some_and(|address| pods.contains(&address.ip()))
    });
    let (firm, late): (Vec<i64>, Vec<i64>) =
        to_new.map(|syn| syn.unix_ns).partition(|time| *time <= cut_ns);

    let counted = |from_ns: i64, to_ns: i64| {
        new.iter().filter(|a| a.unix_ns > from_ns && a.unix_ns <= to_ns).count() as u64
    };
    let least = counted(last_old.saturating_add(tolerance_ns), cut_ns - tolerance_ns);
    let most = counted(last_old.saturating_sub(tolerance_ns), cut_ns + tolerance_ns);
    let syns = only_new["syns"].as_u64().map(|syns| syns.saturating_sub(late.len() as u64));
    comparison.state(
        "window 3: SYNs to new pods only",
        format!("{least}, and {} at its edges", most.saturating_sub(least)),
        syns.map_or("none".into(), |syns| syns.to_string()),
        syns.is_some_and(|syns| (least..=most).contains(&syns)),
    );
    let from = only_new["span"]["from"]["unix_ns"].as_i64();
    let said_span = from.zip(firm.iter().max().copied()).filter(|(from, to)| from <= to);
    let until_ns = said_span.map_or(cut_ns, |span| span.1).saturating_add(tolerance_ns);
    let after = new.iter().copied().filter(|a| a.unix_ns > last_old && a.unix_ns <= until_ns);
    let after = ends(&after.collect::<Vec<_>>());
    span(comparison, "window 3", after, said_span, 2 * TOLERANCE_MS);
}

/// Window 2 by its edges, the first SYN to a new pod and the last to an old one; whether they overlap or leave a gap may
/// differ only where they are as near to each other as the clocks are exact.
fn second(
    comparison: &mut Comparison,
    both: &Value,
    edges: Option<(i64, i64)>,
    old: &[&Arrival],
    new: &[&Arrival],
) {
    let Some((first_new, last_old)) = edges else {
        let holds = both["kind"] == "none";
        comparison.state("window 2: SYNs", "none".into(), both_text(both), holds);
        return;
    };
    let overlap = first_new <= last_old;
    let within = |a: &&&Arrival| (first_new..=last_old).contains(&a.unix_ns);
    let counts = (old.iter().filter(within).count(), new.iter().filter(within).count());
    let text = match overlap {
        true => format!("overlap, {} to old, {} to new", counts.0, counts.1),
        false => "gap".to_owned(),
    };
    let said_counts = (both["syns_to_old"].as_u64(), both["syns_to_new"].as_u64());
    let close = (first_new - last_old).abs() <= TOLERANCE_MS * 1_000_000;
    let holds = match (overlap, both["kind"] == "overlap") {
        (true, true) => close || said_counts == (Some(counts.0 as u64), Some(counts.1 as u64)),
        (false, false) => both["kind"] == "gap",
        _ => close,
    };
    comparison.state("window 2: SYNs", text, both_text(both), holds);
    // From the one edge to the other, whichever is first there.
    let witness = Some((first_new.min(last_old), first_new.max(last_old)));
    span(comparison, "window 2", witness, span_of(both), 2 * TOLERANCE_MS);
}

fn span_of(window: &Value) -> Option<(i64, i64)> {
    let end = |name: &str| window["span"][name]["unix_ns"].as_i64();
    end("from").zip(end("to"))
}

fn both_text(both: &Value) -> String {
    let kind = both["kind"].as_str().unwrap_or("?");
    match (both["syns_to_old"].as_u64(), both["syns_to_new"].as_u64()) {
        (Some(old), Some(new)) => format!("{kind}, {old} to old, {new} to new"),
        _ => kind.to_owned(),
    }
}

fn ends(arrivals: &[&Arrival]) -> Option<(i64, i64)> {
    Some((arrivals.first()?.unix_ns, arrivals.last()?.unix_ns))
}

fn span(
    comparison: &mut Comparison,
    name: &str,
    witness: Option<(i64, i64)>,
    said: Option<(i64, i64)>,
    tolerance_ms: i64,
) {
    let near = |a: i64, b: i64| (a - b).abs() <= tolerance_ms * 1_000_000;
    let holds = match (witness, said) {
        (None, None) => true,
        (Some(witness), Some(said)) => near(witness.0, said.0) && near(witness.1, said.1),
        _ => false,
    };
    let text = |span: Option<(i64, i64)>| {
        span.map_or("none".to_owned(), |(from, to)| format!("{:.1} ms", (to - from) as f64 / 1e6))
    };
    comparison.state(&format!("{name}: from first to last SYN"), text(witness), text(said), holds);
}

/// The client's SYNs at one pod, each with whether an answer came before the next SYN of its tuple.
fn arrivals(packets: &[Packet], pod: IpAddr, client: IpAddr, new: bool) -> Vec<Arrival> {
    let mut found = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let from_client = packet.source.ip() == client && packet.destination.ip() == pod;
        if packet.kind != Kind::Syn || !from_client {
            continue;
        }
        let answered = packets[index + 1..]
            .iter()
            .take_while(|later| !(later.kind == Kind::Syn && later.source == packet.source))
            .any(|later| match later.kind {
                Kind::SynAck | Kind::Rst => {
                    later.source == packet.destination && later.destination == packet.source
                }
                Kind::Icmp => later.source == packet.source,
                Kind::Syn | Kind::Other => false,
            });
        found.push(Arrival { pod, unix_ns: packet.unix_ns, new, answered });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syn_is_answered_only_before_the_next_one_of_its_tuple() -> anyhow::Result<()> {
        let packet = |unix_ns, kind, source: &str, destination: &str| -> anyhow::Result<Packet> {
            let (source, destination) = (source.parse()?, destination.parse()?);
            Ok(Packet { unix_ns, source, destination, kind, sequence: 0 })
        };
        let (client, pod) = ("10.0.0.1:4000", "10.0.0.2:80");
        let packets = [
            packet(1, Kind::Syn, client, pod)?,
            packet(2, Kind::Syn, "10.0.0.1:4001", pod)?,
            packet(3, Kind::Rst, pod, "10.0.0.1:4001")?,
            packet(4, Kind::Syn, client, pod)?,
            packet(5, Kind::SynAck, pod, client)?,
        ];
        let found = arrivals(&packets, "10.0.0.2".parse()?, "10.0.0.1".parse()?, false);
        let answered: Vec<_> = found.iter().map(|arrival| arrival.answered).collect();
        assert_eq!(answered, [false, true, true]);
        Ok(())
    }
}
