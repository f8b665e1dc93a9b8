//! Events in softirq, where the running task is whoever was interrupted (F18).
//! Comes in: a client that sleeps in its connect, and processes of another cgroup that keep every CPU busy. Goes out:
//! what is told is the client's.

use super::child::{Cgroup, Child, fork};
use super::space::{Space, drop_syns, kernel_counter, set};
use super::trace::Trace;
use rollout::record::{Body, Record};
use rollout::timeline::monotonic_ns;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PORT: u16 = 9;
/// Dialled from the cgroup that nobody wants to see.
const DENIED_PORT: u16 = 10;

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

/// The namespace in which SYNs to both ports are dropped.
fn silent() -> Space {
    let space = Space::enter();
    set("ipv4/tcp_syn_retries", "5");
    drop_syns(PORT);
    super::space::run(&format!(
        "nft add rule inet rollout in tcp dport {DENIED_PORT} tcp flags & (syn|ack) == syn drop"
    ));
    space
}

/// Waits until a connect to each port is under way: the trace is to start after them.
fn wait_for_connects(ports: &[u16]) {
    let is_under_way = |port: u16| {
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        let peer = format!(":{port:04X} 02 ");
        table.lines().any(|line| line.contains(&peer))
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !ports.iter().copied().all(is_under_way) {
        assert!(Instant::now() < end, "no connect is under way");
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

/// Attempts older than the trace are filtered when they are told: by their own cgroup, not by that of the process that
/// the timer interrupted. The kernel's own count says how many there are to be told.
pub fn f18_every_retransmit_is_filtered_by_its_sockets_cgroup() {
    const ENOUGH: u64 = 3;
    let wanted = Cgroup::new("wanted");
    let denied = Cgroup::new("denied");
    let space = silent();
    let _client = dials(&wanted, PORT);
    wait_for_connects(&[PORT]);
    let _busy = busy(&denied);
    let mut trace = Trace::start();
    trace.filter().deny_cgroup(denied.id()).unwrap();
    let (since_ns, before) = (monotonic_ns(), kernel_counter("TCPSynRetrans"));
    trace.wait("retransmits", |_| {
        (kernel_counter("TCPSynRetrans") >= before + ENOUGH).then_some(())
    });
    let told = retransmits(&trace.finish(), since_ns, &space, PORT) as u64;
    let done = kernel_counter("TCPSynRetrans") - before;
    assert!(told >= ENOUGH && told + 1 >= done, "{told} of {done}");
}

/// The same the other way round: a wanted process that is interrupted does not make the socket wanted.
pub fn f18_a_denied_sockets_retransmit_stays_denied() {
    let wanted = Cgroup::new("wanted");
    let denied = Cgroup::new("denied");
    let space = silent();
    let clients = [dials(&denied, DENIED_PORT), dials(&wanted, PORT)];
    wait_for_connects(&[PORT, DENIED_PORT]);
    let _busy = busy(&wanted);
    let mut trace = Trace::start();
    trace.filter().deny_cgroup(denied.id()).unwrap();
    let since_ns = monotonic_ns();
    // Both dialled before: until the second retransmit of one, the other had its first.
    trace.wait("retransmits", |records| {
        (retransmits(records, since_ns, &space, PORT) > 1).then_some(())
    });
    drop(clients);
    assert_eq!(retransmits(&trace.finish(), since_ns, &space, DENIED_PORT), 0);
}
