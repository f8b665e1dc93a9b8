//! The node's conntrack table was full, or two connections raced for one source port: the SYN was dropped when its entry was
//! to be confirmed, and the retransmit succeeded.
//!
//! Evidence: a SYN dropped elsewhere than in IPVS, and the table's own counters (`drop`, `insert_failed`) rising around it.
//! Ruled out by counters that stand still. Rivals: each other, and a path that drops.

use super::super::report::attempt::SynClass;
use super::super::report::cause::{CauseName, Sign, Surety};
use super::case::{Case, Hit};
use super::rule::{Fit, Rival, Rule, advice, never, number, sign};

/// Counters are read once a second.
const NEAR_NS: u64 = 2_000_000_000;

/// The table was full.
pub const FULL: Rule = Rule {
    name: CauseName::ConntrackFull,
    fits: full,
    also: never,
    signs: |case, hits| signs(case, hits, "the conntrack table was full"),
    remedy: |_, _| advice("raise net.netfilter.nf_conntrack_max, or close connections sooner"),
    rivals: &[Rival {
        cause: CauseName::SourceNatRace,
        needs: "",
        absent: "the table's count of drops rose",
    }],
};

/// Two connections wanted one port.
pub const RACE: Rule = Rule {
    name: CauseName::SourceNatRace,
    fits: race,
    also: never,
    signs: |case, hits| signs(case, hits, "entries could not be inserted (insert_failed rose)"),
    remedy: |_, _| {
        advice(
            "masquerade with random source ports (iptables --random-fully), or let pods reach pods without NAT",
        )
    },
    rivals: &[Rival {
        cause: CauseName::ConntrackFull,
        needs: "",
        absent: "the table was not full",
    }],
};

fn dropped(hit: &Hit<'_>) -> bool {
    hit.syn.is_some_and(|syn| syn.class == SynClass::Undelivered)
}

fn around(hit: &Hit<'_>) -> (u64, u64) {
    (hit.time_ns().saturating_sub(NEAR_NS), hit.time_ns().saturating_add(NEAR_NS))
}

fn full(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let counted = case.server.conntrack_rises(around(hit)).filter(|rise| rise.drop > 0)?;
    let surety = if counted.max > 0 && counted.count >= counted.max {
        Surety::Proven
    } else {
        Surety::Likely
    };
    dropped(hit).then_some(Fit { surety, evidence: counted.evidence })
}

fn race(case: &Case<'_>, hit: &Hit<'_>) -> Option<Fit> {
    let rose = |rise: &super::server::Rise| rise.insert_failed > 0 && rise.drop == 0;
    let counted = case.server.conntrack_rises(around(hit)).filter(rose)?;
    dropped(hit).then_some(Fit { surety: Surety::Likely, evidence: counted.evidence })
}

fn signs(case: &Case<'_>, hits: &[Hit<'_>], what: &str) -> Vec<Sign> {
    let all = number(hits.len(), "attempt");
    let rise = hits.first().and_then(|hit| case.server.conntrack_rises(around(hit)));
    let text = match &rise {
        Some(rise) => {
            format!("{what}, {} of {} entries: SYNs of {all} dropped", rise.count, rise.max)
        }
        None => format!("{what}: SYNs of {all} dropped"),
    };
    vec![sign(text, rise.map(|rise| rise.evidence).unwrap_or_default())]
}
