//! Wire records shared by the eBPF programs and user space. Compiles on the host and for BPF.
#![no_std]
