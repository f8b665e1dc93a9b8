//! What the other kernel tests stand on: the kernel, its type information, modules, file systems and programs.
//! Comes in: the running system. Goes out: a panic where it is not as asked for.

use super::harness;
use std::fs;
use std::process::Command;

/// First bytes of type information in this byte order (`BTF_MAGIC`, linux/btf.h).
const BTF_MAGIC: [u8; 2] = 0xeb9f_u16.to_ne_bytes();

/// Field offsets are read from here at load.
pub fn the_kernel_has_type_information() {
    assert_btf("vmlinux");
}

/// The runner passes the release on the kernel's command line.
pub fn the_kernel_is_the_one_that_was_asked_for() {
    let line = fs::read_to_string("/proc/cmdline").expect("command line");
    let asked = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("rollout.release="))
        .expect("`rollout.release` on the command line");
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("release");
    assert_eq!(release.trim(), asked);
}

/// Structures of IPVS have their offsets in the module's own type information.
pub fn ip_vs_is_loaded_and_has_type_information() {
    let modules = fs::read_to_string("/proc/modules").expect("modules");
    assert!(modules.lines().any(|line| line.starts_with("ip_vs ")), "{modules}");
    assert!(fs::metadata("/proc/net/ip_vs_conn").is_ok(), "IPVS shows its connections");
    assert_btf("ip_vs");
}

/// Tracepoint ids, cgroup ids and pins live in them.
pub fn the_file_systems_that_tracing_needs_are_mounted() {
    for file in [
        "/sys/kernel/tracing/events/sock/inet_sock_set_state/id",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/bpf",
    ] {
        assert!(fs::metadata(file).is_ok(), "{file}");
    }
    let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
    assert!(mounts.lines().any(|line| line.contains(" /sys/fs/bpf bpf ")), "{mounts}");
    assert!(mounts.lines().any(|line| line.contains(" /sys/fs/cgroup cgroup2 ")), "{mounts}");
}

/// Tests call it as users do.
pub fn rollout_runs() {
    let output = Command::new(harness::rollout()).arg("--version").output().expect("rollout");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.trim(), concat!("rollout ", env!("CARGO_PKG_VERSION")));
}

/// Namespaces, delays and NAT rules are made with them, and a namespace is left again.
pub fn programs_for_network_set_ups_run() {
    for line in [
        "ip netns add platform",
        "ip -n platform link set lo up",
        "ip netns exec platform tc qdisc add dev lo root netem delay 1ms",
        "ip netns exec platform nft add table inet platform",
        "ip netns exec platform nft add chain inet platform out { type nat hook output priority -100 ; }",
        "ip netns exec platform conntrack -L",
        "ip netns del platform",
    ] {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a program");
        let output = Command::new(program).args(words).output().expect(program);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn assert_btf(name: &str) {
    let content = fs::read(format!("/sys/kernel/btf/{name}")).expect(name);
    assert_eq!(content.get(..2), Some(&BTF_MAGIC[..]), "{name} has type information");
}
