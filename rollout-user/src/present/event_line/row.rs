//! The table forms: the same columns at the same places in every line.
//!
//! In: an event line. Out: a row of 80 columns, or a wide one.

use super::{EventLine, Standing};
use crate::analyse::report::Moment;
use crate::attribute::tag::{Certainty, HostClient, PodState, StateAt, Tag};
use crate::present::errno;
use crate::present::escape::{name, plain};
use crate::present::paint::Paint;
use crate::present::time;
use crate::record::Body;
use crate::record::kernel::{DestinationChange, Flow};
use crate::record::signal::signal_name;
use crate::stream::select::flow_of;
use std::net::SocketAddr;

const TIME: usize = 12;
const KIND: usize = 8;
const NARROW: usize = 17;
const WIDE: usize = 44;
/// `task->comm` has at most 15 bytes; escapes make it longer.
const COMM: usize = 24;

/// Names of the columns.
pub fn table_head() -> String {
    let (client, towards) = (fit("CLIENT", NARROW), fit("TO", NARROW));
    format!("{} {} {client} {towards} WHAT", fit("TIME", TIME + 1), fit("EVENT", KIND))
}

/// Names of the wide row's columns.
pub fn wide_head() -> String {
    format!(
        "{} {} {} {} {} WHAT",
        fit("TIME", 25),
        fit("EVENT", KIND),
        fit("CLIENT", WIDE),
        fit("SERVICE", WIDE),
        fit("BACKEND", WIDE)
    )
}

/// Renders a row of at most 80 columns: time of day, event, client, where it is going, what about it. `*` after the
/// time marks a correction.
pub fn table(line: &EventLine<'_>, paint: Paint) -> String {
    let moment = moment(line);
    let clock = time::rfc3339(&moment)
        .and_then(|text| text.get(11..23).map(str::to_owned))
        .unwrap_or_else(|| time::absolute(&moment));
    let mark = if line.standing == Standing::Correction { "*" } else { " " };
    let (client, towards) = (fit(&client(line, false), NARROW), fit(&towards(line), NARROW));
    let (kind, tone) = kind(&line.record.body);
    let kind = painted(paint, tone, &fit(kind, KIND));
    let used = TIME + 1 + 1 + KIND + 1 + NARROW + 1 + NARROW + 1;
    let what = cut(&what(line, false), 80 - used);
    format!("{}{mark} {kind} {client} {towards} {what}", fit(&clock, TIME)).trim_end().to_owned()
}

/// Renders a wide row: full time, addresses beside names, states, certainty, details.
pub fn wide(line: &EventLine<'_>, paint: Paint) -> String {
    let mark = if line.standing == Standing::Correction { "*" } else { " " };
    let clock = fit(&time::absolute(&moment(line)), 24);
    let (kind, tone) = kind(&line.record.body);
    let kind = painted(paint, tone, &fit(kind, KIND));
    let client = fit(&client(line, true), WIDE);
    let service = fit(&service(line), WIDE);
    let backend = fit(&backend(line, true), WIDE);
    let what = what(line, true);
    format!("{clock}{mark} {kind} {client} {service} {backend} {what}").trim_end().to_owned()
}

fn moment(line: &EventLine<'_>) -> Moment {
    Moment { time_ns: line.record.time_ns, unix_ns: line.unix.map(|unix| unix.ns), offset_ns: None }
}

/// At most `width` columns of text that is escaped already.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Exactly `width` columns: cut with `…`, or filled.
fn fit(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let missing = width.saturating_sub(cut.chars().count());
    format!("{cut}{}", " ".repeat(missing))
}

/// How a word is meant; colours follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Calm,
    /// All is well.
    Good,
    /// Something failed.
    Bad,
    /// Something was slow, or changes.
    Slow,
}

/// How an event is meant.
pub fn tone(body: &Body) -> Tone {
    kind(body).1
}

fn painted(paint: Paint, tone: Tone, text: &str) -> String {
    match tone {
        Tone::Calm => text.to_owned(),
        Tone::Good => paint.green(text),
        Tone::Bad => paint.red(text),
        Tone::Slow => paint.yellow(text),
    }
}

