//! Connections that IPVS forwards already: `/proc/PID/net/ip_vs_conn` (F15).
//!
//! In: the file's lines, one connection each, addresses in hexadecimal (IPv4) or written out (IPv6). Out:
//! [`IpvsConnections`], TCP only, up to a limit, the rest counted.

use crate::record::kernel::Netns;
use crate::record::table::{IpvsConnection, IpvsConnections};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Reads the file below `net` (e.g. `/proc/1/net`). Without IPVS the result is empty. Keeps at most `limit` entries.
pub fn read(net: &Path, netns: Netns, limit: usize) -> Result<IpvsConnections> {
    let path = net.join("ip_vs_conn");
    match File::open(&path) {
        Ok(file) => parse(BufReader::new(file), netns, limit),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(IpvsConnections { netns, ..Default::default() })
        }
        Err(error) => Err(error.into()),
    }
    .with_context(|| format!("cannot read `{}`", path.display()))
}

fn parse(lines: impl BufRead, netns: Netns, limit: usize) -> Result<IpvsConnections> {
    let mut table = IpvsConnections { netns, ..Default::default() };
    for line in lines.lines() {
        let Some(entry) = connection(&line?) else { continue };
        if table.entries.len() < limit {
            table.entries.push(entry);
        } else {
            table.left_out += 1;
        }
    }
    Ok(table)
}

/// `None`: the heading, another protocol, or a line in a form that is not known.
fn connection(line: &str) -> Option<IpvsConnection> {
    let mut fields = line.split_ascii_whitespace();
    if fields.next()? != "TCP" {
        return None;
    }
    Some(IpvsConnection {
        client: endpoint(&mut fields)?,
        service: endpoint(&mut fields)?,
        backend: endpoint(&mut fields)?,
        state: fields.next()?.to_owned(),
    })
}

fn endpoint<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let address = fields.next()?;
    let address = match u32::from_str_radix(address, 16) {
        Ok(bits) => IpAddr::from(Ipv4Addr::from_bits(bits)),
        Err(_) => address.parse::<IpAddr>().ok()?.to_canonical(),
    };
    Some(SocketAddr::new(address, u16::from_str_radix(fields.next()?, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP 0AF40007 C350 0A60000A 0050 0AF40005 1F90 ESTABLISHED     899
UDP 0AF40007 C351 0A60000A 0035 0AF40002 0035 UDP             120
TCP fd00:0000:0000:0000:0000:0000:0000:0007 C352 fd00:0000:0000:0000:0000:0000:0000:0001 0050 fd00:0000:0000:0000:0000:0000:0000:0005 1F90 SYN_RECV         60
";

    #[test]
    fn f15_connections_older_than_the_start_are_read_for_both_families() {
        let table = parse(TABLE.as_bytes(), Netns::default(), 10).unwrap();
        let seen: Vec<_> = table
            .entries
            .iter()
            .map(|entry| {
                format!("{} {} {} {}", entry.client, entry.service, entry.backend, entry.state)
            })
            .collect();
        assert_eq!(
            seen,
            [
                "10.244.0.7:50000 10.96.0.10:80 10.244.0.5:8080 ESTABLISHED",
                "[fd00::7]:50002 [fd00::1]:80 [fd00::5]:8080 SYN_RECV"
            ]
        );
        assert_eq!(table.left_out, 0);
    }

    #[test]
    fn f15_entries_beyond_the_limit_are_counted() {
        let table = parse(TABLE.as_bytes(), Netns::default(), 1).unwrap();
        assert_eq!((table.entries.len(), table.left_out), (1, 1));
    }

    #[test]
    fn a_kernel_without_ipvs_has_an_empty_table() {
        let table = read(Path::new("/no/such/net"), Netns::default(), 1).unwrap();
        assert!(table.entries.is_empty());
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "(TCP )?[0-9A-F: ]{0,80}") {
            let _ = connection(&line);
        }
    }
}
