//! Tier `guest`: the same tests and more on other kernels, each in a small virtual machine.
//! Comes in: the test binary `guest` as init, the kernels of the cache. Goes out: counts.
//! The guest must print the line `guest: finished` after its results: a panic or a stop on the way is a failure.

use super::{Choice, Counts, binary};
use crate::cache::Cache;
use crate::setup::kernel::{KERNELS, Kernel};
use crate::vm::archive::Archive;
use crate::vm::{boot, modules, programs as host};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// What the tests need; `test::guest::init` loads them in this order.
const MODULES: &[&str] = &[
    "ip_vs",
    "ip_vs_rr",
    "nf_conntrack_netlink",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_ct",
    "nft_reject_inet",
    "tcp_diag",
    "veth",
    "bridge",
    "dummy",
    "sch_netem",
];
/// What the tests call; `modprobe` is not among them, as all modules are loaded before.
const PROGRAMS: &[&str] = &["ip", "tc", "nft", "conntrack", "sleep", "sh"];
/// The end of a run that reached its end.
const MARKER: &str = "guest: finished";
/// A boot takes some 5 s, and each test some seconds, many times slower than on real hardware.
const LIMIT: Duration = Duration::from_secs(1_800);

/// Builds the guest tests and runs them on each kernel.
///
/// # Errors
/// When they do not build or set-up is incomplete.
pub fn run(choice: &Choice) -> Result<Counts> {
    let cache = Cache::open()?;
    let built = binary::build_static("guest")?;
    let programs = [("/init", fs::read(built.test)?), ("/bin/rollout", fs::read(built.rollout)?)];
    let chosen = |kernel: &&Kernel| choice.kernel.as_deref().is_none_or(|key| key == kernel.key);
    // Side by side: a guest keeps one processor busy.
    Ok(thread::scope(|scope| {
        let runs: Vec<_> = KERNELS
            .iter()
            .filter(chosen)
            .map(|kernel| {
                let run = || run_on(&cache, kernel, &programs, &choice.words);
                (kernel.key, scope.spawn(run))
            })
            .collect();
        let mut sum = Counts::default();
        for (key, run) in runs {
            let result = run.join().unwrap_or_else(|_| Err(anyhow!("the run panicked")));
            sum.add(result.unwrap_or_else(|error| {
                eprintln!("error: {key}: {error:#}");
                Counts { failed: 1, ..Counts::default() }
            }));
        }
        sum
    }))
}

fn run_on(
    cache: &Cache,
    kernel: &Kernel,
    programs: &[(&str, Vec<u8>)],
    tests: &[String],
) -> Result<Counts> {
    let unpacked = kernel.unpacked(cache)?;
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("initramfs");
    fs::write(&archive, initramfs(&unpacked.modules, programs)?)?;
    let mut words = format!("rollout.release={}", unpacked.release);
    if !tests.is_empty() {
        words.push_str(&format!(" rollout.tests={}", tests.join(",")));
    }
    let guest = boot::Guest {
        kernel: &unpacked.image,
        archive: &archive,
        words: &words,
        label: kernel.key,
        limit: LIMIT,
    };
    judge(&boot::run(cache, &guest)?)
}

fn judge(text: &str) -> Result<Counts> {
    let counts = Counts::of_libtest(text).context("no guest test ran to its end")?;
    if !text.lines().any(|line| line.trim_end().ends_with(MARKER)) {
        bail!("the guest stopped after `{counts}`");
    }
    Ok(counts)
}

fn initramfs(module_folder: &Path, programs: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/proc", "/sys", "/tmp", "/run/netns", "/etc"] {
        archive.folder(folder);
    }
    // Without it init has no output.
    archive.character("/dev/console", 5, 1);
    for (path, content) in programs {
        archive.file(path, content);
    }
    let mut order = String::new();
    for module in modules::read(module_folder, MODULES)? {
        archive.file(&format!("/modules/{}.ko", module.name), &module.content);
        order.push_str(&module.name);
        order.push('\n');
    }
    archive.file("/modules/order", order.as_bytes());
    for (path, file) in host::with_libraries(PROGRAMS)? {
        let content =
            fs::read(&file).with_context(|| format!("failed to read `{}`", file.display()))?;
        archive.file(&path, &content);
    }
    Ok(archive.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str =
        "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r\n";

    #[test]
    fn a_finished_run_counts() {
        let counts = judge(&format!("{RESULT}guest: finished\r\n")).unwrap();
        assert_eq!(counts.to_string(), "3 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_guest_that_stops_on_the_way_fails() {
        assert!(judge(RESULT).is_err());
        assert!(judge("Kernel panic - not syncing\r\nguest: finished\r\n").is_err());
    }
}
