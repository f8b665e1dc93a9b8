//! Checks of this node: cgroups, kubelet, data path, conntrack, bridge, clock.
//!
//! In: `/proc`, the node's network namespace. Out: checks of area `node`.

use super::{Area, Check, Options, Status};
use crate::record::meta::{DataPath, DataPathFound};
use crate::record::table::ConntrackStats;
use crate::record::table::{CgroupOwner, KubeletProcess};
use crate::tables::cgroup::hierarchy::{self, Hierarchy, Version};
use crate::tables::cgroup::kubelet;
use crate::tables::cgroup::scan::{self, Scan};
use crate::tables::conntrack::settings::{self, Settings};
use crate::tables::conntrack::stats;
use crate::tables::netns::Namespace;
use crate::tables::{data_path, host};
use anyhow::Result;
use std::collections::BTreeSet;

/// What was found.
pub(super) struct Node {
    hierarchy: Result<(Hierarchy, Scan)>,
    kubelets: Vec<KubeletProcess>,
    data_path: DataPathFound,
    conntrack: Settings,
    /// `None`: conntrack is not loaded.
    table: Result<Option<ConntrackStats>>,
    /// `bridge-nf-call-iptables`; `None`: no bridge filtering in this kernel.
    bridge_filter: Option<bool>,
}

impl Node {
    pub(super) fn look(options: &Options, namespace: Result<Namespace>) -> Self {
        let proc = &options.proc;
        let hierarchy = hierarchy::find(proc)
            .and_then(|hierarchy| scan::scan(&hierarchy.root).map(|scan| (hierarchy, scan)));
        let top = match &hierarchy {
            Ok((found, _)) if found.version == Version::V2 => Some(found.root.as_path()),
            _ => None,
        };
        let namespace = namespace.or_else(|_| Namespace::current());
        let data_path = match &namespace {
            Ok(namespace) => data_path::find(namespace, top, proc),
            Err(error) => DataPathFound { path: DataPath::Unknown, evidence: format!("{error:#}") },
        };
        let bridge = proc.join("sys/net/bridge/bridge-nf-call-iptables");
        Self {
            data_path,
            table: namespace.and_then(|namespace| stats::read(&namespace)),
            hierarchy,
            kubelets: kubelet::processes(proc),
            conntrack: settings::read(proc),
            bridge_filter: std::fs::read_to_string(bridge).ok().map(|text| text.trim() == "1"),
        }
    }

