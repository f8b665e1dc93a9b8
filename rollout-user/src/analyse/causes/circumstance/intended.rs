//! All endpoints of the Service were terminating: traffic goes to those that still serve, by intent (KEP-1669).
//!
//! Evidence: the slices at the moment of the SYN list no ready endpoint, and this one as serving and terminating. Ruled out by
//! a ready endpoint. Rival: a slow proxy, which chooses such a pod although another is ready.

use super::super::super::report::cause::{CauseName, Remedy, Surety};
use super::super::case::{Case, Hit};
use super::super::life::When;
use super::super::rule::{by_pod, name, number, sign};
use super::Behind;

/// The records that say that nobody else was ready, if the attempt was sent to a terminating pod for that reason.
fn alone(case: &Case<'_>, hit: &Hit<'_>) -> Option<(usize, Vec<u64>)> {
    let life = hit.life?;
    let time_ns = hit.time_ns();
    if life.terminating_at(time_ns) == When::Not {
        return None;
    }
    let (listed, evidence) = case.endpoints.usable(&case.service_of(hit.attempt)?, time_ns);
    let uid = Some(life.pod.uid.as_str());
    let serves = listed.iter().any(|e| e.pod_uid.as_deref() == uid && e.terminating && e.serving);
    (serves && !listed.iter().any(|e| e.ready)).then_some((listed.len(), evidence))
}

/// Looks for it.
pub fn find<'a>(case: &Case<'_>, hits: &[Hit<'a>]) -> Behind<'a> {
    let hits: Vec<Hit<'a>> =
        hits.iter().filter(|hit| alone(case, hit).is_some()).copied().collect();
    let signs = by_pod(&hits, |life, count| {
        let mut of = hits.iter().filter(|hit| hit.life.is_some_and(|l| l.pod.uid == life.pod.uid));
        let (listed, evidence) = of.find_map(|hit| alone(case, hit))?;
        let text = format!(
            "none of {} was ready; {} was listed as serving and terminating, and chosen by intent for {}",
            number(listed, "endpoint"),
            name(life),
            number(count, "bad attempt")
        );
        Some(sign(text, evidence))
    });
    let remedy = Some(Remedy {
        text: "keep at least one ready pod during the update: maxUnavailable 0, maxSurge 1 or more"
            .to_owned(),
        patch: None,
    });
    let surety = if hits.iter().any(Hit::is_sure) { Surety::Proven } else { Surety::Likely };
    Behind { name: CauseName::Intended, surety, hits, signs, remedy }
}
