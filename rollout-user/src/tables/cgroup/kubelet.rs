//! Which process is kubelet, and does it have a cgroup to itself (F25).
//!
//! In: `/proc`, and a cgroup hierarchy. Out: [`KubeletProcess`]es and at most one [`Cgroup`] with owner `Kubelet`. The
//! name alone does not make a kubelet: its executable, or the command that a combined binary was called with, must agree,
//! and a process inside a pod never counts.

use super::scan::{self, Scan};
use crate::record::table::{Cgroup, CgroupOwner, KubeletProcess};
use std::collections::BTreeSet;
use std::path::Path;

/// Binaries that run kubelet inside themselves: executable, and how their `comm` begins.
const COMBINED: [(&str, &str); 2] = [("k3s", "k3s-"), ("kubelite", "kubelite")];
/// How far up a helper of kubelet (`mount`, `iptables`) looks for its parent.
const GENERATIONS: usize = 8;

/// Finds kubelet's processes, smallest pid first. `proc` is normally `/proc`; processes that may not be looked at do not
/// count. Processes in a pod's cgroup are left out.
pub fn processes(proc: &Path) -> Vec<KubeletProcess> {
    let Ok(entries) = std::fs::read_dir(proc) else { return Vec::new() };
    let mut found: Vec<KubeletProcess> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| kubelet(proc, pid))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Process `pid`, if it is a kubelet.
pub fn kubelet(proc: &Path, pid: u32) -> Option<KubeletProcess> {
    let directory = proc.join(pid.to_string());
    let comm = std::fs::read_to_string(directory.join("comm")).ok()?.trim_end().to_owned();
    // Only few processes pass here, so that the rest costs one short read each.
    let combined = COMBINED.iter().find(|(_, start)| comm.starts_with(start));
    let exe = std::fs::read_link(directory.join("exe")).ok();
    let exe = exe.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    let exe = exe.map(|name| name.trim_end_matches(" (deleted)"));
    let is_kubelet = match combined {
        Some((binary, _)) => exe == Some(binary),
        None => exe == Some("kubelet") || is_called_kubelet(&directory),
    };
    (is_kubelet && !in_pod(&directory)).then_some(KubeletProcess { pid, comm })
}

/// A binary of many commands (`hyperkube kubelet …`, or by its own name): the first two arguments, never just `comm`,
/// which every process may set.
fn is_called_kubelet(directory: &Path) -> bool {
    let line = std::fs::read(directory.join("cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0).take(2);
    let name = arguments.next().and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    let is_shell = matches!(name, Some(b"sh" | b"bash" | b"dash" | b"busybox" | b"sudo" | b"env"));
    name == Some(b"kubelet") || (!is_shell && arguments.next() == Some(b"kubelet"))
}

fn in_pod(directory: &Path) -> bool {
    let text = std::fs::read_to_string(directory.join("cgroup")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| matches!(super::owner(path), CgroupOwner::Pod { .. }))
}

/// The cgroup in which only kubelet and its own children live. `None`: it shares one, or none was found.
pub fn own_cgroup(
    proc: &Path,
    root: &Path,
    scan: &Scan,
    kubelets: &[KubeletProcess],
) -> Option<Cgroup> {
    let pids: BTreeSet<u32> = kubelets.iter().map(|process| process.pid).collect();
    let candidates = scan.cgroups.iter().filter(|cgroup| {
        cgroup.path != "/"
            && matches!(cgroup.owner, CgroupOwner::Host | CgroupOwner::Container { .. })
    });
    for cgroup in candidates {
        let inside = scan::processes(&scan::directory(root, cgroup));
        if inside.iter().any(|pid| pids.contains(pid)) {
            let alone = inside.iter().all(|pid| descends_from(proc, *pid, &pids));
            return alone.then(|| Cgroup { owner: CgroupOwner::Kubelet, ..cgroup.clone() });
        }
    }
    None
}

fn descends_from(proc: &Path, pid: u32, ancestors: &BTreeSet<u32>) -> bool {
    let mut pid = pid;
    for _ in 0..GENERATIONS {
        if ancestors.contains(&pid) {
            return true;
        }
        match parent(proc, pid) {
            Some(parent) if parent > 1 => pid = parent,
            _ => return false,
        }
    }
    false
}

/// `PPid` of `/proc/PID/status`.
fn parent(proc: &Path, pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(proc.join(pid.to_string()).join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn process(
        proc: &Path,
        pid: u32,
        comm: &str,
        exe: &str,
        cmdline: &str,
        cgroup: &str,
        ppid: u32,
    ) {
        let directory = proc.join(pid.to_string());
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("comm"), format!("{comm}\n")).unwrap();
        std::fs::write(directory.join("cmdline"), cmdline.replace(' ', "\0")).unwrap();
        std::fs::write(directory.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        std::fs::write(directory.join("status"), format!("PPid:\t{ppid}\n")).unwrap();
        symlink(exe, directory.join("exe")).unwrap();
    }

    fn pids(proc: &Path) -> Vec<u32> {
        processes(proc).iter().map(|process| process.pid).collect()
    }

    const SERVICE: &str = "/system.slice/kubelet.service";

    #[test]
    fn f25_kubelet_is_found_by_its_executable_or_its_command_and_never_by_comm_alone() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        process(proc, 10, "kubelet", "/usr/bin/kubelet", "/usr/bin/kubelet --v=2", SERVICE, 1);
        process(proc, 11, "lab", "/opt/lab", "/opt/lab kubelet --v=2", SERVICE, 1);
        process(proc, 12, "k3s-server", "/usr/bin/k3s", "/usr/bin/k3s server", SERVICE, 1);
        process(proc, 13, "kubelet", "/opt/lab", "kubelet --v=2", SERVICE, 1);
        process(proc, 20, "kubelet", "/usr/bin/curl", "curl http://serv", "/user.slice", 1);
        process(proc, 21, "grep", "/usr/bin/grep", "grep -r kubelet", "/user.slice", 1);
        process(proc, 22, "bash", "/usr/bin/bash", "bash kubelet", "/user.slice", 1);
        let pod = "/kubepods/pod0123456789abcdef0123456789abcdef";
        process(proc, 23, "kubelet", "/usr/bin/kubelet", "kubelet", pod, 1);
        assert_eq!(pids(proc), [10, 11, 12, 13]);
    }

    #[test]
    fn a_cgroup_is_kubelets_only_if_nothing_else_lives_in_it() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        process(proc, 10, "kubelet", "/usr/bin/kubelet", "kubelet", SERVICE, 1);
        process(proc, 15, "mount", "/usr/bin/mount", "mount", SERVICE, 10);
        process(proc, 16, "sshd", "/usr/sbin/sshd", "sshd", SERVICE, 1);
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("system.slice/kubelet.service");
        std::fs::create_dir_all(&directory).unwrap();
        let found = |inside: &str| {
            std::fs::write(directory.join("cgroup.procs"), inside).unwrap();
            let scan = scan::scan(root.path()).unwrap();
            own_cgroup(proc, root.path(), &scan, &processes(proc))
        };
        let own = found("10\n15\n").unwrap();
        assert_eq!((own.path.as_str(), own.owner), (SERVICE, CgroupOwner::Kubelet));
        assert_eq!(found("10\n16\n"), None);
        assert_eq!(found(""), None);
    }
}
