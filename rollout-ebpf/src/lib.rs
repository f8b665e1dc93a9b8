//! Wire records and settings shared by the eBPF programs and user space. Compiles on the host and for BPF.
//!
//! Everything here is plain data with a fixed layout: `#[repr(C)]`, padding written out, sizes asserted. Addresses and
//! ports stay big-endian byte arrays behind accessors, so that no reader can forget to swap them.
#![no_std]

pub mod control;
pub mod offsets;
pub mod program;
pub mod record;
