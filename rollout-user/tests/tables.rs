//! Table readers against this machine's own kernel: network namespaces, netfilter rules, cgroups and processes that each
//! test makes and takes down. Needs root, `ip` (iproute2) and `nft` (nftables); says so where one is missing.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "tables/conntrack.rs"]
mod conntrack;
#[path = "tables/data_path.rs"]
mod data_path;
#[path = "tables/network.rs"]
mod network;
#[path = "tables/pods.rs"]
mod pods;
