//! How this node balances Services, and by what sign that shows.
//!
//! In: a network namespace, the cgroup hierarchy, `/proc`. Out: [`DataPathFound`]. [`netfilter`] and [`socket_lb`] read
//! the signs, IPVS has a reader of its own; the decision in [`decide`] is pure.

pub mod netfilter;
pub mod socket_lb;

use super::cgroup::hierarchy;
use super::ipvs;
use super::netns::Namespace;
use crate::record::meta::{DataPath, DataPathFound};
use std::path::Path;

/// What was seen; `Err` holds why a place could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    /// Names of the cgroup BPF programs at `connect`, of the hierarchy's top.
    pub connect_programs: Result<Vec<String>, String>,
    /// TCP services in the IPVS table; `None`: the kernel has no IPVS.
    pub ipvs_services: Result<Option<usize>, String>,
    /// A table `kube-proxy` in nftables.
    pub nftables: Result<bool, String>,
    /// Chains `KUBE-SVC-…` and `KUBE-SEP-…` in a `nat` table: one for each Service and endpoint of iptables mode.
    pub iptables_chains: Result<usize, String>,
}

/// Looks at the node: its network namespace, the top of its cgroup v2 hierarchy (`None`: where it is mounted, if
/// anywhere, also beside cgroup v1), and `/proc`.
pub fn find(namespace: &Namespace, cgroup_v2: Option<&Path>, proc: &Path) -> DataPathFound {
    let top = cgroup_v2.map(Path::to_owned).or_else(|| hierarchy::unified(proc));
    decide(&Signs {
        connect_programs: top.map_or(Ok(Vec::new()), |top| socket_lb::programs(&top).map_err(text)),
        ipvs_services: ipvs::read(namespace)
            .map(|table| table.map(|table| table.services.len()))
            .map_err(text),
        nftables: netfilter::has_kube_proxy_table(namespace).map_err(text),
        iptables_chains: netfilter::kube_chains(namespace, proc).map_err(text),
    })
}

fn text(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// Socket balancing comes first because it acts before a packet exists; then the modes of kube-proxy. Each mode removes
/// the others' rules when it starts, so that more than one sign is rare; it is then named in the evidence.
pub fn decide(signs: &Signs) -> DataPathFound {
    let programs = signs.connect_programs.as_deref().unwrap_or_default();
    let balancers: Vec<&str> =
        programs.iter().filter(|name| socket_lb::is_balancer(name)).map(String::as_str).collect();
    let services = signs.ipvs_services.as_ref().ok().copied().flatten().unwrap_or(0);
    let chains = signs.iptables_chains.as_ref().ok().copied().unwrap_or(0);

    let mut found = Vec::new();
    if !balancers.is_empty() {
        let names = balancers.join("`, `");
        found.push((DataPath::SocketLb, format!("cgroup connect programs `{names}`: not covered")));
    }
    if signs.nftables == Ok(true) {
        found.push((DataPath::Nftables, "nftables table `kube-proxy`".to_owned()));
    }
    if chains > 0 {
        found.push((DataPath::Iptables, format!("{chains} iptables chains of Services")));
    }
    if services > 0 {
        found.push((DataPath::Ipvs, format!("{services} IPVS services")));
    }
    let unread = unread(signs);
    let Some((path, first)) = found.first() else {
        let (path, evidence) = match unread.is_empty() {
            true => (DataPath::None, "no IPVS services, no rules of kube-proxy".to_owned()),
            false => (DataPath::Unknown, unread.join("; ")),
        };
        return DataPathFound { path, evidence };
    };
    let mut evidence = first.clone();
    for (_, other) in found.iter().skip(1) {
        evidence.push_str(&format!("; also {other}"));
    }
    if balancers.is_empty() && !programs.is_empty() {
        let names = programs.join("`, `");
        evidence.push_str(&format!("; also cgroup connect programs `{names}`"));
    }
    DataPathFound { path: *path, evidence }
}

/// Each reason once: one missing right hides several signs.
fn unread(signs: &Signs) -> Vec<String> {
    let mut reasons: Vec<String> = [
        signs.connect_programs.as_ref().err(),
        signs.ipvs_services.as_ref().err(),
        signs.nftables.as_ref().err(),
        signs.iptables_chains.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect();
    reasons.dedup();
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Signs {
        Signs {
            connect_programs: Ok(Vec::new()),
            ipvs_services: Ok(None),
            nftables: Ok(false),
            iptables_chains: Ok(0),
        }
    }

    #[test]
    fn each_sign_alone_decides() {
        assert_eq!(decide(&nothing()).path, DataPath::None);
        let ipvs = decide(&Signs { ipvs_services: Ok(Some(7)), ..nothing() });
        assert_eq!((ipvs.path, ipvs.evidence.as_str()), (DataPath::Ipvs, "7 IPVS services"));
        assert_eq!(decide(&Signs { nftables: Ok(true), ..nothing() }).path, DataPath::Nftables);
        assert_eq!(decide(&Signs { iptables_chains: Ok(3), ..nothing() }).path, DataPath::Iptables);
        let programs = Ok(vec!["cil_sock4_connect".to_owned()]);
        let cilium = decide(&Signs { connect_programs: programs, ..nothing() });
        assert_eq!(cilium.path, DataPath::SocketLb);
    }

    #[test]
    fn an_empty_ipvs_table_is_no_data_path() {
        assert_eq!(decide(&Signs { ipvs_services: Ok(Some(0)), ..nothing() }).path, DataPath::None);
    }

    #[test]
    fn a_foreign_connect_program_is_named_and_does_not_decide() {
        let programs = Ok(vec!["audit_connect".to_owned()]);
        let found =
            decide(&Signs { connect_programs: programs, ipvs_services: Ok(Some(1)), ..nothing() });
        assert_eq!(found.path, DataPath::Ipvs);
        assert!(found.evidence.contains("`audit_connect`"), "{}", found.evidence);
    }

    #[test]
    fn two_signs_are_both_named() {
        let found = decide(&Signs { nftables: Ok(true), ipvs_services: Ok(Some(2)), ..nothing() });
        assert_eq!(found.evidence, "nftables table `kube-proxy`; also 2 IPVS services");
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_never_none() {
        let found = decide(&Signs { nftables: Err("operation not permitted".into()), ..nothing() });
        assert_eq!(found.path, DataPath::Unknown);
        assert_eq!(found.evidence, "operation not permitted");
    }
}
