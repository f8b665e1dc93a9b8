//! The life of one connect: from CLOSE → SYN_SENT to the close of its socket.
//!
//! In: the socket at each step. Out: `Connect`, `Established`, `ConnectFailed`, `Closed`, each with the attempt's
//! number. Kept in a map keyed by the socket's address, because one socket can connect several times (F5).
//!
//! The steps are functions of their own, not inlined, and call none of each other: the verifier adds up the stacks of a
//! chain of calls, and two such steps exceed its 512 bytes (kernels before 6.13).

use super::connect_call;
use super::emit::{emit, lost, next_attempt, now_ns};
use super::filter;
use super::maps::ATTEMPTS;
use super::memory::Address;
use super::{socket, task};
use rollout_ebpf::program::{LossPlace, Program};
use rollout_ebpf::record::address::{Space, Tuple};
use rollout_ebpf::record::socket::Socket;
use rollout_ebpf::record::{Header, Kind};

/// What is known of an attempt.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Attempt {
    /// From 1.
    pub id: u64,
    started_ns: u64,
    cgroup: u64,
    netns: Space,
    tuple: Tuple,
    pid: u32,
    stale_port: [u8; 2],
    announced: u8,
    established: u8,
    denied: u8,
    padding: [u8; 7],
    comm: [u8; 16],
}

impl Attempt {
    #[inline(always)]
    fn record(&self, kind: Kind, time_ns: u64, sk: Address) -> Socket {
        Socket {
            attempt: self.id,
            cgroup: self.cgroup,
            duration_ns: time_ns.wrapping_sub(self.started_ns),
            pid: self.pid,
            comm: self.comm,
            ..Socket::of(Header::new(time_ns, kind), sk.0, self.netns, self.tuple)
        }
    }

    /// Takes the port over once the socket is bound.
    #[inline(always)]
    fn learn_bound_port(&mut self, sk: Address) {
        let port = socket::bound_port(sk);
        if port != [0; 2] {
            self.tuple = with_port(self.tuple, port);
        }
    }

    /// After the close only `inet_sport` is left, which may be the previous attempt's (F5).
    #[inline(always)]
    fn learn_last_port(&mut self, sk: Address) {
        let port = socket::last_port(sk);
        if self.tuple.source.port_bytes() == [0; 2] && port != self.stale_port {
            self.tuple = with_port(self.tuple, port);
        }
    }
}

#[inline(always)]
fn with_port(tuple: Tuple, port: [u8; 2]) -> Tuple {
    Tuple { source: tuple.source.with_port(port), destination: tuple.destination }
}

/// CLOSE → SYN_SENT. Never takes the port here (F5).
#[inline(always)]
pub fn begin(sk: Address) {
    if keep(sk, is_denied(sk)) != 0 {
        learn_ends(sk);
        if filter::control().is_some_and(|control| control.connect_hooked == 0) {
            announce(Program::Outcome, sk);
        }
    }
}

/// Not 0: user space does not want this socket's attempts.
#[inline(never)]
fn is_denied(sk: Address) -> u64 {
    let Some(control) = filter::control() else { return 1 };
    let is_wanted = filter::wants_flow(control, &socket::netns(sk), &socket::tuple(sk))
        && filter::wants_cgroup(control, socket::cgroup_in_call(sk));
    u64::from(!is_wanted)
}

/// Keeps a new attempt. Not 0: it is to be told.
#[inline(never)]
fn keep(sk: Address, denied: u64) -> u64 {
    let attempt = Attempt {
        id: next_attempt(),
        started_ns: now_ns(),
        cgroup: task::cgroup_id(socket::cgroup_in_call(sk)),
        netns: Space::NONE,
        tuple: Tuple::NONE,
        pid: task::pid(),
        stale_port: socket::last_port(sk),
        announced: 0,
        established: 0,
        denied: denied as u8,
        padding: [0; 7],
        comm: task::comm(),
    };
    connect_call::entered_syn_sent(attempt.id, denied != 0);
    if ATTEMPTS.insert(sk.0, &attempt, 0).is_err() {
        if denied == 0 {
            lost(Program::Outcome, LossPlace::Map);
        }
        return 0;
    }
    u64::from(denied == 0)
}

