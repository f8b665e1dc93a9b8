//! Records about sockets.

use super::{DecodeError, errno, flow, netns, state, text};
use crate::record::Body;
use crate::record::kernel::{
    Closed, Connect, ConnectFailed, ConnectReturned, Established, Listener, ResetReceived,
    SynRetransmit,
};
use rollout_ebpf::record::Kind;
use rollout_ebpf::record::socket::Socket;

pub fn body(kind: Kind, wire: Socket) -> Result<Body, DecodeError> {
    let known = (wire.attempt != 0).then_some(wire.attempt);
    Ok(match kind {
        Kind::ListenerOpened => Body::ListenerOpened(listener(&wire)?),
        Kind::ListenerClosed => Body::ListenerClosed(listener(&wire)?),
        Kind::Connect => Body::Connect(Connect {
            attempt: wire.attempt,
            flow: flow(wire.tuple)?,
            netns: netns(wire.netns),
            cgroup: wire.cgroup,
            pid: wire.pid,
            comm: text(wire.comm),
        }),
        Kind::ConnectReturned => Body::ConnectReturned(ConnectReturned {
            attempt: known,
            flow: flow(wire.tuple)?,
            netns: netns(wire.netns),
            cgroup: wire.cgroup,
            pid: wire.pid,
            comm: text(wire.comm),
            errno: wire.errno.saturating_abs(),
            duration_ns: wire.duration_ns,
        }),
        Kind::Established => Body::Established(Established {
            attempt: wire.attempt,
            flow: flow(wire.tuple)?,
            latency_ns: wire.duration_ns,
        }),
        Kind::ConnectFailed => Body::ConnectFailed(ConnectFailed {
            attempt: wire.attempt,
            flow: flow(wire.tuple)?,
            errno: errno(wire.errno),
            latency_ns: wire.duration_ns,
        }),
        Kind::Closed => Body::Closed(Closed {
            attempt: wire.attempt,
            flow: flow(wire.tuple)?,
            errno: errno(wire.errno),
        }),
        Kind::SynRetransmit => Body::SynRetransmit(SynRetransmit {
            attempt: known,
            flow: flow(wire.tuple)?,
            netns: netns(wire.netns),
            errno: errno(wire.errno),
        }),
        Kind::ResetReceived => Body::ResetReceived(ResetReceived {
            attempt: known,
            flow: flow(wire.tuple)?,
            netns: netns(wire.netns),
            state: state(wire.state),
        }),
        other => return Err(DecodeError::Kind(other as u32)),
    })
}

fn listener(wire: &Socket) -> Result<Listener, DecodeError> {
    Ok(Listener {
        address: wire.tuple.source.socket_addr().ok_or(DecodeError::Address)?,
        netns: netns(wire.netns),
        cgroup: wire.cgroup,
        socket: wire.socket,
    })
}