/// A word of at most eight letters for each kind of event.
fn kind(body: &Body) -> (&'static str, Tone) {
    match body {
        Body::Connect(_) => ("connect", Tone::Calm),
        Body::ConnectReturned(_) => ("returned", Tone::Bad),
        Body::Established(_) => ("open", Tone::Good),
        Body::ConnectFailed(_) => ("failed", Tone::Bad),
        Body::Closed(e) if e.errno.is_some() => ("broken", Tone::Bad),
        Body::Closed(_) => ("closed", Tone::Calm),
        Body::SynRetransmit(_) => ("resend", Tone::Slow),
        Body::SynAckRetransmitted(_) => ("resynack", Tone::Slow),
        Body::BacklogFull(_) | Body::ListenCounters(_) => ("overflow", Tone::Bad),
        Body::ConntrackStats(_) => ("conntrk", Tone::Calm),
        Body::SynDropped(_) => ("dropped", Tone::Bad),
        Body::ResetSent(_) => ("RST sent", Tone::Bad),
        Body::ResetReceived(_) => ("RST got", Tone::Bad),
        Body::ListenerOpened(_) => ("listen", Tone::Calm),
        Body::ListenerClosed(_) => ("unlisten", Tone::Slow),
        Body::BackendChosen(_) => ("chosen", Tone::Calm),
        Body::NoDestination(_) => ("no dest", Tone::Bad),
        Body::IcmpSent(_) => ("ICMP", Tone::Bad),
        Body::IpvsDestination(_) => ("ipvs", Tone::Slow),
        Body::IpvsServiceGone(_) => ("ipvs", Tone::Slow),
        Body::Signal(_) => ("signal", Tone::Slow),
        Body::Exit(_) => ("exit", Tone::Slow),
        _ => ("note", Tone::Calm),
    }
}

fn client(line: &EventLine<'_>, wide: bool) -> String {
    let flow = flow_of(&line.record.body);
    let address = flow.and_then(source);
    let name = line.tags.client.as_ref().and_then(who);
    match (name, address) {
        (Some(name), Some(address)) if wide => format!("{name} {address}"),
        (Some(name), None) if wide => name,
        (Some(name), _) => tail(&name),
        (None, Some(address)) => address,
        (None, None) => "-".to_owned(),
    }
}

fn source(flow: &Flow) -> Option<String> {
    Some(match (flow.source?, flow.source_port) {
        (address, Some(port)) => SocketAddr::new(address, port).to_string(),
        (address, None) => address.to_string(),
    })
}

/// Who it is, in one word; `None`: not known.
pub fn who(tag: &Tag) -> Option<String> {
    let name = match (&tag.pod, tag.host) {
        (Some(pod), _) if pod.name.is_empty() => name(&pod.uid),
        (Some(pod), _) => name(&pod.name),
        (None, Some(HostClient::Kubelet)) => "kubelet".to_owned(),
        (None, Some(HostClient::Host)) => "the node".to_owned(),
        (None, None) if tag.certainty == Certainty::Ambiguous => match tag.candidates.as_slice() {
            [] => return None,
            // This one, or somebody who was never seen.
            [only] => format!("{}?", name(&only.name)),
            several => format!("1 of {} pods", several.len()),
        },
        (None, None) => return None,
    };
    Some(name)
}

fn tail(name: &str) -> String {
    tail_of(name, NARROW)
}

/// At most `width` columns of a name: its end, which tells pods of one workload apart.
pub fn tail_of(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - width.saturating_sub(1)).collect();
    format!("…{end}")
}

/// The most telling destination: the chosen pod, else the Service, else the address.
fn towards(line: &EventLine<'_>) -> String {
    let chosen = backend(line, false);
    if chosen != "-" {
        return chosen;
    }
    service(line)
}

fn service(line: &EventLine<'_>) -> String {
    let named = line.tags.service.as_ref().filter(|service| !service.name.is_empty());
    match (named, &line.record.body) {
        (Some(service), _) => format!("{}/{}", name(&service.namespace), name(&service.name)),
        (None, Body::IpvsDestination(e)) => {
            e.service.map_or_else(|| "-".to_owned(), |address| address.to_string())
        }
        (None, Body::IpvsServiceGone(e)) => {
            e.service.map_or_else(|| "all".to_owned(), |address| address.to_string())
        }
        (None, Body::ListenerOpened(e) | Body::ListenerClosed(e)) => e.address.to_string(),
        (None, body) => {
            flow_of(body).map_or_else(|| "-".to_owned(), |flow| flow.destination.to_string())
        }
    }
}

fn backend(line: &EventLine<'_>, wide: bool) -> String {
    let Some(last) = line.tags.backends.last() else {
        return match &line.record.body {
            Body::IpvsDestination(e) => e.destination.to_string(),
            Body::BackendChosen(e) => e.backend.to_string(),
            _ => "-".to_owned(),
        };
    };
    match (who(&last.tag), wide) {
        (Some(name), false) => tail(&name),
        (Some(name), true) => format!("{name} {}", last.address),
        (None, _) => last.address.to_string(),
    }
}

