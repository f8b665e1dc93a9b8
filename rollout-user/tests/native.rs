//! Kernel tests on this machine's own kernel, in network namespaces of their own. Needs root.
//! Comes in: words that choose tests by name. Goes out: lines as libtest prints them. `cargo xtask test` runs it.

#[path = "kernel/all.rs"]
mod kernel;

use kernel::harness::{self, On};
use std::process::ExitCode;

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        eprintln!("error: the native tests attach programs and make network namespaces");
        eprintln!("hint: run them as root");
        return ExitCode::from(2);
    }
    // Options are meant for libtest, whose place the list takes.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    harness::run(kernel::TESTS, On::Native, &words)
}
