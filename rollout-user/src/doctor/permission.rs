//! Checks of what this process may do: capabilities, kernel symbols, pid namespace.
//!
//! In: `/proc`. Out: checks of area `permission`, each with what is lost without the right.

use super::{Area, Check, Status};
use std::path::Path;

const NET_ADMIN: u32 = 12;
const SYS_PTRACE: u32 = 19;
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// `PROC_PID_INIT_INO`: the inode of the initial pid namespace is the same on every kernel.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

struct Capability {
    name: &'static str,
    bit: u32,
    /// Held by CAP_SYS_ADMIN as well.
    of_admin: bool,
    missing: Status,
    purpose: &'static str,
}

const CAPABILITIES: [Capability; 5] = [
    Capability {
        name: "CAP_BPF",
        bit: BPF,
        of_admin: true,
        missing: Status::Fail,
        purpose: "loading programs",
    },
    Capability {
        name: "CAP_PERFMON",
        bit: PERFMON,
        of_admin: true,
        missing: Status::Fail,
        purpose: "attaching programs",
    },
    Capability {
        name: "CAP_NET_ADMIN",
        bit: NET_ADMIN,
        of_admin: false,
        missing: Status::Warn,
        purpose: "reading IPVS and conntrack",
    },
    Capability {
        name: "CAP_SYS_ADMIN",
        bit: SYS_ADMIN,
        of_admin: false,
        missing: Status::Warn,
        purpose: "reading listeners in pods' network namespaces, finding socket balancers",
    },
    Capability {
        name: "CAP_SYS_PTRACE",
        bit: SYS_PTRACE,
        of_admin: false,
        missing: Status::Warn,
        purpose: "finding pods' network namespaces and the node's cgroups",
    },
];

pub(super) fn checks(proc: &Path) -> Vec<Check> {
    let mut checks = capabilities(proc);
    checks.push(symbols(proc));
    checks.push(pid_namespace(proc));
    checks
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(Area::Permission, name, status, detail)
}

fn capabilities(proc: &Path) -> Vec<Check> {
    let status = std::fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    let Some(held) = effective(&status) else {
        return vec![check("capabilities", Status::Unknown, "cannot be read")];
    };
    CAPABILITIES.iter().map(|capability| judge(capability, held)).collect()
}

/// `CapEff` of `/proc/PID/status`.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn judge(capability: &Capability, held: u64) -> Check {
    let has = |bit: u32| held & (1 << bit) != 0;
    let name = capability.name;
    if has(capability.bit) {
        check(name, Status::Ok, "held")
    } else if capability.of_admin && has(SYS_ADMIN) {
        check(name, Status::Ok, "implied by CAP_SYS_ADMIN")
    } else {
        check(name, capability.missing, format!("missing: {} is not possible", capability.purpose))
            .remedy(format!("run as root, or add {name} to the container's `securityContext`"))
    }
}

/// Addresses are zeros without CAP_SYSLOG (`kernel.kptr_restrict`).
fn symbols(proc: &Path) -> Check {
    use std::io::BufRead as _;
    let name = "kernel symbols";
    let Ok(file) = std::fs::File::open(proc.join("kallsyms")) else {
        return check(name, Status::Unknown, "`kallsyms` cannot be read");
    };
    let lines = std::io::BufReader::new(file).lines().map_while(Result::ok);
    // The first symbols of a kernel may lie at 0 (per-CPU ones); not all of the first thousand do.
    let is_shown = lines.take(1000).any(|line| {
        line.split(' ').next().is_some_and(|address| address.bytes().any(|digit| digit != b'0'))
    });
    if is_shown {
        check(name, Status::Ok, "can be read")
    } else {
        check(name, Status::Warn, "hidden: where the kernel dropped a packet cannot be named")
            .remedy("add CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1")
    }
}

fn pid_namespace(proc: &Path) -> Check {
    let name = "pid namespace";
    match std::fs::read_link(proc.join("self/ns/pid")) {
        Ok(link) if link.as_os_str() == INITIAL_PID_NAMESPACE => {
            check(name, Status::Ok, "the node's own")
        }
        Ok(_) => {
            let detail = "not the node's own: pods' processes and kubelet may be invisible";
            check(name, Status::Warn, detail)
                .remedy("run on the node itself, or in a pod with `hostPID: true`")
        }
        Err(error) => check(name, Status::Unknown, format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(cap_eff: &str) -> Vec<Status> {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir(proc.path().join("self")).unwrap();
        let status = format!("Name:\tx\nCapEff:\t{cap_eff}\n");
        std::fs::write(proc.path().join("self/status"), status).unwrap();
        capabilities(proc.path()).iter().map(|check| check.status).collect()
    }

    #[test]
    fn root_has_all_and_nobody_has_none() {
        assert_eq!(statuses("000001ffffffffff"), [Status::Ok; 5]);
        use Status::{Fail, Warn};
        assert_eq!(statuses("0000000000000000"), [Fail, Fail, Warn, Warn, Warn]);
    }

    #[test]
    fn sys_admin_stands_for_bpf_and_perfmon_only() {
        use Status::{Ok, Warn};
        assert_eq!(statuses("0000000000200000"), [Ok, Ok, Warn, Ok, Warn]);
    }

    #[test]
    fn an_unreadable_status_is_unknown() {
        assert_eq!(statuses("nothing"), [Status::Unknown]);
    }

    #[test]
    fn hidden_symbols_are_zeros() {
        let status = |text: &str| {
            let proc = tempfile::tempdir().unwrap();
            std::fs::write(proc.path().join("kallsyms"), text).unwrap();
            symbols(proc.path()).status
        };
        assert_eq!(status("0000000000000000 T a\n0000000000000000 T b\n"), Status::Warn);
        assert_eq!(status("0000000000000000 A a\nffffffff81000000 T b\n"), Status::Ok);
        assert_eq!(symbols(Path::new("/no/such/proc")).status, Status::Unknown);
    }
}
