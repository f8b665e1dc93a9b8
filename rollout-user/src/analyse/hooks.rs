//! What could not be seen at all, and whether a clean verdict depends on it.
//!
//! In: the recording's statements about hooks and data path. Out: [`BlindSpot`]s by fact.

use super::facts::Facts;
use super::report::verdict::BlindSpot;
use crate::record::meta::DataPath;

/// Facts without which a failed or slowed connect could go unnoticed. Where another one is missing, the SYNs that it
/// would have explained become `unknown`, or a cell of a pod's row stays empty.
const ESSENTIAL: [&str; 5] =
    ["connect", "connect_call", "outcome", "reset_received", "syn_retransmit"];

/// Whether something is missed where `fact` is not seen: where Services are not balanced by IPVS, not seeing IPVS hides
/// nothing. `path`: the data path that was found, if it was looked for.
pub fn matters(fact: &str, path: Option<DataPath>) -> bool {
    let without_ipvs = path.is_some_and(|path| path != DataPath::Ipvs && path != DataPath::Unknown);
    !(without_ipvs && (fact.contains("ipvs") || fact == "no_destination"))
}

/// Lists facts without a hook, and those whose hook leaves something out.
pub(super) fn blind_spots(facts: &Facts) -> Vec<BlindSpot> {
    let path = facts.data_paths.last().map(|found| found.what.path);
    facts
        .hook_of_each_fact()
        .into_iter()
        .filter(|(fact, _)| matters(fact, path))
        .filter_map(|(fact, hook)| {
            let blind = match (&hook.attached, &hook.blind) {
                (_, Some(blind)) => blind.clone(),
                (None, None) => format!("`{fact}` is not seen"),
                (Some(_), None) => return None,
            };
            Some(BlindSpot {
                fact: fact.to_owned(),
                attached: hook.attached.clone(),
                blind,
                essential: hook.attached.is_none() && ESSENTIAL.contains(&fact),
            })
        })
        .collect()
}
