//! Small virtual machines for the guest tier: a kernel, an initramfs with one program as init, no disk, no network.
//! Comes in: a kernel of the cache and a static program. Goes out: what the guest printed and whether it finished.

pub mod archive;
pub mod boot;
pub mod modules;
pub mod programs;
