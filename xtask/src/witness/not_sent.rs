//! The client's own firewall: how many SYNs its rule has dropped.
//!
//! In: the rule's counters, as `iptables -nvxL` prints them, and the report's attempts. Out: a statement that as many SYNs
//! were classed as not sent.

use super::statement::Comparison;
use super::syns::{NOT_SENT, Said};
use anyhow::Context;
use std::net::IpAddr;
use std::path::Path;

/// Compares the rule's count with the report's.
///
/// # Errors
/// When the counters cannot be read.
pub fn compare(
    comparison: &mut Comparison,
    said: &Said,
    path: &Path,
    service: IpAddr,
) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let dropped = dropped(&text)
        .with_context(|| format!("no rule that drops has a count in `{}`", path.display()))?;
    let tried = said.attempts.iter().filter(|attempt| attempt.destination.ip() == service);
    let classed = tried.flat_map(|attempt| &attempt.syns).filter(|syn| syn.class == NOT_SENT);
    comparison.equal("SYNs that the client's firewall dropped", dropped, classed.count() as u64);
    Ok(())
}

/// Packets of the rule whose target is DROP.
fn dropped(listing: &str) -> Option<u64> {
    listing.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (packets, _bytes, target) = (words.next()?, words.next()?, words.next()?);
        (target == "DROP").then(|| packets.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_that_of_the_rule_that_drops() {
        let listing = "Chain LAB (0 references)\n    pkts      bytes target     prot opt in     out     source\n\
            \x20     74     4440 DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0\n";
        assert_eq!(dropped(listing), Some(74));
        assert_eq!(dropped("Chain LAB (0 references)\n"), None);
    }
}
