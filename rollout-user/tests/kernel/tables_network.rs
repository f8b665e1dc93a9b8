//! A small network: a client and a server, each in a namespace, joined by a node that routes and translates.
//!
//! Namespaces live as long as their values; nothing of it has a name on the machine.

use rollout::record::{Body, Record};
use rollout::tables::netns::Namespace;
use rollout::timeline::{Next, Timeline};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::Duration;

/// Long enough for any machine; a test that passes does not wait for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A new network namespace with its loopback up.
pub fn namespace() -> Namespace {
    let namespace = std::thread::spawn(|| {
        // SAFETY: only the network namespace of this thread changes, and the thread ends here.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        Namespace::current().unwrap()
    })
    .join()
    .unwrap();
    run(&namespace, "ip link set lo up");
    namespace
}

/// Runs one command inside `namespace`; its failure is the test's.
pub fn run(namespace: &Namespace, line: &str) {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    let output = namespace
        .enter(|| command.output())
        .unwrap()
        .unwrap_or_else(|error| panic!("cannot run `{line}`: {error}"));
    assert!(output.status.success(), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a setting of `namespace`, given by its path below `/proc/sys`.
pub fn set(namespace: &Namespace, setting: &str, value: &str) {
    let path = format!("/proc/sys/{setting}");
    namespace.enter(|| std::fs::write(&path, value)).unwrap().expect(setting);
}

/// Loads nftables rules inside `namespace`.
pub fn nft(namespace: &Namespace, rules: &str) {
    let file = std::env::temp_dir().join(format!("rollout-rules-{}", std::process::id()));
    std::fs::write(&file, rules).unwrap();
    run(namespace, &format!("nft -f {}", file.display()));
    std::fs::remove_file(&file).unwrap();
}

/// Client 10.1.0.2 / fd01::2, server 10.2.0.2 / fd02::2, and the node between them.
pub struct Network {
    pub client: Namespace,
    pub node: Namespace,
    pub server: Namespace,
}

impl Network {
    /// Where the node's namespace can be opened once more.
    pub fn node_path(&self) -> String {
        format!("/proc/self/fd/{}", self.node.as_fd().as_raw_fd())
    }
}

/// Makes it.
pub fn network() -> Network {
    let net = Network { client: namespace(), node: namespace(), server: namespace() };
    set(&net.node, "net/ipv4/ip_forward", "1");
    set(&net.node, "net/ipv6/conf/all/forwarding", "1");
    for (side, number) in [(&net.client, 1), (&net.server, 2)] {
        let fd = side.as_fd().as_raw_fd();
        let peer = format!("/proc/{}/fd/{fd}", std::process::id());
        run(&net.node, &format!("ip link add v{number} type veth peer name eth0 netns {peer}"));
        run(&net.node, &format!("ip addr add 10.{number}.0.1/24 dev v{number}"));
        run(&net.node, &format!("ip addr add fd0{number}::1/64 dev v{number} nodad"));
        run(&net.node, &format!("ip link set v{number} up"));
        run(side, &format!("ip addr add 10.{number}.0.2/24 dev eth0"));
        run(side, &format!("ip addr add fd0{number}::2/64 dev eth0 nodad"));
        run(side, "ip link set eth0 up");
        run(side, &format!("ip route add default via 10.{number}.0.1"));
        run(side, &format!("ip -6 route add default via fd0{number}::1"));
    }
    net
}

/// The next record for which `wanted` holds, and those before it.
pub fn until(timeline: &mut Timeline, wanted: impl Fn(&Body) -> bool) -> Vec<Record> {
    let mut seen = Vec::new();
    loop {
        match timeline.next(PATIENCE) {
            Next::Record(record) => {
                seen.push(*record);
                if seen.last().is_some_and(|record| wanted(&record.body)) {
                    return seen;
                }
            }
            other => panic!("{other:?} after {seen:?}"),
        }
    }
}
