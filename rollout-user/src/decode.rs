//! Bytes of the ring → [`Body`]. Wire layouts and byte orders end here.
//!
//! In: one record as a program wrote it, and [`Names`] for this kernel's numbers. Out: its time and body, or an
//! error for anything that is unknown, too short, too long or without an address; never a panic.

mod backlog;
mod balance;
pub mod names;
mod packet;
mod socket;
mod task;

use crate::record::Body;
use crate::record::kernel::{Flow, Netns};
use names::Names;
use rollout_ebpf::record::address::{Space, Tuple};
use rollout_ebpf::record::{Header, Kind};
use std::net::IpAddr;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Why a record was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not the length of its kind.
    #[error("record of {0} bytes has the wrong length")]
    Length(usize),
    /// No such kind.
    #[error("record kind {0} is unknown")]
    Kind(u32),
    /// An address family that does not exist.
    #[error("record without an address")]
    Address,
    /// An IPVS change that does not exist.
    #[error("change {0} is unknown")]
    Change(u8),
}

/// Decodes one record: its time in ns of `CLOCK_MONOTONIC`, and what it says.
pub fn decode(bytes: &[u8], names: &Names) -> Result<(u64, Body), DecodeError> {
    let (header, _) =
        Header::read_from_prefix(bytes).map_err(|_| DecodeError::Length(bytes.len()))?;
    let kind = Kind::try_from(header.kind).map_err(DecodeError::Kind)?;
    let body = match kind {
        Kind::Connect
        | Kind::ConnectReturned
        | Kind::Established
        | Kind::ConnectFailed
        | Kind::Closed
        | Kind::SynRetransmit
        | Kind::ResetReceived
        | Kind::ListenerOpened
        | Kind::ListenerClosed => socket::body(kind, read(bytes)?)?,
        Kind::SynDropped
        | Kind::ResetSent
        | Kind::NoDestination
        | Kind::IcmpSent
        | Kind::SynAckRetransmit => packet::body(kind, read(bytes)?, names)?,
        Kind::BacklogFull => backlog::body(read(bytes)?)?,
        Kind::BackendChosen | Kind::IpvsDestination | Kind::IpvsServiceGone => {
            balance::body(kind, read(bytes)?)?
        }
        Kind::Signal | Kind::Exit => task::body(kind, read(bytes)?),
    };
    Ok((header.time_ns, body))
}

fn read<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::read_from_bytes(bytes).map_err(|_| DecodeError::Length(bytes.len()))
}

fn netns(space: Space) -> Netns {
    Netns { inum: space.inum, cookie: space.cookie }
}

fn flow(tuple: Tuple) -> Result<Flow, DecodeError> {
    Ok(Flow {
        source: tuple.source.address().filter(|address: &IpAddr| !address.is_unspecified()),
        source_port: tuple.source.port(),
        destination: tuple.destination.socket_addr().ok_or(DecodeError::Address)?,
    })
}

/// Text up to the first NUL, invalid UTF-8 replaced.
fn text(bytes: [u8; 16]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// An errno as the kernel has it, 0 for none, → positive.
fn errno(number: i32) -> Option<i32> {
    (number != 0).then(|| number.saturating_abs())
}

/// A TCP state as the kernel names it (`include/net/tcp_states.h`).
fn state(number: u8) -> String {
    const NAMES: [&str; 13] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
        "BOUND_INACTIVE",
    ];
    let name = usize::from(number).checked_sub(1).and_then(|index| NAMES.get(index));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests;
