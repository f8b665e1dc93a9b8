//! Which cgroup hierarchy names pods on this node (F19).
//!
//! In: what is mounted at `/sys/fs/cgroup`. Out: the hierarchy whose ids events carry. User space that maps ids to
//! pods must walk the same one: ids of different hierarchies collide.

use rustix::fs::statfs;
use std::path::{Path, PathBuf};

const CGROUP2: i64 = 0x6367_7270;

/// A cgroup hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchy {
    /// The only one of cgroup v2.
    V2,
    /// A v1 controller: `memory`, else `pids`.
    V1(&'static str),
}

impl Hierarchy {
    /// Where it is mounted.
    pub fn root(&self) -> PathBuf {
        match self {
            Self::V2 => PathBuf::from("/sys/fs/cgroup"),
            Self::V1(controller) => Path::new("/sys/fs/cgroup").join(controller),
        }
    }
}

/// The hierarchy of this node: v2 where it is mounted at `/sys/fs/cgroup`; else, also beside a `unified` mount, the
/// v1 controller `memory` or `pids`, because that is where container runtimes put pods.
pub fn hierarchy() -> Hierarchy {
    let is_v2 = statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2);
    let v1 = ["memory", "pids"].into_iter().find(|controller| {
        Path::new("/sys/fs/cgroup").join(controller).join("cgroup.procs").exists()
    });
    match v1 {
        Some(controller) if !is_v2 => Hierarchy::V1(controller),
        _ => Hierarchy::V2,
    }
}
