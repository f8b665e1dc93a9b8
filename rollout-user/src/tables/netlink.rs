//! Netlink, as far as `rollout` speaks it: requests, dumps and subscriptions, without a library of its own.
//!
//! [`wire`] builds and parses bytes and is pure; [`socket`] moves them; [`generic`] finds generic netlink families.

pub mod generic;
pub mod socket;
pub mod wire;
