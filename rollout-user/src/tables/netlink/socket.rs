//! A netlink socket: sends a request, collects a dump, or receives events.
//!
//! In: a protocol and the namespace to open it in. Out: messages. A socket stays in the namespace it was opened in.

use super::wire::{self, Message, Request};
use crate::tables::netns::Namespace;
use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{netlink::SocketAddrNetlink, sockopt};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A datagram of a dump is at most 32 KiB on all supported kernels.
const BUFFER: usize = 64 << 10;
/// A kernel that does not answer within this time is not waited for: a reader must not hang the tool.
const ANSWER: Duration = Duration::from_secs(5);
/// A table that changes all the time is given up after so many dumps.
const DUMP_TRIES: usize = 8;

/// An open netlink socket.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One message of an answer, copied out of the receive buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `nlmsg_type`.
    pub kind: u16,
    /// What follows the header.
    pub payload: Vec<u8>,
}

impl Netlink {
    /// Opens a socket for requests in `namespace`, or in that of the calling thread.
    pub fn open(protocol: Protocol, namespace: Option<&Namespace>) -> Result<Self> {
        Self::subscribe(protocol, 0, namespace)
    }

    /// Opens a socket that receives the events of `groups` (a bit mask: group 1 is bit 0).
    pub fn subscribe(
        protocol: Protocol,
        groups: u32,
        namespace: Option<&Namespace>,
    ) -> Result<Self> {
        let open = || {
            let flags = SocketFlags::CLOEXEC;
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(protocol))
        };
        let fd = match namespace {
            Some(namespace) => namespace.enter(open)?,
            None => open(),
        }
        .context("cannot open a netlink socket")?;
        rustix::net::bind(&fd, &SocketAddrNetlink::new(0, groups))
            .context("cannot bind a netlink socket")?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(ANSWER))
            .context("cannot set a time-out on a netlink socket")?;
        Ok(Self { fd, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Sends `request` with `NLM_F_DUMP` and collects the answers. A dump that the kernel marks as interrupted is
    /// repeated. Errors of the kernel come as `std::io::Error` in the chain.
    pub fn dump(&mut self, request: &Request) -> Result<Vec<Answer>> {
        for _ in 0..DUMP_TRIES {
            let mut answers = Vec::new();
            if self.exchange(request, true, &mut answers)? {
                return Ok(answers);
            }
        }
        bail!("the table changed during each of {DUMP_TRIES} reads");
    }

    /// Sends `request` and gives the one answer to it.
    pub fn ask(&mut self, request: &Request) -> Result<Option<Answer>> {
        let mut answers = Vec::new();
        self.exchange(request, false, &mut answers)?;
        Ok(answers.into_iter().next())
    }

    /// Receives one datagram of events. `Err(ENOBUFS)`: events were lost; `Err(EAGAIN)`: none came in time.
    pub fn receive(&mut self) -> Result<&[u8], Errno> {
        let (received, whole) =
            rustix::net::recv(&self.fd, self.buffer.as_mut_slice(), RecvFlags::TRUNC)?;
        match self.buffer.get(..received) {
            Some(bytes) if whole <= received => Ok(bytes),
            _ => Err(Errno::MSGSIZE),
        }
    }

    /// Makes room for bursts; beyond `net.core.rmem_max` where the capability allows. Returns the size in bytes that the
    /// kernel granted.
    pub fn grow_receive_buffer(&self, bytes: usize) -> usize {
        if sockopt::set_socket_recv_buffer_size_force(&self.fd, bytes).is_err() {
            // Unprivileged: as much as `rmem_max` allows. A failure leaves the default, which is reported below.
            let _ = sockopt::set_socket_recv_buffer_size(&self.fd, bytes);
        }
        sockopt::socket_recv_buffer_size(&self.fd).unwrap_or(0)
    }

    /// Sets how long [`Netlink::receive`] waits.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Recv, Some(patience))
            .context("cannot set a time-out on a netlink socket")
    }

    /// `false`: interrupted, the answers are not one consistent picture.
    fn exchange(
        &mut self,
        request: &Request,
        many: bool,
        answers: &mut Vec<Answer>,
    ) -> Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let bytes = request.clone().finish(sequence);
        rustix::net::send(&self.fd, &bytes, SendFlags::empty())
            .context("cannot send a netlink request")?;
        let mut consistent = true;
        loop {
            let datagram = match self.receive() {
                Err(Errno::INTR) => continue,
                other => other.context("cannot receive a netlink answer")?,
            };
            for message in wire::messages(datagram) {
                let message = message?;
                if message.sequence != sequence {
                    continue;
                }
                consistent &= message.flags & wire::DUMP_INTERRUPTED == 0;
                if let Some(end) = take(&message, answers) {
                    return end.map(|()| consistent);
                }
            }
            if !many && !answers.is_empty() {
                return Ok(consistent);
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `Some`: the answer is complete, well or not.
fn take(message: &Message<'_>, answers: &mut Vec<Answer>) -> Option<Result<()>> {
    match message.kind {
        wire::NOOP => None,
        wire::ERROR | wire::DONE => Some(match message.errno() {
            0 => Ok(()),
            errno => Err(std::io::Error::from_raw_os_error(errno).into()),
        }),
        kind => {
            answers.push(Answer { kind, payload: message.payload.to_vec() });
            None
        }
    }
}
