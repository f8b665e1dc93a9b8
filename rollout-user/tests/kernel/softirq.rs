//! Events in softirq, where the running task is whoever was interrupted (F18).
//! Comes in: a client that sleeps in its connect, and processes of another cgroup that keep every CPU busy. Goes out:
//! what is told is the client's.

use super::child::{Cgroup, Child, fork};
use super::space::{Space, drop_syns, kernel_counter};
use super::trace::Trace;
use rollout::record::{Body, Record};
use rollout::timeline::monotonic_ns;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PORT: u16 = 9;
/// More than a few, so that most of their timers find a busy process.
const CLIENTS: usize = 8;

/// Two processes on each CPU that never sleep: timers interrupt them and hardly anybody else.
fn busy(cgroup: &Cgroup) -> Vec<Child> {
    let cpus = std::thread::available_parallelism().unwrap().get();
    let spin = |cpu: usize| {
        fork(cgroup, || {
            // SAFETY: pins this process, then touches nothing.
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(cpu, &mut set);
                libc::sched_setaffinity(0, size_of_val(&set), &set);
            }
            loop {
                std::hint::spin_loop();
            }
        })
    };
    (0..cpus).chain(0..cpus).map(spin).collect()
}

fn dials(cgroup: &Cgroup, port: u16) -> Child {
    let destination = SocketAddr::from(([127, 0, 0, 1], port));
    fork(cgroup, || i32::from(TcpStream::connect(destination).is_ok()))
}

/// The namespace in which SYNs to the port are dropped.
fn silent() -> Space {
    let space = Space::enter();
    drop_syns(PORT);
    space
}

/// Waits until so many connects to a port are under way: the trace is to start after them.
fn wait_for_connects(port: u16, count: usize) {
    let peer = format!(":{port:04X} 02 ");
    let under_way = || {
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        table.lines().filter(|line| line.contains(&peer)).count()
    };
    let end = Instant::now() + Duration::from_secs(30);
    while under_way() < count {
        assert!(Instant::now() < end, "{} connects are under way", under_way());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn retransmits(records: &[Record], since_ns: u64, space: &Space, port: u16) -> usize {
    let is_ours = |record: &&Record| {
        record.time_ns > since_ns
            && matches!(&record.body, Body::SynRetransmit(it)
            if it.netns.inum == space.inum && it.flow.destination.port() == port)
    };
    records.iter().filter(is_ours).count()
}

/// Waits for one more retransmit of each client, by the kernel's own count.
fn wait_for_retransmits(trace: &mut Trace, before: u64, clients: usize) {
    let enough = before + clients as u64;
    trace.wait("retransmits", |_| (kernel_counter("TCPSynRetrans") >= enough).then_some(()));
}

/// Attempts older than the trace are filtered when they are told: by their own cgroup, not by that of the process that
/// the timer interrupted.
pub fn f18_every_retransmit_is_filtered_by_its_sockets_cgroup() {
    let wanted = Cgroup::new("wanted");
    let denied = Cgroup::new("denied");
    let space = silent();
    let clients: Vec<_> = (0..CLIENTS).map(|_| dials(&wanted, PORT)).collect();
    wait_for_connects(PORT, CLIENTS);
    let mut trace = Trace::start();
    trace.filter().deny_cgroup(denied.id()).unwrap();
    let busy = busy(&denied);
    let (before, since_ns) = (kernel_counter("TCPSynRetrans"), monotonic_ns());
    wait_for_retransmits(&mut trace, before, CLIENTS);
    drop((busy, clients));
    let told = retransmits(&trace.finish(), since_ns, &space, PORT) as u64;
    // One may come between the two readings.
    let done = kernel_counter("TCPSynRetrans") - before;
    assert!(told + 1 >= done, "{told} of {done}");
}

/// The same the other way round: a wanted process that is interrupted does not make the socket wanted.
pub fn f18_a_denied_sockets_retransmit_stays_denied() {
    let wanted = Cgroup::new("wanted");
    let denied = Cgroup::new("denied");
    let space = silent();
    let clients: Vec<_> = (0..CLIENTS).map(|_| dials(&denied, PORT)).collect();
    wait_for_connects(PORT, CLIENTS);
    let mut trace = Trace::start();
    trace.filter().deny_cgroup(denied.id()).unwrap();
    let busy = busy(&wanted);
    let (before, since_ns) = (kernel_counter("TCPSynRetrans"), monotonic_ns());
    wait_for_retransmits(&mut trace, before, CLIENTS);
    drop((busy, clients));
    assert_eq!(retransmits(&trace.finish(), since_ns, &space, PORT), 0);
}
