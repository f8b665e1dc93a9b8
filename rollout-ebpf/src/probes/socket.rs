//! Reading a `struct sock`.

use super::memory::{Address, offset};
use super::task;
use rollout_ebpf::record::address::{Endpoint, Space, Tuple};

/// `TCP_*` of `include/net/tcp_states.h`.
pub mod state {
    /// `TCP_ESTABLISHED`.
    pub const ESTABLISHED: u8 = 1;
    /// `TCP_SYN_SENT`.
    pub const SYN_SENT: u8 = 2;
    /// `TCP_CLOSE`.
    pub const CLOSE: u8 = 7;
    /// `TCP_LISTEN`.
    pub const LISTEN: u8 = 10;
}

/// `AF_INET`.
pub const AF_INET: u16 = 2;
/// `AF_INET6`.
pub const AF_INET6: u16 = 10;
/// `IPPROTO_TCP`.
pub const TCP: u16 = 6;
/// `IPPROTO_MPTCP`.
pub const MPTCP: u16 = 262;

/// `sk->sk_protocol`; MPTCP's own sockets say 262 (F9).
#[inline(always)]
pub fn protocol(sk: Address) -> u16 {
    sk.read(offset!(sk_protocol)).unwrap_or(0)
}

/// `sk->sk_state`.
#[inline(always)]
pub fn state_of(sk: Address) -> u8 {
    sk.read(offset!(sk_state)).unwrap_or(0)
}

/// `sk->sk_err`.
#[inline(always)]
pub fn error_of(sk: Address) -> i32 {
    sk.read(offset!(sk_err)).unwrap_or(0)
}

/// Own port while the socket is bound, in network order; 0 once the port was given back.
#[inline(always)]
pub fn bound_port(sk: Address) -> [u8; 2] {
    sk.read::<u16>(offset!(sk_num)).unwrap_or(0).to_be_bytes()
}

/// `inet_sport`: survives the close, but on a reconnected socket it is the previous one until the port is chosen
/// (F5).
#[inline(always)]
pub fn last_port(sk: Address) -> [u8; 2] {
    sk.read(offset!(inet_sport)).unwrap_or([0; 2])
}

/// Source = own end with its bound port, destination = the peer's.
#[inline(always)]
pub fn tuple(sk: Address) -> Tuple {
    let own = bound_port(sk);
    let peer = sk.read(offset!(sk_dport)).unwrap_or([0; 2]);
    match sk.read::<u16>(offset!(sk_family)) {
        Some(AF_INET) => tuple4(sk, own, peer),
        Some(AF_INET6) => {
            let far: [u8; 16] = sk.read(offset!(sk_destination6)).unwrap_or([0; 16]);
            // An IPv6 socket that speaks IPv4: only the IPv4 fields are always filled.
            if is_mapped(&far) {
                return tuple4(sk, own, peer);
            }
            let near = sk.read(offset!(sk_source6)).unwrap_or([0; 16]);
            Tuple { source: Endpoint::v6(near, own), destination: Endpoint::v6(far, peer) }
        }
        _ => Tuple::NONE,
    }
}

/// As [`tuple`], for a socket that was connected and may have given its port back already.
#[inline(always)]
pub fn tuple_of_connected(sk: Address) -> Tuple {
    let tuple = tuple(sk);
    if tuple.source.port_bytes() != [0; 2] {
        return tuple;
    }
    Tuple { source: tuple.source.with_port(last_port(sk)), destination: tuple.destination }
}

#[inline(always)]
fn tuple4(sk: Address, own: [u8; 2], peer: [u8; 2]) -> Tuple {
    let near = sk.read(offset!(sk_source4)).unwrap_or([0; 4]);
    let far = sk.read(offset!(sk_destination4)).unwrap_or([0; 4]);
    Tuple { source: Endpoint::v4(near, own), destination: Endpoint::v4(far, peer) }
}

/// `::ffff:0:0/96`.
#[inline(always)]
pub fn is_mapped(address: &[u8; 16]) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *address;
    (a | b | c | d | e | f | g | h | i | j) == 0 && (k & l) == 0xff
}

/// The socket's network namespace.
#[inline(always)]
pub fn netns(sk: Address) -> Space {
    space(sk.follow(offset!(sk_net)))
}

/// A `struct net *` as it goes on the wire.
#[inline(always)]
pub fn space(net: Option<Address>) -> Space {
    let Some(net) = net else { return Space::NONE };
    Space {
        cookie: net.read(offset!(net_cookie)).unwrap_or(0),
        inum: net.read(offset!(net_inum)).unwrap_or(0),
        padding: [0; 4],
    }
}

/// The socket's cgroup (`struct cgroup *`) on cgroup v2. On v1 the socket does not carry it: the caller's, which is
/// right only in the context of the process that owns the socket (F18, F19).
#[inline(always)]
pub fn cgroup_in_call(sk: Address) -> Option<Address> {
    if super::memory::kernel_feature!(cgroup_v1_subsys) == 0 {
        if let Some(cgroup) = sk.follow(offset!(sk_cgroup)) {
            return Some(cgroup);
        }
    }
    task::cgroup_of(task::current())
}

/// The socket's cgroup from any context; `None` on v1.
#[inline(always)]
pub fn cgroup_anywhere(sk: Address) -> Option<Address> {
    if super::memory::kernel_feature!(cgroup_v1_subsys) != 0 {
        return None;
    }
    sk.follow(offset!(sk_cgroup))
}
