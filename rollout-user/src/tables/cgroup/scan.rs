//! Walks a cgroup hierarchy once.
//!
//! In: its top directory. Out: every directory in it as a [`Cgroup`], parents before children, sorted by path. What
//! vanishes during the walk is left out; what may not be read is counted.

use super::owner;
use crate::record::table::Cgroup;
use anyhow::{Context, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Result of a walk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// Every directory, the top one (path `/`) included.
    pub cgroups: Vec<Cgroup>,
    /// Directories whose contents could not be read.
    pub unreadable: u64,
}

/// Walks everything below `root`.
pub fn scan(root: &Path) -> Result<Scan> {
    let top = cgroup_at(root, root)
        .with_context(|| format!("cannot read the cgroup hierarchy `{}`", root.display()))?;
    let mut scan = Scan { cgroups: vec![top], unreadable: 0 };
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        match subdirectories(&directory) {
            Ok(below) => {
                scan.cgroups.extend(below.iter().filter_map(|path| cgroup_at(root, path).ok()));
                open.extend(below);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => scan.unreadable += 1,
        }
    }
    scan.cgroups.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(scan)
}

/// The directory `path` below `root` as a cgroup.
pub(super) fn cgroup_at(root: &Path, path: &Path) -> std::io::Result<Cgroup> {
    let id = std::fs::symlink_metadata(path)?.ino();
    let below = path.strip_prefix(root).unwrap_or(path);
    let path = format!("/{}", below.to_string_lossy());
    Ok(Cgroup { id, owner: owner(&path), path })
}

/// Where a [`Cgroup`] lies on disk.
pub fn directory(root: &Path, cgroup: &Cgroup) -> PathBuf {
    root.join(cgroup.path.trim_start_matches('/'))
}

pub(super) fn subdirectories(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Processes directly in the directory; empty if it vanished or cannot be listed (a threaded cgroup).
pub fn processes(directory: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process outside the reader's pid namespace.
    text.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| *pid != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::table::CgroupOwner;

    #[test]
    fn ids_are_inodes_and_parents_come_first() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join("kubepods/pod0123456789abcdef0123456789abcdef");
        std::fs::create_dir_all(&pod).unwrap();
        std::fs::write(pod.join("cgroup.procs"), "7\n0\n9\n").unwrap();
        let scan = scan(root.path()).unwrap();
        let paths: Vec<_> = scan.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
        assert_eq!(paths, ["/", "/kubepods", "/kubepods/pod0123456789abcdef0123456789abcdef"]);
        let last = scan.cgroups.last().unwrap();
        assert_eq!(last.id, std::fs::metadata(&pod).unwrap().ino());
        assert!(matches!(last.owner, CgroupOwner::Pod { .. }));
        assert_eq!(processes(&directory(root.path(), last)), [7, 9]);
    }

    #[test]
    fn a_missing_hierarchy_is_an_error() {
        assert!(scan(Path::new("/no/such/cgroup")).is_err());
    }
}
