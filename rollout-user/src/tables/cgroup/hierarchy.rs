//! Where the node's cgroup hierarchy can be seen from here, and which of them names pods.
//!
//! In: `mountinfo` of pid 1, or of this process where that is not allowed. Out: [`Hierarchy`]. A container sees the
//! node's mounts through `/proc/1/root`, whatever its own mount and cgroup namespaces are.

use anyhow::{Result, bail};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Controllers of cgroup v1 by which kubelet makes a directory for each pod, in the order in which `probe` prefers them:
/// both sides must use the same.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// Which kind of hierarchy names pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// The one hierarchy of cgroup v2.
    V2,
    /// A controller of cgroup v1, also where an empty v2 hierarchy is mounted beside it ("hybrid").
    V1 {
        /// The controller, as `/proc/cgroups` names it. Ids from another controller do not compare.
        controller: String,
    },
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V2 => f.write_str("v2"),
            Self::V1 { controller } => write!(f, "v1, controller `{controller}`"),
        }
    }
}

/// A hierarchy and the directory at which it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hierarchy {
    /// Its kind.
    pub version: Version,
    /// Its top directory as seen from this process.
    pub root: PathBuf,
    /// Whether `root` is the node's own mount, seen through pid 1; else it is that of this process, and a container's
    /// may show only a part.
    pub of_node: bool,
}

/// Finds the hierarchy that names pods. `proc` is normally `/proc`.
pub fn find(proc: &Path) -> Result<Hierarchy> {
    match first(proc, choose) {
        Some((of_node, root, version)) => Ok(Hierarchy { version, root, of_node }),
        None => bail!("no cgroup hierarchy is mounted where it can be read"),
    }
}

/// Top of the v2 hierarchy, also where it names no pods: BPF programs attach there.
pub fn unified(proc: &Path) -> Option<PathBuf> {
    first(proc, |mounts| Some((Version::V2, unified_mount(mounts)?))).map(|(_, root, _)| root)
}

/// What `choose` finds among the node's mounts, seen through pid 1, else among those of this process.
fn first(
    proc: &Path,
    choose: impl Fn(&[Mount]) -> Option<(Version, PathBuf)>,
) -> Option<(bool, PathBuf, Version)> {
    for (of_node, process) in [(true, "1"), (false, "self")] {
        let process = proc.join(process);
        let Ok(text) = std::fs::read_to_string(process.join("mountinfo")) else { continue };
        let mounts: Vec<Mount> = text.lines().filter_map(mount).collect();
        let Some((version, point)) = choose(&mounts) else { continue };
        let below_root = point.strip_prefix("/").unwrap_or(&point);
        let root = if of_node { process.join("root").join(below_root) } else { point };
        if root.join("cgroup.procs").exists() {
            return Some((of_node, root, version));
        }
    }
    None
}

/// cgroup v1 wins where its controllers are mounted: then kubelet uses them, and v2 beside it may be empty.
fn choose(mounts: &[Mount]) -> Option<(Version, PathBuf)> {
    for controller in CONTROLLERS {
        let has = |mount: &&Mount| {
            mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
        };
        if let Some(mount) = outermost(mounts.iter().filter(has)) {
            let version = Version::V1 { controller: controller.to_owned() };
            return Some((version, mount.point.clone()));
        }
    }
    Some((Version::V2, unified_mount(mounts)?))
}

fn unified_mount(mounts: &[Mount]) -> Option<PathBuf> {
    let mount = outermost(mounts.iter().filter(|mount| mount.kind == "cgroup2"))?;
    Some(mount.point.clone())
}

/// The mount with the shortest path: others are copies for containers or for a network plugin.
fn outermost<'a>(mounts: impl Iterator<Item = &'a Mount>) -> Option<&'a Mount> {
    mounts.min_by_key(|mount| mount.point.as_os_str().len())
}

struct Mount {
    point: PathBuf,
    kind: String,
    /// Options of the superblock: on cgroup v1 its controllers.
    options: String,
}

/// One line of `mountinfo` (`proc_pid_mountinfo(5)`): the mount point is field 5; type and options follow a lone dash.
fn mount(line: &str) -> Option<Mount> {
    let (fields, rest) = line.split_once(" - ")?;
    let point = fields.split(' ').nth(4)?;
    let mut rest = rest.split(' ');
    let kind = rest.next()?.to_owned();
    let options = rest.nth(1).unwrap_or_default().to_owned();
    Some(Mount { point: unescaped(point), kind, options })
}

/// Blank, tab, newline and backslash are written in octal.
fn unescaped(text: &str) -> PathBuf {
    let text = text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n");
    PathBuf::from(text.replace("\\134", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "\
22 1 0:20 / /proc rw - proc proc rw
30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
99 24 0:26 / /run/cilium/cgroupv2 rw - cgroup2 none rw
";
    const HYBRID: &str = "\
31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 24 0:29 /../.. /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 24 0:30 / /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory
";

    fn mounts(text: &str) -> Vec<Mount> {
        text.lines().filter_map(mount).collect()
    }

    #[test]
    fn v2_is_found_at_its_outermost_mount() {
        assert_eq!(choose(&mounts(V2)), Some((Version::V2, "/sys/fs/cgroup".into())));
    }

    #[test]
    fn f19_controllers_of_v1_win_over_a_v2_hierarchy_beside_them() {
        let version = Version::V1 { controller: "memory".into() };
        assert_eq!(choose(&mounts(HYBRID)), Some((version, "/sys/fs/cgroup/mem ory".into())));
        assert_eq!(unified_mount(&mounts(HYBRID)), Some("/sys/fs/cgroup/unified".into()));
    }

    #[test]
    fn a_named_hierarchy_alone_names_no_pods() {
        let named = HYBRID.lines().nth(1).unwrap();
        assert_eq!(choose(&mounts(named)), None);
        assert_eq!(choose(&mounts("garbage - \n\n - - -")), None);
    }

    #[test]
    fn this_machine_has_one() {
        let found = find(Path::new("/proc")).unwrap();
        assert!(found.root.join("cgroup.procs").exists());
        assert!(find(Path::new("/no/such/proc")).is_err());
    }
}
