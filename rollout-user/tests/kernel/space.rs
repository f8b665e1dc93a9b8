//! A network namespace of a test's own, into which the test's thread moves.
//!
//! In: shell lines for `ip` and `nft`. Out: the namespace's inode; it is deleted at the end, whatever the result.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A namespace that lives as long as this.
pub struct Space {
    name: String,
    /// Inode, as events carry it.
    pub inum: u32,
}

impl Space {
    /// Makes one with its loopback up and moves this thread into it.
    pub fn enter() -> Self {
        let space = Self::new();
        space.join();
        space
    }

    /// Makes one with its loopback up.
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rollout-{}-{number}", std::process::id());
        run(&format!("ip netns add {name}"));
        run(&format!("ip -n {name} link set lo up"));
        let inum = fs::metadata(path(&name)).expect("namespace").ino() as u32;
        Self { name, inum }
    }

    /// Its name for `ip`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves this thread into it.
    pub fn join(&self) {
        let file = fs::File::open(path(&self.name)).expect("namespace");
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("move into the namespace");
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        run(&format!("ip netns del {}", self.name));
    }
}

fn path(name: &str) -> String {
    format!("/run/netns/{name}")
}

/// Runs one line in this thread's namespace; words are split at blanks.
pub fn run(line: &str) {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).output().expect(program);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Sets a network setting of this thread's namespace.
pub fn set(setting: &str, value: &str) {
    let file = format!("/proc/sys/net/{setting}");
    fs::write(&file, value).unwrap_or_else(|error| panic!("{file}: {error}"));
}

/// A counter of `TcpExt` of this thread's namespace: the kernel's own count.
pub fn kernel_counter(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").expect("counters");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let found = names.split(' ').zip(values.split(' ')).find(|(other, _)| *other == name);
    found.expect(name).1.parse().expect("a number")
}

/// Drops SYNs to a port when they arrive, until [`pass_syns`].
pub fn drop_syns(port: u16) {
    run("nft add table inet rollout");
    run("nft add chain inet rollout in { type filter hook input priority 0 ; }");
    run(&format!(
        "nft add rule inet rollout in tcp dport {port} tcp flags & (syn|ack) == syn drop"
    ));
}

/// Lets them pass again.
pub fn pass_syns() {
    run("nft delete table inet rollout");
}
