//! Kernel tests as init of a virtual machine that has nothing but this program, modules and a few tools.
//! Comes in: the initramfs that `cargo xtask test --tier guest` builds. Goes out: lines as libtest prints them,
//! the marker `guest: finished`, and power off.

#[path = "guest/init.rs"]
mod init;
#[path = "kernel/all.rs"]
mod kernel;

use kernel::harness::{self, On};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("error: this test is init of a guest");
        eprintln!("hint: run cargo xtask test --tier guest");
        return ExitCode::from(2);
    }
    match init::prepare() {
        // What failed is in the lines; there is nobody to hand an exit code to.
        Ok(words) => drop(harness::run(kernel::TESTS, On::Guest, &words)),
        Err(error) => println!("error: {error:#}"),
    }
    // Says that the run reached its end, whatever its result.
    println!("guest: finished");
    init::power_off();
    ExitCode::FAILURE
}
