//! Container inits: signals from outside, exits, and cgroups that name them.
//! Comes in: child processes, first of a pid namespace, in a cgroup of their own. Goes out: what was told of them.

use super::child::{Cgroup, Child, fork};
use super::connects::connect_to;
use super::space::Space;
use super::trace::Trace;
use rollout::record::kernel::{Exit, Signal};
use rollout::record::{Body, Record};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs;
use std::net::{SocketAddr, TcpStream};

extern "C" fn leave(_signal: i32) {
    // SAFETY: async-signal-safe.
    unsafe { libc::_exit(3) }
}

/// Children of this thread become inits of new pid namespaces. It can start no threads from then on, so the trace comes
/// first.
fn children_become_inits() {
    // SAFETY: only this thread's children are concerned.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.unwrap();
}

/// A container's init that waits; with a handler for SIGTERM it leaves with status 3.
fn init(cgroup: &Cgroup, handles: bool) -> Child {
    let child = fork(cgroup, || {
        if handles {
            // SAFETY: the handler only calls `_exit`.
            unsafe { libc::signal(libc::SIGTERM, leave as *const () as libc::sighandler_t) };
        }
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    // In its cgroup it is ready.
    let procs = || fs::read_to_string(cgroup.file()).unwrap_or_default();
    while !procs().lines().any(|line| line == child.0.to_string()) {
        std::thread::yield_now();
    }
    // The handler is set right after; a signal before it would be ignored.
    std::thread::sleep(std::time::Duration::from_millis(200));
    child
}

fn signals(records: &[Record], pid: i32) -> Vec<Signal> {
    let ours = |record: &Record| match &record.body {
        Body::Signal(it) if it.pid == pid as u32 => Some(it.clone()),
        _ => None,
    };
    records.iter().filter_map(ours).collect()
}

fn exits(records: &[Record], pid: i32) -> Vec<Exit> {
    let ours = |record: &Record| match &record.body {
        Body::Exit(it) if it.pid == pid as u32 => Some(it.clone()),
        _ => None,
    };
    records.iter().filter_map(ours).collect()
}

pub fn f22_sigterm_for_a_containers_init_is_told_with_the_targets_cgroup() {
    let cgroup = Cgroup::new("term");
    let id = cgroup.id();
    let trace = Trace::start();
    children_become_inits();
    let child = init(&cgroup, true);
    let pid = child.0;
    child.kill(libc::SIGTERM);
    child.wait();
    let records = trace.finish();
    let told = signals(&records, pid);
    let [signal] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((signal.signal, signal.result, signal.code), (15, 0, 0));
    assert_eq!(signal.cgroup, id, "the target's, not the sender's");
    assert_eq!(signal.sender_pid, std::process::id());
    let ends = exits(&records, pid);
    let [exit] = ends.as_slice() else { panic!("{ends:?}") };
    assert_eq!((exit.cgroup, exit.status, exit.signal), (id, Some(3), None));
}

pub fn f22_an_init_without_a_handler_ignores_sigterm_and_is_killed() {
    let cgroup = Cgroup::new("kill");
    let trace = Trace::start();
    children_become_inits();
    let child = init(&cgroup, false);
    let pid = child.0;
    child.kill(libc::SIGTERM);
    child.kill(libc::SIGKILL);
    child.wait();
    let records = trace.finish();
    let told: Vec<_> = signals(&records, pid).iter().map(|it| (it.signal, it.result)).collect();
    assert_eq!(told, [(15, 1), (9, 0)]);
    let ends = exits(&records, pid);
    assert_eq!(ends.iter().map(|it| (it.status, it.signal)).collect::<Vec<_>>(), [(None, Some(9))]);
}

/// Signals among a container's own processes, and processes that are no container's init, say nothing.
pub fn f22_only_signals_from_outside_for_an_init_are_told() {
    let cgroup = Cgroup::new("inside");
    let outsider = fork(&cgroup, || {
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    let trace = Trace::start();
    children_become_inits();
    let init = fork(&cgroup, || {
        // SAFETY: the handler only calls `_exit`; the child signals its init, which is pid 1 there.
        unsafe {
            libc::signal(libc::SIGTERM, leave as *const () as libc::sighandler_t);
            if libc::fork() == 0 {
                libc::kill(1, libc::SIGTERM);
                libc::_exit(0);
            }
            loop {
                libc::pause();
            }
        }
    });
    let (inner, outer) = (init.0, outsider.0);
    init.wait();
    outsider.kill(libc::SIGKILL);
    outsider.wait();
    let records = trace.finish();
    assert_eq!(signals(&records, inner), []);
    assert_eq!(signals(&records, outer), []);
    assert_eq!(exits(&records, outer), []);
    // F23: the child of the init is not its leader, so only one exit is told.
    assert_eq!(exits(&records, inner).len(), 1);
}

/// Threads end without a word; the process ends once.
pub fn f23_only_the_leaders_exit_is_told() {
    let cgroup = Cgroup::new("threads");
    let trace = Trace::start();
    children_become_inits();
    extern "C" fn ends_at_once(_: *mut libc::c_void) -> *mut libc::c_void {
        std::ptr::null_mut()
    }
    let child = fork(&cgroup, || {
        for _ in 0..3 {
            let mut thread = 0;
            // SAFETY: the thread touches nothing.
            unsafe {
                libc::pthread_create(
                    &mut thread,
                    std::ptr::null(),
                    ends_at_once,
                    std::ptr::null_mut(),
                );
                libc::pthread_join(thread, std::ptr::null_mut());
            }
        }
        7
    });
    let pid = child.0;
    child.wait();
    let ends = exits(&trace.finish(), pid);
    assert_eq!(ends.iter().map(|it| it.status).collect::<Vec<_>>(), [Some(7)]);
}

fn dials(cgroup: &Cgroup, port: u16) -> SocketAddr {
    let destination = SocketAddr::from(([127, 0, 0, 1], port));
    fork(cgroup, || i32::from(TcpStream::connect(destination).is_ok())).wait();
    destination
}

/// Whose connect it is comes from the cgroup, never from the address (F13), also on cgroup v1 (F19).
pub fn f13_f19_a_connect_carries_the_cgroup_of_its_process() {
    let cgroup = Cgroup::new("client");
    let space = Space::enter();
    let mut trace = Trace::start();
    let destination = dials(&cgroup, 10);
    let begun = connect_to(&mut trace, &space, destination);
    assert_eq!(begun.cgroup, cgroup.id());
    let returned = trace.body("return", |body| match body {
        Body::ConnectReturned(it) if it.attempt == Some(begun.attempt) => Some(it.clone()),
        _ => None,
    });
    assert_eq!(returned.cgroup, cgroup.id());
}

/// Softirq runs on top of whoever was interrupted: the cgroup was stored at the connect (F18).
pub fn f17_a_denied_cgroup_is_silent_with_everything_below_it() {
    let denied = Cgroup::new("denied");
    let inner = denied.below("inner");
    let other = Cgroup::new("other");
    let space = Space::enter();
    let mut trace = Trace::start();
    trace.filter().deny_cgroup(denied.id()).unwrap();
    dials(&denied, 10);
    dials(&inner, 11);
    let seen = dials(&other, 12);
    connect_to(&mut trace, &space, seen);
    trace.filter().allow_cgroup(denied.id()).unwrap();
    let again = dials(&inner, 13);
    connect_to(&mut trace, &space, again);
    let ports: Vec<_> = trace
        .finish()
        .iter()
        .filter_map(|record| match &record.body {
            Body::Connect(it) if it.netns.inum == space.inum => Some(it.flow.destination.port()),
            Body::ConnectReturned(it) if it.netns.inum == space.inum => {
                Some(it.flow.destination.port())
            }
            _ => None,
        })
        .filter(|port| matches!(port, 10 | 11))
        .collect();
    assert_eq!(ports, [] as [u16; 0]);
    drop(inner);
}
