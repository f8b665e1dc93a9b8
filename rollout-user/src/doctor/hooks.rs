//! Checks of the hooks: which fact is served by what, and what is blind.
//!
//! In: what attaching them showed. Out: checks of area `hooks`, one for each fact.

use super::{Area, Check, Status};
use crate::record::meta::{Hook, Hooks};

/// Facts without which there is nothing to trace.
const ESSENTIAL: [&str; 2] = ["connect", "outcome"];
/// Facts that exist only where IPVS balances.
const OF_IPVS: [&str; 4] = ["ipvs_choice", "ipvs_destination", "ipvs_service", "no_destination"];

/// What attaching the hooks showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Tried {
    /// They were tried; some may be missing.
    Attached(Hooks),
    /// Nothing could be loaded.
    Failed {
        /// The error.
        error: String,
        /// Its remedy, if it had one.
        hint: Option<String>,
    },
    /// They were not tried.
    No {
        /// Why.
        reason: String,
    },
}

pub(super) fn checks(tried: &Tried, needs_ipvs: bool) -> Vec<Check> {
    match tried {
        Tried::Attached(hooks) if hooks.facts.is_empty() => {
            vec![check("hooks", Status::Fail, "none is known to this build")]
        }
        Tried::Attached(hooks) => {
            hooks.facts.iter().map(|(fact, hook)| judge(fact, hook, needs_ipvs)).collect()
        }
        Tried::Failed { error, hint } => {
            let mut failed = check("hooks", Status::Fail, error);
            failed.remedy.clone_from(hint);
            vec![failed]
        }
        Tried::No { reason } => vec![check("hooks", Status::Unknown, reason)],
    }
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(Area::Hooks, name, status, detail)
}

fn judge(fact: &str, hook: &Hook, needs_ipvs: bool) -> Check {
    let refused = match hook.refused.as_slice() {
        [] => String::new(),
        all => format!(" (refused: {})", all.join("; ")),
    };
    let blind = hook.blind.as_deref();
    match (&hook.attached, blind) {
        (None, _) if OF_IPVS.contains(&fact) && !needs_ipvs => {
            check(fact, Status::Ok, "not needed: IPVS does not balance here")
        }
        (None, blind) => {
            let status = if ESSENTIAL.contains(&fact) { Status::Fail } else { Status::Warn };
            let blind = blind.unwrap_or("not seen");
            let made = check(fact, status, format!("no hook: {blind}{refused}"));
            if may_be_permission(&hook.refused) {
                made.remedy("run as root, or with CAP_BPF and CAP_PERFMON")
            } else {
                made
            }
        }
        (Some(attached), Some(blind)) => {
            check(fact, Status::Warn, format!("{attached}: {blind}{refused}"))
        }
        (Some(attached), None) => check(fact, Status::Ok, format!("{attached}{refused}")),
    }
}

fn may_be_permission(refused: &[String]) -> bool {
    refused.iter().any(|reason| {
        let reason = reason.to_lowercase();
        reason.contains("permission denied") || reason.contains("not permitted")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(attached: Option<&str>, refused: &[&str], blind: Option<&str>) -> Hook {
        Hook {
            attached: attached.map(str::to_owned),
            refused: refused.iter().map(|reason| (*reason).to_owned()).collect(),
            blind: blind.map(str::to_owned),
        }
    }

    #[test]
    fn a_lower_rung_is_fine_unless_it_is_blind() {
        let lower = hook(Some("kprobe tcp_connect"), &["fentry tcp_connect: EPERM"], None);
        let made = judge("connect", &lower, false);
        assert_eq!(made.status, Status::Ok);
        assert_eq!(made.detail, "kprobe tcp_connect (refused: fentry tcp_connect: EPERM)");
        let blind = hook(Some("raw tracepoint"), &[], Some("the port comes late"));
        assert_eq!(judge("connect", &blind, false).status, Status::Warn);
    }

    #[test]
    fn a_missing_hook_is_fatal_only_for_what_everything_rests_on() {
        let missing = hook(None, &["kprobe: Permission denied"], Some("RSTs are not seen"));
        let made = judge("reset_sent", &missing, false);
        assert_eq!(made.status, Status::Warn);
        assert!(made.detail.contains("RSTs are not seen"));
        assert!(made.remedy.is_some_and(|remedy| remedy.contains("CAP_BPF")));
        assert_eq!(judge("outcome", &missing, false).status, Status::Fail);
    }

    #[test]
    fn hooks_of_ipvs_matter_only_where_it_balances() {
        let missing = hook(None, &[], Some("polling only"));
        assert_eq!(judge("ipvs_destination", &missing, false).status, Status::Ok);
        assert_eq!(judge("ipvs_destination", &missing, true).status, Status::Warn);
    }

    #[test]
    fn a_build_without_probes_is_unknown_and_a_failed_load_fatal() {
        let no = Tried::No { reason: "this build has no probes".into() };
        assert_eq!(checks(&no, false)[0].status, Status::Unknown);
        let failed = Tried::Failed { error: "no BTF".into(), hint: Some("mount /sys".into()) };
        let made = checks(&failed, false);
        assert_eq!((made[0].status, made[0].remedy.as_deref()), (Status::Fail, Some("mount /sys")));
    }
}
