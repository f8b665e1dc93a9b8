//! Signs of a data path, in namespaces of their own.

use crate::network::{namespace, nft, run};
use rollout::record::meta::DataPath;
use rollout::tables::data_path;
use rollout::tables::netns::Namespace;
use std::path::Path;

fn found(namespace: &Namespace) -> (DataPath, String) {
    let found = data_path::find(namespace, None, Path::new("/proc"));
    (found.path, found.evidence)
}

#[test]
fn a_fresh_namespace_has_none() {
    assert_eq!(found(&namespace()).0, DataPath::None);
}

#[test]
fn the_table_of_kube_proxy_in_nftables_mode_is_found() {
    let namespace = namespace();
    nft(&namespace, "table ip6 kube-proxy {}\ntable ip other {}\n");
    assert_eq!(found(&namespace), (DataPath::Nftables, "nftables table `kube-proxy`".into()));
}

#[test]
fn chains_of_services_are_found_and_those_of_ipvs_mode_are_not() {
    let namespace = namespace();
    nft(&namespace, "table ip nat {\n chain KUBE-SERVICES {}\n chain KUBE-POSTROUTING {}\n}\n");
    assert_eq!(found(&namespace).0, DataPath::None);
    nft(&namespace, "table ip nat {\n chain KUBE-SVC-A {}\n chain KUBE-SEP-B {}\n}\n");
    assert_eq!(found(&namespace), (DataPath::Iptables, "2 iptables chains of Services".into()));
}

#[test]
fn chains_of_the_older_iptables_are_found() {
    let namespace = namespace();
    let has_legacy = std::fs::read_to_string("/proc/net/ip_tables_names").is_ok();
    if !has_legacy {
        // This kernel cannot hold what would be looked for.
        return;
    }
    run(&namespace, "iptables-legacy -t nat -N KUBE-SVC-ABCDEFGHIJ");
    run(&namespace, "iptables-legacy -t nat -N KUBE-SERVICES");
    assert_eq!(found(&namespace), (DataPath::Iptables, "1 iptables chains of Services".into()));
}
