//! Whose cgroup is it: reads pod UID and container id off a path (F13, F17, F19).
//!
//! In: a path below the hierarchy's mount point, as kubelet and the runtimes lay them out. Out: [`CgroupOwner`]. Pure.
//! [`hierarchy`] finds the mount point, [`scan`] walks it, [`watch`] follows it, [`kubelet`] finds kubelet's own.
//!
//! | driver | pod | container below it |
//! |---|---|---|
//! | systemd | `…kubepods[-QOS]-podUID_WITH_UNDERSCORES.slice` | `RUNTIME-ID.scope` |
//! | cgroupfs | `…/kubepods[/QOS]/podUID` | `ID`, CRI-O: `crio-ID` |
//! | systemd names, cgroupfs runtime | `…kubepods[-QOS]-podUID.slice:RUNTIME:ID` | in the same component |

pub mod hierarchy;
pub mod kubelet;
pub mod scan;
pub mod watch;

use crate::record::table::CgroupOwner;

/// A container id is 64 hexadecimal digits in every runtime; some shorten it.
const SHORTEST_ID: usize = 12;

/// Says what a path tells. Never `Kubelet`: a path cannot tell that.
///
/// The outermost pod counts: a cluster inside a pod is that pod's business.
pub fn owner(path: &str) -> CgroupOwner {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for (at, part) in parts.iter().enumerate() {
        let (name, suffix) = part.split_once(':').unwrap_or((part, ""));
        let above = parts.get(..at).unwrap_or_default();
        if let Some(uid) = uid_in_slice(name).or_else(|| uid_in_directory(name, above)) {
            let below = parts.get(at + 1).copied().unwrap_or_default();
            let container = match suffix.rsplit_once(':') {
                Some((_, id)) => id_of(id),
                None => id_of(below),
            };
            return CgroupOwner::Pod { uid, container };
        }
    }
    let id = parts.iter().find_map(|part| bare_container(part));
    id.map_or(CgroupOwner::Host, |id| CgroupOwner::Container { id })
}

/// `kubepods-burstable-pod<UID>.slice`, also below a cgroup root of its own (`kubelet-kubepods-…`).
fn uid_in_slice(name: &str) -> Option<String> {
    let name = name.strip_suffix(".slice")?;
    let at = name.find("kubepods")?;
    if !(at == 0 || name.get(..at)?.ends_with('-')) {
        return None;
    }
    let rest = name.get(at + "kubepods".len()..)?;
    let rest = rest
        .strip_prefix("-burstable")
        .or_else(|| rest.strip_prefix("-besteffort"))
        .or_else(|| rest.strip_prefix("-guaranteed"))
        .unwrap_or(rest);
    uid(rest.strip_prefix("-pod")?)
}

/// `pod<UID>` right below `kubepods` or one of its QoS directories.
fn uid_in_directory(name: &str, above: &[&str]) -> Option<String> {
    let parents = match above {
        [rest @ .., "burstable" | "besteffort" | "guaranteed"] => rest,
        all => all,
    };
    match parents.last() {
        Some(parent) if *parent == "kubepods" || parent.ends_with("-kubepods") => {
            uid(name.strip_prefix("pod")?)
        }
        _ => None,
    }
}

/// A UID with dashes restored. A static pod's is its config hash, which has none.
fn uid(text: &str) -> Option<String> {
    let uid = text.replace('_', "-");
    let fits = uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && uid.bytes().any(|byte| byte != b'-')).then_some(uid)
}

/// The container id in one component below a pod: `ID`, `RUNTIME-ID`, `RUNTIME-ID.scope`.
fn id_of(part: &str) -> Option<String> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    // conmon is CRI-O's monitor of a container: in the pod, but not in the container.
    (is_id(id) && !runtime.ends_with("conmon")).then(|| id.to_owned())
}

/// A container outside any pod's directory: only names that a runtime gives, never just any hexadecimal name.
fn bare_container(part: &str) -> Option<String> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let id = match name.rsplit_once('-') {
        Some(("cri-containerd" | "crio" | "docker", id)) => id,
        Some(_) => return None,
        None => name,
    };
    (is_id(id) && id.len() == 64).then(|| id.to_owned())
}

