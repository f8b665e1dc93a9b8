//! Which network namespace belongs to a pod: that of a process in its cgroup.
//!
//! In: a container's cgroup directory and `/proc`. Out: [`Look`]. A container's init joins its cgroup before it enters its
//! namespace, so "the node's own" is an answer for the moment only, and callers ask again for a while.

use super::cgroup::scan;
use super::netns::Namespace;
use std::path::Path;

/// What the processes of a cgroup show.
#[derive(Debug)]
pub enum Look {
    /// No process yet, or none that may be looked at.
    Empty,
    /// Only processes in the node's namespace: too early, or a pod with `hostNetwork`.
    Host,
    /// The pod's own namespace.
    Own(Namespace),
}

/// Looks at the processes directly in `directory`, first come first. `host_inum` is the node's namespace.
pub fn look(directory: &Path, proc: &Path, host_inum: u32) -> Look {
    let mut look = Look::Empty;
    for pid in scan::processes(directory) {
        let path = proc.join(pid.to_string()).join("ns/net");
        match Namespace::open(&path) {
            Ok(namespace) if namespace.inum() != host_inum => return Look::Own(namespace),
            Ok(_) => look = Look::Host,
            Err(_) => {}
        }
    }
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shows_its_namespace_and_none_shows_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let proc = Path::new("/proc");
        let own = Namespace::current().unwrap().inum();
        assert!(matches!(look(directory.path(), proc, own), Look::Empty));
        let procs = directory.path().join("cgroup.procs");
        std::fs::write(&procs, format!("{}\n", std::process::id())).unwrap();
        assert!(matches!(look(directory.path(), proc, own), Look::Host));
        match look(directory.path(), proc, own.wrapping_add(1)) {
            Look::Own(namespace) => assert_eq!(namespace.inum(), own),
            other => panic!("unexpected {other:?}"),
        }
        std::fs::write(&procs, "4294967295\n").unwrap();
        assert!(matches!(look(directory.path(), proc, own), Look::Empty));
    }
}
