//! The programs, and what they share.
//!
//! In: arguments of hooks. Out: records in the ring. Each fact has one body; its hooks differ only in how they
//! fetch the arguments, so that every rung of the ladder tells the same.
//!
//! All kernel memory is read through `bpf_probe_read_kernel` at offsets from `OFFSETS`: it works in every program
//! type, and a field that is missing makes the read fail instead of the program.

mod attempt;
mod emit;
mod filter;
mod maps;
mod memory;
mod packet;
mod socket;
mod stand_in;
mod task;

mod backlog;
mod connect;
mod connect_call;
mod icmp;
mod ipvs_change;
mod ipvs_choice;
mod process;
mod reset;
mod retransmit;
mod state;
mod syn_ack;
mod syn_dropped;