fn is_id(text: &str) -> bool {
    text.len() >= SHORTEST_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "8f3d2c1e-0a4b-4c5d-9e6f-7a8b9c0d1e2f";
    const SNAKE: &str = "8f3d2c1e_0a4b_4c5d_9e6f_7a8b9c0d1e2f";
    const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
    const HASH: &str = "0123456789abcdef0123456789abcdef";

    fn pod(path: &str) -> Option<(String, Option<String>)> {
        match owner(&path.replace("{UID}", UID).replace("{SNAKE}", SNAKE).replace("{ID}", ID)) {
            CgroupOwner::Pod { uid, container } => Some((uid, container)),
            _ => None,
        }
    }

    fn the_pod() -> Option<(String, Option<String>)> {
        Some((UID.into(), None))
    }

    fn the_container() -> Option<(String, Option<String>)> {
        Some((UID.into(), Some(ID.into())))
    }

    #[test]
    fn f19_systemd_layout_of_each_qos_class_and_runtime() {
        for qos in ["", "-burstable", "-besteffort"] {
            let slice =
                format!("/kubepods.slice/kubepods{qos}.slice/kubepods{qos}-pod{{SNAKE}}.slice");
            assert_eq!(pod(&slice), the_pod(), "{slice}");
            for runtime in ["cri-containerd", "crio", "docker"] {
                let scope = format!("{slice}/{runtime}-{{ID}}.scope");
                assert_eq!(pod(&scope), the_container(), "{scope}");
            }
        }
    }

    #[test]
    fn f19_cgroupfs_layout_of_each_qos_class_and_runtime() {
        for qos in ["", "/burstable", "/besteffort"] {
            let directory = format!("/kubepods{qos}/pod{{UID}}");
            assert_eq!(pod(&directory), the_pod(), "{directory}");
            for container in ["{ID}", "crio-{ID}"] {
                let path = format!("{directory}/{container}");
                assert_eq!(pod(&path), the_container(), "{path}");
            }
        }
    }

    #[test]
    fn f19_nested_hierarchies_and_directories_below_a_container() {
        for path in [
            "/docker/{ID}/kubelet/kubepods/burstable/pod{UID}/{ID}",
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SNAKE}.slice/cri-containerd-{ID}.scope",
            "/kubepods.slice/kubepods-pod{SNAKE}.slice/crio-{ID}.scope/container",
            "/kubepods/pod{UID}/{ID}/system.slice/nginx.service",
            "/system.slice/containerd.service/kubepods-burstable-pod{SNAKE}.slice:cri-containerd:{ID}",
        ] {
            assert_eq!(pod(path), the_container(), "{path}");
        }
        let inner = "/kubepods/pod{UID}/{ID}/kubepods/pod11111111-1111-1111-1111-111111111111";
        assert_eq!(pod(inner), the_container(), "the outer pod is the one this cluster knows");
    }

    #[test]
    fn f19_a_static_pod_carries_its_config_hash() {
        let expected = Some((HASH.to_owned(), None));
        assert_eq!(pod(&format!("/kubepods/burstable/pod{HASH}")), expected);
        let slice = format!("/kubepods.slice/kubepods-burstable-pod{HASH}.slice");
        assert_eq!(pod(&slice), expected);
    }

    #[test]
    fn a_monitor_and_foreign_directories_in_a_pod_are_no_container() {
        let slice = "/kubepods.slice/kubepods-pod{SNAKE}.slice";
        assert_eq!(pod(&format!("{slice}/crio-conmon-{{ID}}.scope")), the_pod());
        assert_eq!(pod(&format!("{slice}/init.scope")), the_pod());
    }

    #[test]
    fn without_pod_directories_the_container_is_still_named() {
        let container = CgroupOwner::Container { id: ID.into() };
        for path in [
            format!("/system.slice/cri-containerd-{ID}.scope"),
            format!("/k8s.io/{ID}"),
            format!("/docker/{ID}/init"),
        ] {
            assert_eq!(owner(&path), container, "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_a_pod_is_the_host() {
        for path in [
            "/",
            "",
            "/kubepods.slice",
            "/kubepods.slice/kubepods-burstable.slice",
            "/kubepods/burstable",
            "/kubepods/pod",
            "/user.slice/podman-1234.scope",
            "/system.slice/kubelet.service",
            "/system.slice/mykubepods-pod1.slice",
            "/machine/pod8f3d2c1e-0a4b-4c5d-9e6f-7a8b9c0d1e2f",
            "/kubepods/pod../x",
        ] {
            assert_eq!(owner(path), CgroupOwner::Host, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic_or_invent_a_uid(path in "(/(kubepods|pod|[a-f0-9-]{0,40}|é|:|\\.slice|-){0,3}){0,5}") {
            if let CgroupOwner::Pod { uid, .. } = owner(&path) {
                prop_assert!(!uid.is_empty() && path.replace('_', "-").contains(&uid));
            }
        }
    }
}
