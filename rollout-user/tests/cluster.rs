//! The cluster side against a mock API server: lists, watches, faults, targets, checks.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot go on fails its test")]

#[path = "cluster/access.rs"]
mod access;
#[path = "support/command.rs"]
mod command;
#[path = "cluster/commands.rs"]
mod commands;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/follow.rs"]
mod follow;
#[path = "cluster/objects.rs"]
mod objects;
#[path = "cluster/run.rs"]
mod run;
#[path = "cluster/server.rs"]
mod server;
#[path = "cluster/sets.rs"]
mod sets;
#[path = "cluster/target.rs"]
mod target;
