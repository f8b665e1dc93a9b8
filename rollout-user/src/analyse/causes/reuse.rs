//! Entries of earlier connections of the same tuple (F16): one in TIME_WAIT costs the first SYN, one of a destination with
//! weight 0 leads to a pod that is going.
//!
//! Evidence: no choice of the attempt's own before its first SYN, an entry of an earlier one. Both need a client port that is
//! used again within two minutes. Rivals: a retransmit that is dropped when its backend goes, which has a choice of its own.

use super::super::report::attempt::SynClass;
use super::super::report::cause::{CauseName, Remedy, Sign, Surety};
use super::case::{Case, Hit};
use super::life::{When, when};
use super::rule::{Fit, Rival, Rule, advice, by_pod, name, never, number, sign};

/// A first SYN dropped because of an entry in TIME_WAIT.
pub const DROP: Rule = Rule {
    name: CauseName::ReuseDrop,
    fits: dropped,
    also: never,
    signs: signs_of_drop,
    remedy,
    rivals: &[Rival {
        cause: CauseName::DroppedInIpvs,
        needs: "ipvs_choice",
        absent: "it was the attempt's first SYN",
    }],
};

/// A first SYN that an old entry led to a destination of weight 0.
pub const WEIGHT_ZERO: Rule = Rule {
    name: CauseName::WeightZeroReuse,
    fits: led,
    also: never,
    signs: signs_of_weight,
    remedy,
    rivals: &[Rival {
        cause: CauseName::LateSyn,
        needs: "ipvs_choice",
        absent: "no choice was made: the entry of an earlier connection was used",
    }],
};

/// The choice of an earlier connection that this attempt's first SYN met.
fn kept(hit: &Hit<'_>) -> Option<u64> {
    hit.attempt.backends.first().filter(|backend| backend.kept).map(|backend| backend.evidence)
}

fn dropped(_: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let first = hit.attempt.syns.first().filter(|syn| syn.class == SynClass::DroppedInIpvs)?;
    // Its own choices come after the drop; the first SYN was dropped for an older one.
    let own = hit.attempt.backends.iter().filter(|b| !b.kept).map(|b| b.at.time_ns).min();
    if own.is_some_and(|own_ns| own_ns < first.at.time_ns) {
        return None;
    }
    let second = hit.attempt.syns.get(1).map_or(u64::MAX, |syn| syn.at.time_ns);
    if own.is_some_and(|own_ns| own_ns < second.saturating_sub(SLACK_NS)) {
        return None;
    }
    let surety = if hit.attempt.uncertain { Surety::Likely } else { Surety::Proven };
    Some(Fit { surety, evidence: kept(hit).into_iter().collect() })
}

/// A retransmit's own event comes after the balancer has seen it.
const SLACK_NS: u64 = 50_000_000;

fn led(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let (choice, life) = (kept(hit)?, hit.life?);
    hit.syn.filter(|syn| syn.class == SynClass::Pod)?;
    if when(life.unprogrammed, hit.time_ns()) != When::Surely {
        return None;
    }
    let sure = hit.is_sure() && case.sees("ipvs_choice") && case.sees("ipvs_destination");
    let surety = if sure { Surety::Proven } else { Surety::Likely };
    let off = life.unprogrammed.map(|point| point.evidence);
    Some(Fit { surety, evidence: [choice].into_iter().chain(off).collect() })
}

fn signs_of_drop(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    let all = number(hits.len(), "attempt");
    let evidence = hits.iter().filter_map(|hit| hit.attempt.syns.first()?.evidence.last().copied());
    let text = format!(
        "the first SYN of {all} was dropped for an entry that an earlier connection of its port had left"
    );
    vec![sign(text, evidence.take(5))]
}

fn signs_of_weight(_: &Case<'_>, hits: &[Hit<'_>]) -> Vec<Sign> {
    by_pod(hits, |life, count| {
        let off = life.unprogrammed?;
        let all = number(count, "SYN");
        let text = format!(
            "entries of earlier connections led {all} to {}, whose weight was 0 by then",
            name(life)
        );
        Some(sign(text, [off.evidence]))
    })
}

fn remedy(_: &Case<'_>, _: &[Hit<'_>]) -> Option<Remedy> {
    advice(
        "net.ipv4.vs.conn_reuse_mode=1 and expire_nodest_conn=1 (kernel 5.9 or newer), and clients that do not reuse a port \
         within two minutes",
    )
}
