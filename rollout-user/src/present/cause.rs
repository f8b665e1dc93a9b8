//! Causes in words: a title for each, how sure it is, what it cost.
//!
//! In: parts of the report. Out: short plain text, shared by every format.

use super::escape::name;
use super::time::duration;
use crate::analyse::report::cause::{Cause, CauseName, Cost, Surety};

/// What a cause is called.
pub fn title(cause: CauseName) -> &'static str {
    match cause {
        CauseName::Intended => "intended: all endpoints were terminating",
        CauseName::FailedPodIpReused => "a failed pod's address was reused",
        CauseName::StaleConntrack => "a stale entry led to another Service's pod",
        CauseName::LocalPolicyNoEndpoint => "traffic policy Local without a local endpoint",
        CauseName::NoDestination => "no destination",
        CauseName::ConntrackFull => "conntrack table full",
        CauseName::SourceNatRace => "source-NAT port race",
        CauseName::WeightZeroReuse => "a reused port led to a pod of weight 0",
        CauseName::ReuseDrop => "the first SYN of a reused port was dropped",
        CauseName::DroppedInIpvs => "a retransmit was dropped in IPVS",
        CauseName::StaleUpstream => "a proxy dialled a pod that was no endpoint any more",
        CauseName::ReadyBeforeListening => "ready before listening",
        CauseName::ListenerClosedFirst => "listener closed before the pod was unprogrammed",
        CauseName::UnacceptedReset => "unaccepted connections reset when the listener closed",
        CauseName::GraceOverrun => "killed at the end of the grace period",
        CauseName::ExitsAtOnce => "the server exits at once on its stop signal",
        CauseName::KeepAliveRace => "idle keep-alive connection used after the server closed it",
        CauseName::ConntrackInvalid => "stray RST of the client's own kernel (conntrack INVALID)",
        CauseName::FlowCutAtRemoval => "established connection cut when its pod was taken out",
        CauseName::SurgeOverload => "accept queue full",
        CauseName::CniCutEarly => "a terminating pod's network was cut early",
        CauseName::HostUnreachable => "host unreachable",
        CauseName::BlackHole => "black hole: SYNs vanished on their way",
        CauseName::LateSyn => "late SYN to a terminating pod",
        CauseName::NotSent => "the client's own side did not send the SYN",
        CauseName::ClientGaveUp => "the client gave up before an answer",
        CauseName::Unexplained => "not explained by any rule",
        CauseName::PreStopTooShort => "preStop missing or too short",
        CauseName::SlowProxy => "slow kube-proxy",
        CauseName::SlowController => "slow EndpointSlice controller",
        CauseName::ReadinessCascade => "readiness cascade: the proxy pod left its Service too",
        CauseName::OwnBlindness => "what rollout could not see",
    }
}

/// How sure.
pub fn surety(surety: Surety) -> &'static str {
    match surety {
        Surety::Proven => "proven",
        Surety::Likely => "likely",
        Surety::Possible => "possible",
    }
}

/// `3 failed, 7 slowed, 10.2 s lost, longest 4.09 s`.
pub fn cost(cost: &Cost) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (cost.failed, "failed"),
        (cost.slowed, "slowed"),
        (cost.misdirected, "went to the wrong pod"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if cost.extra_latency_ns > 0 {
        parts.push(format!("{} lost", duration(cost.extra_latency_ns)));
    }
    if cost.longest_ns > 0 && cost.failed + cost.slowed > 1 {
        parts.push(format!("longest {}", duration(cost.longest_ns)));
    }
    parts.join(", ")
}

/// The cause that line 1 names: the dearest one of single connects, and the first one behind it.
pub fn leading(causes: &[Cause]) -> Option<(&Cause, Option<&Cause>)> {
    let own = |cause: &&Cause| !cause.name.is_behind();
    let first = causes.iter().find(own)?;
    let behind = causes.iter().filter(|cause| cause.name.is_behind());
    let behind = behind.filter(|cause| cause.leads_to.contains(&first.name));
    // What made it late says more than that nothing covered it.
    Some((first, behind.min_by_key(|cause| rank(cause.name))))
}

fn rank(cause: CauseName) -> u8 {
    match cause {
        CauseName::Intended => 0,
        CauseName::SlowProxy => 1,
        CauseName::SlowController => 2,
        _ => 3,
    }
}

/// Text of a sign, for a terminal.
pub fn escaped(text: &str) -> String {
    text.split(' ').map(name).collect::<Vec<_>>().join(" ")
}