    /// Whether what IPVS does matters here, or might.
    pub(super) fn needs_ipvs(&self) -> bool {
        matches!(self.data_path.path, DataPath::Ipvs | DataPath::Unknown)
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.cgroups(), self.kubelet(), self.data_path(), self.conntrack()];
        checks.push(self.table());
        checks.extend(self.bridge());
        checks.push(clock());
        checks
    }

    fn cgroups(&self) -> Check {
        let name = "cgroups";
        let (hierarchy, scan) = match &self.hierarchy {
            Ok(found) => found,
            Err(error) => {
                let detail = format!("{error:#}; sockets cannot be traced back to pods");
                return check(name, Status::Warn, detail).remedy("mount the cgroup hierarchy");
            }
        };
        let found = format!("{}, {}", hierarchy.version, layout(scan));
        if !hierarchy.of_node {
            let detail = format!("{found}; only this process's own view, which may be a part");
            return check(name, Status::Warn, detail)
                .remedy("run where /proc/1 can be read: as root in the node's pid namespace, and not in a sandbox that hides it");
        }
        match scan.unreadable {
            0 => check(name, Status::Ok, found),
            count => {
                check(name, Status::Warn, format!("{found}; {count} directories are unreadable"))
            }
        }
    }

    fn kubelet(&self) -> Check {
        let name = "kubelet";
        if self.kubelets.is_empty() {
            return check(name, Status::Warn, "not found: its probes cannot be told from users")
                .remedy("run on a node that runs kubelet, as root in its pid namespace");
        }
        let pids: Vec<String> =
            self.kubelets.iter().map(|process| process.pid.to_string()).collect();
        check(name, Status::Ok, format!("pid {}", pids.join(", ")))
    }

    fn data_path(&self) -> Check {
        let name = "data path";
        let evidence = &self.data_path.evidence;
        match self.data_path.path {
            DataPath::Ipvs => check(name, Status::Ok, format!("IPVS ({evidence})")),
            DataPath::Iptables => check(name, Status::Ok, format!("iptables ({evidence})")),
            DataPath::Nftables => check(name, Status::Ok, format!("nftables ({evidence})")),
            DataPath::SocketLb => {
                let detail = format!("socket load balancer ({evidence}): backends are not seen");
                check(name, Status::Warn, detail)
            }
            DataPath::None => {
                let detail =
                    format!("none ({evidence}): connections to Services cannot be followed");
                check(name, Status::Warn, detail)
            }
            DataPath::Unknown => check(name, Status::Unknown, evidence)
                .remedy("run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN"),
        }
    }

    /// Netfilter's choices are seen in no other way; IPVS's are cross-checked.
    fn conntrack(&self) -> Check {
        let name = "conntrack events";
        let by_netfilter = matches!(self.data_path.path, DataPath::Iptables | DataPath::Nftables);
        match (self.conntrack.events, by_netfilter) {
            (Some(0), true) => {
                check(name, Status::Warn, "switched off: which backend was chosen is not seen")
                    .remedy("sysctl -w net.netfilter.nf_conntrack_events=1")
            }
            (Some(0), false) => check(name, Status::Ok, "switched off; not needed here"),
            (None, true) => {
                check(name, Status::Warn, "no conntrack: which backend was chosen is not seen")
                    .remedy("load nf_conntrack_netlink")
            }
            (None, false) => check(name, Status::Ok, "no conntrack; not needed here"),
            (Some(_), _) => check(name, Status::Ok, format!("switched on, {}", self.timestamps())),
        }
    }

    /// A full table drops new connections in silence.
    fn table(&self) -> Check {
        let name = "conntrack table";
        match &self.table {
            Ok(Some(table)) if table.max > 0 && table.count >= table.max => {
                let detail = format!("full: {} of {} entries", table.count, table.max);
                check(name, Status::Warn, detail).remedy("raise net.netfilter.nf_conntrack_max")
            }
            Ok(Some(table)) => {
                check(name, Status::Ok, format!("{} of {} entries", table.count, table.max))
            }
            Ok(None) => check(name, Status::Ok, "no conntrack"),
            Err(error) => {
                let detail = format!("{error:#}; whether it is full is not seen");
                check(name, Status::Warn, detail).remedy("run as root, or with CAP_SYS_ADMIN")
            }
        }
    }

    fn timestamps(&self) -> &'static str {
        match self.conntrack.timestamp {
            Some(1) => "with the kernel's times where it passes them (Linux 6.14)",
            _ => "with the time of their arrival",
        }
    }

    /// Without it, answers between two pods of one bridge go past the translation (F26).
    fn bridge(&self) -> Option<Check> {
        let name = "bridge-nf-call-iptables";
        let matters = matches!(self.data_path.path, DataPath::Ipvs | DataPath::Iptables);
        match self.bridge_filter.filter(|_| matters)? {
            true => Some(check(name, Status::Ok, "1")),
            false => {
                let detail = "0: on a bridge network, answers between pods of this node are lost";
                Some(
                    check(name, Status::Warn, detail)
                        .remedy("sysctl -w net.bridge.bridge-nf-call-iptables=1"),
                )
            }
        }
    }
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(Area::Node, name, status, detail)
}

fn layout(scan: &Scan) -> String {
    let mut pods = BTreeSet::new();
    let mut systemd = false;
    for cgroup in &scan.cgroups {
        if let CgroupOwner::Pod { uid, .. } = &cgroup.owner {
            pods.insert(uid);
            systemd |= cgroup.path.contains(".slice");
        }
    }
    match (pods.len(), systemd) {
        (0, _) => "no pods".to_owned(),
        (count, true) => format!("systemd layout, {count} pods"),
        (count, false) => format!("cgroupfs layout, {count} pods"),
    }
}

