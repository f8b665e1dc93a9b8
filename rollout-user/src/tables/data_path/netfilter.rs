//! kube-proxy's rules in nftables, and its chains in iptables of either kind.
//!
//! In: a network namespace. Out: whether a table `kube-proxy` exists; how many chains of Services. `iptables-nft` keeps
//! its chains in nf_tables; `iptables-legacy` is asked by socket option, and only where its `nat` table is loaded, since
//! the question itself would load it.

use crate::tables::netlink::socket::{Answer, Netlink};
use crate::tables::netlink::wire::{self, Request};
use crate::tables::netns::Namespace;
use anyhow::{Context, Result};
use std::path::Path;

/// `NFNL_SUBSYS_NFTABLES << 8`.
const SUBSYSTEM: u16 = 10 << 8;
const GET_TABLE: u16 = 1;
const GET_CHAIN: u16 = 4;
const TABLE_NAME: u16 = 1;
const CHAIN_NAME: u16 = 3;
/// Size of `struct nfgenmsg`; zeros ask for all families.
const HEADER: [u8; 4] = [0; 4];

/// Whether a table of this name exists in any family.
pub fn has_kube_proxy_table(namespace: &Namespace) -> Result<bool> {
    Ok(names(namespace, GET_TABLE, TABLE_NAME)?.iter().any(|name| name == "kube-proxy"))
}

/// How many chains belong to Services or their endpoints. `proc` is normally `/proc`.
pub fn kube_chains(namespace: &Namespace, proc: &Path) -> Result<usize> {
    let chains = names(namespace, GET_CHAIN, CHAIN_NAME)?;
    let found = chains.iter().filter(|name| is_service_chain(name)).count();
    if found > 0 {
        return Ok(found);
    }
    Ok(legacy::chains(namespace, proc)?.iter().filter(|name| is_service_chain(name)).count())
}

/// IPVS mode has `KUBE-SERVICES` too, but none of these.
fn is_service_chain(name: &str) -> bool {
    name.starts_with("KUBE-SVC-") || name.starts_with("KUBE-SEP-")
}

fn names(namespace: &Namespace, message: u16, attribute: u16) -> Result<Vec<String>> {
    let mut netlink = Netlink::open(rustix::net::netlink::NETFILTER, Some(namespace))?;
    let request = Request::new(SUBSYSTEM | message, wire::DUMP, &HEADER);
    match netlink.dump(&request) {
        Ok(answers) => Ok(answers.iter().filter_map(|answer| name(answer, attribute)).collect()),
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        Err(error) => Err(error.context("cannot read nftables")),
    }
}

/// The kernel has no nf_tables.
fn is_missing(error: &anyhow::Error) -> bool {
    let errno = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
    matches!(errno, Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT))
}

fn name(answer: &Answer, kind: u16) -> Option<String> {
    wire::attributes(answer.payload.get(HEADER.len()..)?)
        .flatten()
        .find_map(|attribute| (attribute.kind == kind).then(|| wire::text(attribute.value)))
}

/// iptables by socket option (`linux/netfilter_ipv4/ip_tables.h`).
mod legacy {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
    use std::os::fd::{AsRawFd, OwnedFd};

    /// `IPT_SO_GET_INFO`.
    const GET_INFO: libc::c_int = 64;
    /// `IPT_SO_GET_ENTRIES`.
    const GET_ENTRIES: libc::c_int = 65;
    /// Size of `struct ipt_getinfo`: a name of 32 bytes and 13 numbers of 4; the last is the entries' size.
    const INFO_SIZE: usize = 84;
    /// `struct ipt_get_entries` up to its entries: a name of 32 bytes, a number, padding to 8.
    const ENTRIES_HEADER: usize = 40;
    /// No table of Services is larger.
    const LARGEST: usize = 256 << 20;

    /// Names of the user-defined chains of table `nat`. Empty where that table is not loaded.
    pub(super) fn chains(namespace: &Namespace, proc: &Path) -> Result<Vec<String>> {
        let tables = proc.join("thread-self/net/ip_tables_names");
        namespace
            .enter(|| {
                let loaded = std::fs::read_to_string(&tables).unwrap_or_default();
                if loaded.lines().any(|table| table == "nat") { entries() } else { Ok(Vec::new()) }
            })?
            .map(|entries| names_in(&entries))
            .context("cannot read the iptables table `nat`")
    }

    fn entries() -> std::io::Result<Vec<u8>> {
        let flags = SocketFlags::CLOEXEC;
        let protocol = Some(ipproto::RAW);
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::RAW, flags, protocol)?;
        let mut info = vec![0; INFO_SIZE];
        info.splice(0..3, *b"nat");
        option(&socket, GET_INFO, &mut info)?;
        let size = info.get(INFO_SIZE - 4..).and_then(wire::host_u32).unwrap_or(0);
        let length = (size as usize).min(LARGEST);
        let mut entries = vec![0; ENTRIES_HEADER + length];
        entries.splice(0..3, *b"nat");
        entries.splice(32..36, size.to_ne_bytes());
        option(&socket, GET_ENTRIES, &mut entries)?;
        Ok(entries)
    }

    fn option(socket: &OwnedFd, name: libc::c_int, buffer: &mut [u8]) -> std::io::Result<()> {
        let mut length = buffer.len() as libc::socklen_t;
        // SAFETY: `buffer` is live and writable for `length` bytes, which is its size; the kernel writes no more.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                name,
                buffer.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    /// A user-defined chain begins with a rule whose target `ERROR` carries the chain's name: 32 bytes of target header
    /// after the target's name, then the name. The names are found by that header, without walking the rules.
    pub(super) fn names_in(entries: &[u8]) -> Vec<String> {
        const TARGET: &[u8] = b"ERROR\0";
        let mut names = Vec::new();
        for at in 0..entries.len() {
            let Some(rest) = entries.get(at..) else { break };
            if rest.starts_with(TARGET)
                && let Some(name) = rest.get(30..60)
            {
                names.push(wire::text(name));
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_services_are_told_from_those_that_every_mode_has() {
        assert!(is_service_chain("KUBE-SVC-ABC") && is_service_chain("KUBE-SEP-ABC"));
        for name in ["KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "PREROUTING"] {
            assert!(!is_service_chain(name), "{name}");
        }
    }

    #[test]
    fn a_chain_name_follows_its_error_target() {
        let mut entries = vec![0xff; 40];
        let mut target = b"ERROR\0".to_vec();
        target.resize(30, 0);
        target.extend_from_slice(b"KUBE-SVC-ABC\0");
        target.resize(62, 0);
        entries.extend_from_slice(&target);
        entries.extend_from_slice(b"ERROR\0");
        assert_eq!(legacy::names_in(&entries), ["KUBE-SVC-ABC"]);
    }
}
