//! Step `bpf-linker`: the linker of the eBPF object, built against the distribution's LLVM.
//! Comes in: crates and LLVM 22. Goes out: `bpf-linker-0.13.0/bin/bpf-linker` in the cache, where the build
//! script of `rollout-user` looks for it.

use super::Step;
use crate::cache::Cache;
use crate::exec;
use anyhow::Result;
use std::process::Command;

const VERSION: &str = "0.13.0";
/// LLVM of the same major version as rustc's, or the linker rejects its bitcode.
const LLVM: &str = "22";

/// The step.
pub fn step() -> Step {
    Step {
        name: "bpf-linker",
        usual_s: 180,
        heavy: true,
        after: &["packages"],
        missing: Box::new(|cache| Ok(missing(cache))),
        make: Box::new(make),
    }
}

fn key() -> String {
    format!("bpf-linker-{VERSION}")
}

fn missing(cache: &Cache) -> Vec<String> {
    if cache.find(&key()).is_some() { Vec::new() } else { vec![format!("bpf-linker {VERSION}")] }
}

fn make(cache: &Cache) -> Result<()> {
    let log = cache.log("bpf-linker");
    // Kept between attempts, so that a break costs only the crate that was being built.
    let work = cache.root().join("work/bpf-linker");
    cache.build(&key(), &["bin/bpf-linker"], |folder| {
        let install = ["install", "bpf-linker", "--version", VERSION, "--locked"];
        let features = format!("llvm-{LLVM}");
        exec::logged(
            Command::new("cargo")
                .args(install)
                .args(["--no-default-features", "--features", &features, "--root"])
                .arg(folder)
                .env("LLVM_PREFIX", format!("/usr/lib/llvm-{LLVM}"))
                .env("CARGO_TARGET_DIR", &work)
                .env_remove("RUSTFLAGS"),
            &log,
        )?;
        exec::logged(Command::new(folder.join("bin/bpf-linker")).arg("--version"), &log)
    })?;
    std::fs::remove_dir_all(&work).or(Ok(()))
}
