//! Reading the TCP/IP headers of a `struct sk_buff`.

use super::memory::{Address, offset};
use super::socket::{TCP, space};
use rollout_ebpf::record::address::{Endpoint, Space, Tuple};

/// What the headers of a TCP packet say.
pub struct Segment {
    /// As the packet says it.
    pub tuple: Tuple,
    /// TCP flags.
    pub flags: u8,
    /// IP version.
    pub version: u8,
}

/// TCP flag.
pub const SYN: u8 = 0x02;
/// TCP flag.
pub const RST: u8 = 0x04;
/// TCP flag.
pub const ACK: u8 = 0x10;

/// Reads the headers from the network header on; `None` for anything but TCP, for later fragments, and for IPv6
/// with extension headers.
#[inline(always)]
pub fn segment(skb: Address) -> Option<Segment> {
    let head = skb.follow(offset!(skb_head))?;
    let ip = head.plus(u64::from(skb.read::<u16>(offset!(skb_network))?));
    let first = ip.read::<u8>(0)?;
    if first >> 4 == 4 { segment4(ip, first) } else { segment6(ip, first) }
}

#[inline(always)]
fn segment4(ip: Address, first: u8) -> Option<Segment> {
    let fragment = u16::from_be_bytes(ip.read(6)?);
    if u16::from(ip.read::<u8>(9)?) != TCP || fragment & 0x1fff != 0 {
        return None;
    }
    let tcp = ip.plus(u64::from(first & 0xf) * 4);
    let source = Endpoint::v4(ip.read(12)?, tcp.read(0)?);
    let destination = Endpoint::v4(ip.read(16)?, tcp.read(2)?);
    Some(Segment { tuple: Tuple { source, destination }, flags: tcp.read(13)?, version: 4 })
}

#[inline(always)]
fn segment6(ip: Address, first: u8) -> Option<Segment> {
    if first >> 4 != 6 || u16::from(ip.read::<u8>(6)?) != TCP {
        return None;
    }
    let tcp = ip.plus(40);
    let source = Endpoint::v6(ip.read(8)?, tcp.read(0)?);
    let destination = Endpoint::v6(ip.read(24)?, tcp.read(2)?);
    Some(Segment { tuple: Tuple { source, destination }, flags: tcp.read(13)?, version: 6 })
}

/// Its namespace: of its socket, else of its device.
#[inline(always)]
pub fn netns(skb: Address) -> Space {
    let socket_net = skb.follow(offset!(skb_socket)).and_then(|sk| sk.follow(offset!(sk_net)));
    let net = match socket_net {
        Some(net) => Some(net),
        None => {
            skb.follow(offset!(skb_device)).and_then(|device| device.follow(offset!(device_net)))
        }
    };
    space(net)
}
