//! Step `packages`: what the distribution provides. Comes in: a list of package names. Goes out: all installed.
//! The package lists are refreshed once, and only when something is missing.

use super::Step;
use crate::cache::Cache;
use crate::exec;
use anyhow::Result;
use std::process::Command;

/// BPF compiler with the source of `core`, LLVM for the linker, and the tools of tests and lab.
const PACKAGES: &[&str] = &[
    "rustc-web",
    "rust-web-src",
    "cargo-web",
    "llvm-22-dev",
    "zlib1g-dev",
    "libzstd-dev",
    "mmdebstrap",
    "tcpdump",
    "jq",
    "zstd",
    "nftables",
    "conntrack",
    "iproute2",
    "ethtool",
    "kmod",
    "xz-utils",
    "e2fsprogs",
    "openssl",
];

/// The step.
pub fn step() -> Step {
    Step {
        name: "packages",
        usual_s: 40,
        heavy: false,
        after: &[],
        missing: Box::new(|_| Ok(missing(installed()))),
        make: Box::new(make),
    }
}

/// A call of `apt-get` that asks nothing and waits for another one to end.
pub fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn make(cache: &Cache) -> Result<()> {
    let log = cache.log("packages");
    exec::logged(apt_get().arg("update"), &log)?;
    let names = missing(installed());
    exec::logged(apt_get().args(["install", "--no-install-recommends"]).args(names), &log)
}

/// Names and states of all packages; empty where there is no dpkg.
fn installed() -> String {
    let format = "${binary:Package} ${db:Status-Status}\\n";
    exec::output(Command::new("dpkg-query").args(["-W", "-f", format])).unwrap_or_default()
}

fn missing(installed: String) -> Vec<String> {
    let has = |name: &str| {
        installed.lines().filter_map(|line| line.split_once(' ')).any(|(package, state)| {
            // A library's name carries its architecture.
            state == "installed" && package.split(':').next() == Some(name)
        })
    };
    PACKAGES.iter().filter(|name| !has(name)).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_removed_or_unknown_are_missing() {
        let mut text: String = PACKAGES.iter().map(|name| format!("{name} installed\n")).collect();
        text = text.replace("zlib1g-dev ", "zlib1g-dev:amd64 ");
        assert_eq!(missing(text.clone()), Vec::<String>::new());
        text = text.replace("jq installed", "jq config-files").replace("kmod installed\n", "");
        assert_eq!(missing(text), ["jq", "kmod"]);
    }

    #[test]
    fn without_a_package_manager_everything_is_missing() {
        assert_eq!(missing(String::new()).len(), PACKAGES.len());
    }
}
