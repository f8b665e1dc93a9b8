//! Kernel tables that user space reads: netlink, socket diagnostics, `/proc`, cgroups, namespaces.
//!
//! In: paths, pids and namespaces, always given by the caller. Out: [`crate::record::table`] values, or records pushed
//! into an [`crate::timeline::Inlet`] by a worker thread. Nothing here changes the host's configuration.

pub mod cgroup;
pub mod conntrack;
pub mod data_path;
pub mod host;
pub mod ipvs;
pub mod listen_counters;
pub mod listeners;
pub mod netlink;
pub mod netns;
pub mod pod_netns;
pub mod pods;
pub mod worker;