/// Where the attempt comes from and goes to, but for its port.
#[inline(never)]
fn learn_ends(sk: Address) {
    let Some(attempt) = wanted(sk) else { return };
    attempt.netns = socket::netns(sk);
    attempt.tuple = with_port(socket::tuple(sk), [0; 2]);
}

/// Tells `Connect`, once, with the time at which the attempt began.
#[inline(never)]
fn announce(program: Program, sk: Address) {
    let Some(attempt) = wanted(sk) else { return };
    if attempt.announced == 0 {
        attempt.announced = 1;
        emit(program, attempt.record(Kind::Connect, attempt.started_ns, sk));
    }
}

/// The attempt of a socket, unless it is filtered out.
#[inline(always)]
fn wanted(sk: Address) -> Option<&'static mut Attempt> {
    let attempt = find(sk)?;
    if attempt.denied == 0 { Some(attempt) } else { None }
}

/// The attempt of a socket, filtered or not.
#[inline(always)]
fn find(sk: Address) -> Option<&'static mut Attempt> {
    let found = ATTEMPTS.get_ptr_mut(sk.0)?;
    // SAFETY: a map value; it may be rewritten by a later attempt of the same socket, which is serialised by the
    // socket's own lock.
    Some(unsafe { &mut *found })
}

/// `tcp_connect`: the first SYN is about to leave, the port is known.
#[inline(always)]
pub fn leaves(sk: Address) {
    if let Some(attempt) = wanted(sk) {
        attempt.learn_bound_port(sk);
        announce(Program::Connect, sk);
    }
}

/// → ESTABLISHED.
#[inline(always)]
pub fn established(sk: Address) {
    if learn_established(sk) != 0 {
        announce(Program::Outcome, sk);
        tell(sk, 0);
    }
}

/// → CLOSE, from any state.
#[inline(always)]
pub fn closed(sk: Address) {
    if learn_closed(sk) != 0 {
        announce(Program::Outcome, sk);
        tell(sk, 1);
    }
    // Fails only where there was none.
    let _ = ATTEMPTS.remove(sk.0);
}

/// Takes over what is certain once a connection is established. Not 0: it is to be told.
#[inline(never)]
fn learn_established(sk: Address) -> u64 {
    let Some(attempt) = wanted(sk) else { return 0 };
    if attempt.established != 0 {
        return 0;
    }
    attempt.established = 1;
    attempt.tuple = socket::tuple(sk);
    1
}

/// Takes the last port over before the socket is gone. Not 0: the close is to be told.
#[inline(never)]
fn learn_closed(sk: Address) -> u64 {
    let Some(attempt) = wanted(sk) else { return 0 };
    attempt.learn_last_port(sk);
    1
}

/// Tells that an attempt was established, or (`closing` not 0) that it failed or was closed.
#[inline(never)]
fn tell(sk: Address, closing: u64) {
    let Some(attempt) = wanted(sk) else { return };
    let kind = match (closing, attempt.established) {
        (0, _) => Kind::Established,
        (_, 0) => Kind::ConnectFailed,
        _ => Kind::Closed,
    };
    let mut record = attempt.record(kind, now_ns(), sk);
    if closing != 0 {
        record.errno = socket::error_of(sk);
    }
    emit(Program::Outcome, record);
}

/// How an event in the middle of an attempt is to be told.
pub enum Known {
    /// With this number; the socket's port is known by now.
    Attempt(u64, Tuple),
    /// The socket's attempt began before the trace, or it is not a client.
    No,
    /// User space does not want it.
    Denied,
}

/// Looks a socket up that has sent something.
#[inline(always)]
pub fn known(sk: Address) -> Known {
    match find(sk) {
        None => Known::No,
        Some(attempt) if attempt.denied != 0 => Known::Denied,
        Some(attempt) => {
            attempt.learn_bound_port(sk);
            Known::Attempt(attempt.id, attempt.tuple)
        }
    }
}
