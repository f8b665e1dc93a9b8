//! Builds the eBPF object of `rollout-ebpf` and hands it to the crate as `OUT_DIR/probes.bpf.o`.
//! Comes in: the sources of `rollout-ebpf` and the BPF toolchain that `cargo xtask setup` installs.
//! Goes out: a checked object. Without the feature `probe` nothing runs; without a toolchain the build
//! fails with a hint: an empty object is never embedded.
#[path = "build/elf.rs"]
mod elf;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// Prefix of the toolchain whose `bin/rustc` has the source of `core`; `ROLLOUT_BPF_TOOLCHAIN` overrides it.
const TOOLCHAIN: &str = "/usr";
const TARGET: &str = "bpfel-unknown-none";
/// Where `cargo xtask setup` puts the linker inside the cache; `xtask` builds it under the same name.
const CACHED_LINKER: &str = "bpf-linker-0.13.0/bin/bpf-linker";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/elf.rs");
    if env::var_os("CARGO_FEATURE_PROBE").is_none() {
        return ExitCode::SUCCESS;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("cargo::error=cannot build the eBPF programs: {reason}");
            println!(
                "cargo::error=hint: run cargo xtask setup, or leave them out with --no-default-features"
            );
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    for name in ["ROLLOUT_BPF_TOOLCHAIN", "ROLLOUT_CACHE", "XDG_CACHE_HOME"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    let prefix =
        env::var_os("ROLLOUT_BPF_TOOLCHAIN").map_or(PathBuf::from(TOOLCHAIN), PathBuf::from);
    let cargo = present(prefix.join("bin/cargo"))?;
    let rustc = present(prefix.join("bin/rustc"))?;
    present(prefix.join("lib/rustlib/src/rust/library/core/src/lib.rs"))?;
    let linker = linker()?;
    for file in ["rollout-ebpf", "Cargo.lock", "Cargo.toml"].map(|name| workspace.join(name)) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    for file in [&cargo, &rustc, &linker] {
        println!("cargo::rerun-if-changed={}", file.display());
    }

    let target_dir = out.join("bpf");
    run(compile(&cargo, &rustc, &linker, &workspace, &target_dir))?;
    let built = target_dir.join(TARGET).join("release/probes");
    let object = fs::read(&built)
        .map_err(|error| format!("failed to read `{}`: {error}", built.display()))?;
    elf::check(&object).map_err(|problem| format!("`{}` {problem}", built.display()))?;
    fs::write(out.join("probes.bpf.o"), object)
        .map_err(|error| format!("failed to keep the object: {error}"))
}

/// The compiler call. The workspace's own settings for the host (strip, thin LTO, wrappers such as clippy's)
/// are undone: stripping would drop BTF, and bpf-linker does the optimising.
fn compile(cargo: &Path, rustc: &Path, linker: &Path, workspace: &Path, target: &Path) -> Command {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let flags = [
        &format!("--cfg=bpf_target_arch=\"{architecture}\""),
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        &format!("-Clinker={}", linker.display()),
    ]
    .join("\x1f");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--locked", "--package=rollout-ebpf", "--bin=probes"])
        .args(["-Zbuild-std=core", "--target", TARGET])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace)
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_PROFILE_RELEASE_LTO", "false");
    for name in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| {
        format!("failed to start `{}`: {error}", command.get_program().display())
    })?;
    if output.status.success() {
        return Ok(());
    }
    // One line each: cargo shows only lines that carry the prefix.
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        println!("cargo::error={line}");
    }
    Err(format!("the compiler ended with {}", output.status))
}

/// bpf-linker from `PATH`, else from the cache.
fn linker() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(found) =
        env::split_paths(&path).map(|dir| dir.join("bpf-linker")).find(|file| file.is_file())
    {
        return Ok(found);
    }
    let cache =
        cache_root().ok_or("neither `ROLLOUT_CACHE`, `XDG_CACHE_HOME` nor `HOME` is set")?;
    present(cache.join(CACHED_LINKER))
}

fn cache_root() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("ROLLOUT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("rollout")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/rollout")))
}

fn present(file: PathBuf) -> Result<PathBuf, String> {
    if file.is_file() { Ok(file) } else { Err(format!("`{}` is missing", file.display())) }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("variable `{name}`: {error}"))
}