fn clock() -> Check {
    let (_, pair) = host::clock();
    let error = pair.error_ns.div_ceil(1000);
    check("clock", Status::Ok, format!("wall clock readable to {error} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::table::Cgroup;

    fn node(path: DataPath) -> Node {
        Node {
            hierarchy: Err(anyhow::anyhow!("none is mounted")),
            kubelets: Vec::new(),
            data_path: DataPathFound { path, evidence: "sign".into() },
            conntrack: Settings::default(),
            table: Ok(None),
            bridge_filter: None,
        }
    }

    #[test]
    fn each_data_path_is_named_and_what_is_not_covered_is_a_limit() {
        use Status::{Ok, Unknown, Warn};
        for (path, status) in [
            (DataPath::Ipvs, Ok),
            (DataPath::Iptables, Ok),
            (DataPath::Nftables, Ok),
            (DataPath::SocketLb, Warn),
            (DataPath::None, Warn),
            (DataPath::Unknown, Unknown),
        ] {
            let made = node(path).data_path();
            assert_eq!(made.status, status, "{path:?}");
            assert!(made.detail.contains("sign"), "{}", made.detail);
        }
    }

    #[test]
    fn switched_off_events_matter_where_netfilter_balances() {
        let with = |path, events| Node {
            conntrack: Settings { events, ..Settings::default() },
            ..node(path)
        };
        let off = with(DataPath::Nftables, Some(0)).conntrack();
        assert_eq!(off.status, Status::Warn);
        assert!(off.remedy.is_some_and(|remedy| remedy.contains("nf_conntrack_events=1")));
        assert_eq!(with(DataPath::Nftables, Some(2)).conntrack().status, Status::Ok);
        assert_eq!(with(DataPath::Iptables, None).conntrack().status, Status::Warn);
        assert_eq!(with(DataPath::Ipvs, Some(0)).conntrack().status, Status::Ok);
    }

    #[test]
    fn a_full_or_unreadable_table_is_a_limit() {
        let with = |table| Node { table, ..node(DataPath::Ipvs) }.table();
        let at = |count| Ok(Some(ConntrackStats { count, max: 9, ..ConntrackStats::default() }));
        assert_eq!(with(at(8)).status, Status::Ok);
        let endless = ConntrackStats { count: 9, ..ConntrackStats::default() };
        assert_eq!(with(Ok(Some(endless))).status, Status::Ok, "0 is no limit");
        let full = with(at(9));
        assert_eq!(full.status, Status::Warn);
        assert!(full.remedy.is_some_and(|remedy| remedy.contains("nf_conntrack_max")));
        assert_eq!(with(Err(anyhow::anyhow!("denied"))).status, Status::Warn);
        assert_eq!(with(Ok(None)).status, Status::Ok);
    }

    #[test]
    fn f26_unfiltered_bridges_are_a_limit_for_ipvs() {
        let with = |path, bridge_filter| Node { bridge_filter, ..node(path) }.bridge();
        assert_eq!(with(DataPath::Ipvs, Some(false)).map(|made| made.status), Some(Status::Warn));
        assert_eq!(with(DataPath::Ipvs, Some(true)).map(|made| made.status), Some(Status::Ok));
        assert_eq!(with(DataPath::Ipvs, None), None);
        assert_eq!(with(DataPath::Nftables, Some(false)), None);
    }

    #[test]
    fn layouts_are_told_apart_and_pods_counted_once() {
        let scan = |paths: &[&str]| Scan {
            cgroups: paths
                .iter()
                .map(|path| Cgroup {
                    id: 1,
                    path: (*path).into(),
                    owner: crate::tables::cgroup::owner(path),
                })
                .collect(),
            unreadable: 0,
        };
        let hash = "0123456789abcdef0123456789abcdef";
        assert_eq!(layout(&scan(&["/"])), "no pods");
        let cgroupfs = format!("/kubepods/pod{hash}");
        assert_eq!(
            layout(&scan(&[&cgroupfs, &format!("{cgroupfs}/{hash}{hash}")])),
            "cgroupfs layout, 1 pods"
        );
        let slice = format!("/kubepods.slice/kubepods-pod{hash}.slice");
        assert_eq!(layout(&scan(&[&slice])), "systemd layout, 1 pods");
    }
}
