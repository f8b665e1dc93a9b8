//! Tests that need a kernel to themselves, and where each runs. Comes in: nothing. Goes out: the list [`TESTS`],
//! which the binaries `native` (this machine's kernel) and `guest` (init of a virtual machine) share.
//! To add a test: a function without arguments that panics when it fails, and a line in the list.

pub mod harness;
mod platform;

use harness::{On, Test};

macro_rules! tests {
    ($($on:ident $module:ident::$name:ident),* $(,)?) => {
        &[$(Test { name: stringify!($name), on: On::$on, run: $module::$name }),*]
    };
}

/// Every test, in the order in which they run.
pub const TESTS: &[Test] = tests![
    Everywhere platform::the_kernel_has_type_information,
    Everywhere platform::rollout_runs,
    Guest platform::the_kernel_is_the_one_that_was_asked_for,
    Guest platform::ip_vs_is_loaded_and_has_type_information,
    Guest platform::the_file_systems_that_tracing_needs_are_mounted,
    Guest platform::programs_for_network_set_ups_run,
];
