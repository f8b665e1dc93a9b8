//! Signs of a data path, in namespaces of their own.

use super::tables_network::{namespace, nft, run};
use rollout::record::meta::DataPath;
use rollout::tables::cgroup::hierarchy;
use rollout::tables::data_path;
use rollout::tables::netns::Namespace;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

fn found(namespace: &Namespace) -> (DataPath, String) {
    let found = data_path::find(namespace, None, Path::new("/proc"));
    (found.path, found.evidence)
}

pub fn a_fresh_namespace_has_none() {
    assert_eq!(found(&namespace()).0, DataPath::None);
}

pub fn the_table_of_kube_proxy_in_nftables_mode_is_found() {
    let namespace = namespace();
    nft(&namespace, "table ip6 kube-proxy {}\ntable ip other {}\n");
    assert_eq!(found(&namespace), (DataPath::Nftables, "nftables table `kube-proxy`".into()));
}

pub fn chains_of_services_are_found_and_those_of_ipvs_mode_are_not() {
    let namespace = namespace();
    nft(&namespace, "table ip nat {\n chain KUBE-SERVICES {}\n chain KUBE-POSTROUTING {}\n}\n");
    assert_eq!(found(&namespace).0, DataPath::None);
    nft(&namespace, "table ip nat {\n chain KUBE-SVC-A {}\n chain KUBE-SEP-B {}\n}\n");
    assert_eq!(found(&namespace), (DataPath::Iptables, "2 iptables chains of Services".into()));
}

pub fn chains_of_the_older_iptables_are_found() {
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

pub fn a_socket_balancer_is_found_by_its_connect_program() {
    let top = hierarchy::unified(Path::new("/proc")).expect("a cgroup v2 hierarchy");
    let directory = top.join(format!("rollout-test-lb-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let cgroup = std::fs::File::open(&directory).unwrap();
    let program = load_connect_program(b"cil_sock4_test\0\0");
    let before = data_path::find(&namespace(), Some(&directory), Path::new("/proc")).path;
    attach(&program, &cgroup);
    let found = data_path::find(&namespace(), Some(&directory), Path::new("/proc"));
    // The program goes with its cgroup.
    std::fs::remove_dir(&directory).unwrap();
    assert_eq!((before, found.path), (DataPath::None, DataPath::SocketLb));
    assert!(found.evidence.contains("`cil_sock4_test`"), "{}", found.evidence);
}

/// `BPF_CGROUP_INET4_CONNECT`.
const CONNECT: u32 = 10;

/// Loads a program of type `BPF_PROG_TYPE_CGROUP_SOCK_ADDR` that lets everything pass.
fn load_connect_program(name: &[u8; 16]) -> OwnedFd {
    // `r0 = 1`, `exit`.
    let instructions: [u64; 2] = [0x0000_0001_0000_00b7, 0x95];
    let mut attributes = [0u32; 18];
    attributes[0] = 18;
    attributes[1] = 2;
    split(&mut attributes, 2, instructions.as_ptr() as u64);
    split(&mut attributes, 4, c"GPL".as_ptr() as u64);
    for (to, from) in attributes[12..16].iter_mut().zip(name.chunks(4)) {
        *to = u32::from_ne_bytes(from.try_into().unwrap());
    }
    attributes[17] = CONNECT;
    let loaded = bpf(5, &mut attributes);
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(loaded as i32) }
}

fn attach(program: &OwnedFd, cgroup: &std::fs::File) {
    let mut attributes = [cgroup.as_raw_fd() as u32, program.as_raw_fd() as u32, CONNECT, 0];
    bpf(8, &mut attributes);
}

fn split(attributes: &mut [u32], at: usize, pointer: u64) {
    attributes[at] = pointer as u32;
    attributes[at + 1] = (pointer >> 32) as u32;
}

fn bpf(command: i64, attributes: &mut [u32]) -> i64 {
    // SAFETY: `attributes` is live and of the size given; the pointers in it are to live data of the lengths stated.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of_val(attributes))
    };
    assert!(result >= 0, "bpf {command}: {}", std::io::Error::last_os_error());
    result
}
