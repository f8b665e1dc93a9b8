//! Socket balancers: BPF programs that rewrite the address in `connect` itself, for every process below a cgroup.
//!
//! In: the top of the cgroup v2 hierarchy. Out: names of the programs attached there, by `bpf(2)` queries, which need
//! CAP_SYS_ADMIN or CAP_BPF with CAP_NET_ADMIN.

use anyhow::{Context, Result};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const PROG_QUERY: libc::c_long = 16;
/// `BPF_CGROUP_INET4_CONNECT`, `BPF_CGROUP_INET6_CONNECT`.
const CONNECT: [u32; 2] = [10, 11];
const MOST_PROGRAMS: usize = 64;

/// The part of `union bpf_attr` that `BPF_PROG_QUERY` uses.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

/// The part that `BPF_PROG_GET_FD_BY_ID` uses.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The part that `BPF_OBJ_GET_INFO_BY_FD` uses.
#[repr(C)]
#[derive(Default)]
struct InfoRequest {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// Start of `struct bpf_prog_info`, up to its name.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_len: u32,
    xlated_len: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// Names of the programs at `connect` of the cgroup `top`, IPv4 and IPv6, sorted. A program without a readable name is
/// called by its id.
pub fn programs(top: &Path) -> Result<Vec<String>> {
    let directory =
        File::open(top).with_context(|| format!("cannot open the cgroup `{}`", top.display()))?;
    let mut names = Vec::new();
    for attach_type in CONNECT {
        let ids = query(&directory, attach_type).context("cannot ask for cgroup BPF programs")?;
        names.extend(ids.into_iter().map(|id| name(id).unwrap_or_else(|| format!("id {id}"))));
    }
    names.sort();
    Ok(names)
}

/// Whether a program of this name balances Services: Cilium's (`cil_sock4_connect`, before 1.12 `sock4_connect`) and
/// Calico's (`calico_connect_v4`).
pub fn is_balancer(name: &str) -> bool {
    ["cil_sock", "sock4_connect", "sock6_connect", "calico_connect"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn query(directory: &File, attach_type: u32) -> std::io::Result<Vec<u32>> {
    let mut ids = vec![0u32; MOST_PROGRAMS];
    let mut query = Query {
        target_fd: directory.as_raw_fd() as u32,
        attach_type,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST_PROGRAMS as u32,
        ..Default::default()
    };
    bpf(PROG_QUERY, &mut query)?;
    ids.truncate(query.prog_cnt as usize);
    Ok(ids)
}

fn name(id: u32) -> Option<String> {
    let opened = bpf(PROG_GET_FD_BY_ID, &mut ById { id, ..Default::default() }).ok()?;
    // SAFETY: the call above has just given this descriptor to us, and nobody else knows it.
    let program = unsafe { OwnedFd::from_raw_fd(i32::try_from(opened).ok()?) };
    let mut info = Info::default();
    let mut request = InfoRequest {
        bpf_fd: program.as_raw_fd() as u32,
        info_len: size_of::<Info>() as u32,
        info: (&raw mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut request).ok()?;
    let name = crate::tables::netlink::wire::text(&info.name);
    (!name.is_empty()).then_some(name)
}

/// `bpf(2)` with a part of `union bpf_attr`; the kernel takes the rest as zeros.
fn bpf<T>(command: libc::c_long, attributes: &mut T) -> std::io::Result<libc::c_long> {
    // SAFETY: `attributes` is a live `repr(C)` prefix of `union bpf_attr` of the size given. Pointers inside it come from
    // the callers above and point to live buffers of the lengths that they state.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, (attributes as *mut T).cast::<u8>(), size_of::<T>())
    };
    if result >= 0 { Ok(result) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(size_of::<Query>() == 32);
    const _: () = assert!(std::mem::offset_of!(Info, name) == 64);

    #[test]
    fn balancers_are_known_by_name() {
        for name in ["cil_sock4_connect", "cil_sock6_connec", "sock4_connect", "calico_connect_"] {
            assert!(is_balancer(name), "{name}");
        }
        assert!(!is_balancer("sd_fw_egress") && !is_balancer("id 7") && !is_balancer(""));
    }

    #[test]
    fn what_is_no_cgroup_is_an_error() {
        let error = programs(Path::new("/proc")).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("cannot ask for cgroup BPF programs"),
            "{error:#}"
        );
    }
}
