//! Reads packet captures: the classic pcap format with Ethernet or Linux "cooked" frames, IPv4 and IPv6, TCP and ICMP.
//!
//! In: files that tcpdump wrote. Out: TCP segments and ICMP errors with times. A file that ends inside a packet is read
//! up to there: tcpdump may have been stopped while it wrote.

use anyhow::{Context, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// One packet that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Unix time, ns.
    pub unix_ns: i64,
    /// Source of the segment.
    pub source: SocketAddr,
    /// Destination of the segment.
    pub destination: SocketAddr,
    /// What it is.
    pub kind: Kind,
    /// TCP sequence number.
    pub sequence: u32,
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SYN without ACK.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// RST.
    Rst,
    /// An ICMP error about a segment with this source and destination.
    Icmp,
    /// Any other segment.
    Other,
}

/// Reads several captures into one list, sorted by time.
///
/// # Errors
/// When a file cannot be read or is no capture of a known kind.
pub fn read_all<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<Vec<Packet>> {
    let mut packets = Vec::new();
    for path in paths {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        packets.extend(parse(&bytes).with_context(|| format!("cannot read `{}`", path.display()))?);
    }
    packets.sort_by_key(|packet: &Packet| packet.unix_ns);
    Ok(packets)
}

struct Layout {
    big_endian: bool,
    nanoseconds: bool,
    link: u32,
}

impl Layout {
    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }
}

fn parse(bytes: &[u8]) -> anyhow::Result<Vec<Packet>> {
    let (big_endian, nanoseconds) = match bytes.get(..4) {
        Some([0xd4, 0xc3, 0xb2, 0xa1]) => (false, false),
        Some([0xa1, 0xb2, 0xc3, 0xd4]) => (true, false),
        Some([0x4d, 0x3c, 0xb2, 0xa1]) => (false, true),
        Some([0xa1, 0xb2, 0x3c, 0x4d]) => (true, true),
        _ => bail!("this is no pcap file"),
    };
    let mut layout = Layout { big_endian, nanoseconds, link: 0 };
    layout.link = layout.u32(bytes, 20).context("the pcap header is cut")?;
    let mut packets = Vec::new();
    let mut at = 24;
    while let (Some(seconds), Some(fraction), Some(length)) =
        (layout.u32(bytes, at), layout.u32(bytes, at + 4), layout.u32(bytes, at + 8))
    {
        let begin = at + 16;
        let Some(frame) = bytes.get(begin..begin + length as usize) else { break };
        at = begin + length as usize;
        let fraction_ns = i64::from(fraction) * if layout.nanoseconds { 1 } else { 1000 };
        let unix_ns = i64::from(seconds) * 1_000_000_000 + fraction_ns;
        let packet = network(&layout, frame).and_then(ip);
        packets.extend(packet.map(|packet| Packet { unix_ns, ..packet }));
    }
    Ok(packets)
}

/// The network layer's bytes behind Ethernet (1), Linux cooked (113) or its second version (276).
fn network<'a>(layout: &Layout, frame: &'a [u8]) -> Option<&'a [u8]> {
    let (ether_type, header) = match layout.link {
        1 => (frame.get(12..14)?, 14),
        113 => (frame.get(14..16)?, 16),
        276 => (frame.get(0..2)?, 20),
        _ => return None,
    };
    matches!(ether_type, [0x08, 0x00] | [0x86, 0xdd]).then(|| frame.get(header..))?
}

fn ip(packet: &[u8]) -> Option<Packet> {
    match packet.first()? >> 4 {
        4 => {
            let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let header = usize::from(packet.first()? & 15) * 4;
            let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
            let payload = packet.get(header..)?;
            transport(*packet.get(9)?, payload, source.into(), destination.into())
        }
        6 => {
            let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let destination: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            let (source, destination) = (Ipv6Addr::from(source), Ipv6Addr::from(destination));
            transport(*packet.get(6)?, packet.get(40..)?, source.into(), destination.into())
        }
        _ => None,
    }
}

fn transport(protocol: u8, payload: &[u8], source: IpAddr, destination: IpAddr) -> Option<Packet> {
    const ICMP_UNREACHABLE: u8 = 3;
    const ICMPV6_UNREACHABLE: u8 = 1;
    match (protocol, payload.first()?) {
        (6, _) => {
            let port =
                |at: usize| Some(u16::from_be_bytes(payload.get(at..at + 2)?.try_into().ok()?));
            let sequence = u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?);
            // The flags may be cut off in the payload of an ICMP error.
            let kind = match payload.get(13).copied().unwrap_or(0) {
                flags if flags & 0x04 != 0 => Kind::Rst,
                flags if flags & 0x12 == 0x12 => Kind::SynAck,
                flags if flags & 0x02 != 0 => Kind::Syn,
                _ => Kind::Other,
            };
            Some(Packet {
                unix_ns: 0,
                source: SocketAddr::new(source, port(0)?),
                destination: SocketAddr::new(destination, port(2)?),
                kind,
                sequence,
            })
        }
        (1, &ICMP_UNREACHABLE) | (58, &ICMPV6_UNREACHABLE) => {
            Some(Packet { kind: Kind::Icmp, ..ip(payload.get(8..)?)? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(flags: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([
            0x9c, 0x40, 0x1f, 0x40, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0,
        ]);
        packet
    }

    fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        file.extend([0; 8]);
        file.extend([0, 0, 4, 0, 1, 0, 0, 0]);
        for (index, packet) in packets.iter().enumerate() {
            let mut frame = vec![0; 12];
            frame.extend([0x08, 0x00]);
            frame.extend(packet);
            for word in [100, index as u32, frame.len() as u32, frame.len() as u32] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        file
    }

    #[test]
    fn segments_and_icmp_errors_are_read() -> anyhow::Result<()> {
        let mut icmp = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
        icmp.extend([3, 3, 0, 0, 0, 0, 0, 0]);
        icmp.extend(segment(0x02));
        let file = capture(&[segment(0x02), segment(0x12), segment(0x14), segment(0x10), icmp]);
        let packets = parse(&file)?;
        let kinds: Vec<_> = packets.iter().map(|packet| packet.kind).collect();
        assert_eq!(kinds, [Kind::Syn, Kind::SynAck, Kind::Rst, Kind::Other, Kind::Icmp]);
        assert_eq!(packets[0].unix_ns, 100_000_000_000);
        assert_eq!(packets[1].unix_ns, 100_000_001_000);
        assert_eq!(packets[4].source, "10.0.0.1:40000".parse()?);
        assert_eq!(packets[4].destination, "10.0.0.2:8000".parse()?);
        assert_eq!(packets[0].sequence, 7);
        Ok(())
    }

    #[test]
    fn a_cut_file_is_read_up_to_the_cut_and_never_panics() {
        let file = capture(&[segment(0x02), segment(0x12)]);
        let counts: Vec<_> =
            (24..=file.len()).map(|length| parse(&file[..length]).map_or(0, |p| p.len())).collect();
        assert_eq!(counts.first(), Some(&0));
        assert_eq!(counts.last(), Some(&2));
        assert!(counts.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(parse(b"hello").is_err());
    }
}