/// What is to be said of how sure a tag is; empty where nothing is.
pub fn certainty(tag: &Tag) -> &'static str {
    match tag.certainty {
        // A change is told by its two states.
        Certainty::Known | Certainty::Changing => "",
        Certainty::Ambiguous => "ambiguous",
        Certainty::Stale => "stale",
        // Told by the address that stands where a name would.
        Certainty::Unknown => "",
    }
}

/// What there is to say: the backend's state and how sure that is, then the event's own.
fn what(line: &EventLine<'_>, wide: bool) -> String {
    let last = line.tags.backends.last().map(|backend| &backend.tag);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(last.and_then(|tag| tag.state).map(|at| state(at, wide)));
    parts.extend(last.map(|tag| certainty(tag).to_owned()));
    parts.push(detail(&line.record.body));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// A state in a word: a short one, or Kubernetes' own where there is room.
pub fn state(state: StateAt, wide: bool) -> String {
    let word = |state| match (state, wide) {
        (PodState::Starting, true) => "starting",
        (PodState::Starting, false) => "start",
        (PodState::Ready, _) => "ready",
        (PodState::NotReady, true) => "not-ready",
        (PodState::NotReady, false) => "unready",
        (PodState::Terminating, true) => "terminating",
        (PodState::Terminating, false) => "term",
        (PodState::Finished, true) => "finished",
        (PodState::Finished, false) => "done",
        (PodState::Gone, _) => "gone",
    };
    match state {
        StateAt::Is(is) => word(is).to_owned(),
        StateAt::Changing { from, to } => format!("{}→{}", word(from), word(to)),
    }
}

fn detail(body: &Body) -> String {
    match body {
        Body::Connect(e) => plain(&e.comm, COMM),
        Body::ConnectReturned(e) => errno::name(e.errno),
        Body::Established(e) => time::duration(e.latency_ns),
        Body::ConnectFailed(e) => {
            let error = e.errno.map_or_else(|| "gave up".to_owned(), errno::name);
            format!("{error} {}", time::duration(e.latency_ns))
        }
        Body::Closed(e) => e.errno.map(errno::name).unwrap_or_default(),
        Body::SynRetransmit(e) => {
            e.errno.map_or_else(String::new, |errno| format!("not sent: {}", errno::name(errno)))
        }
        Body::BacklogFull(e) => {
            let segment = if e.handshake_ack { "ACK" } else { "SYN" };
            format!("{segment}: queue {}>{}", e.backlog, e.limit)
        }
        Body::ListenCounters(e) => format!("{} drops, {} at full", e.drops, e.overflows),
        Body::ConntrackStats(e) => format!(
            "{}/{} entries, {} dropped, {} early, {} not inserted",
            e.count, e.max, e.drop, e.early_drop, e.insert_failed
        ),
        Body::SynDropped(e) => {
            e.reason.as_ref().or(e.location.as_ref()).map(|why| name(why)).unwrap_or_default()
        }
        Body::ResetSent(e) => match e.has_socket {
            true => e.state.as_ref().map(|state| name(state)).unwrap_or_default(),
            false => "closed port".to_owned(),
        },
        Body::ResetReceived(e) => name(&e.state),
        Body::BackendChosen(e) => {
            e.weight.map_or_else(String::new, |weight| format!("weight {weight}"))
        }
        Body::IcmpSent(e) => format!("type {} code {}", e.icmp_type, e.code),
        Body::IpvsDestination(e) => {
            let change = match e.change {
                DestinationChange::Add => "add",
                DestinationChange::Edit => "edit",
                DestinationChange::Delete => "delete",
            };
            let weight = e.weight.map_or_else(String::new, |weight| format!(" weight {weight}"));
            let result = match e.result {
                0 => String::new(),
                code => format!(" {}", errno::name(code.saturating_neg())),
            };
            format!("{change}{weight}{result}")
        }
        Body::IpvsServiceGone(_) => "service deleted".to_owned(),
        Body::Signal(e) => format!("{} to {}", signal_name(e.signal), plain(&e.comm, COMM)),
        Body::Exit(e) => match (e.status, e.signal) {
            (_, Some(signal)) => format!("by {}", signal_name(u32::from(signal))),
            (Some(status), None) => format!("status {status}"),
            (None, None) => String::new(),
        },
        _ => String::new(),
    }
}
