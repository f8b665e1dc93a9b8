//! Packages of a Debian suite that the machine itself does not use, read without touching its configuration.
//! Comes in: suite names and the mirror that apt already uses. Goes out: downloaded packages, unpacked in a folder.

use crate::cache::Cache;
use crate::exec;
use crate::hint::hinted;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Keys of all Debian releases, from the package `debian-archive-keyring`.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One or several suites with package lists of their own.
pub struct Suite {
    folder: PathBuf,
    log: PathBuf,
}

impl Suite {
    /// Reads the package lists of `suites`, such as `trixie` and `trixie-security`. The folder `name` in the
    /// cache holds them; the log is that of the set-up step `step`.
    ///
    /// # Errors
    /// When apt has no Debian mirror or the lists cannot be read.
    pub fn read(cache: &Cache, step: &str, suites: &[&str]) -> Result<Self> {
        let folder = cache.root().join("work").join(format!("apt-{}", suites.join("-")));
        for part in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let mirrors = Mirrors::of_machine()?;
        let lines: String = suites.iter().map(|suite| mirrors.source(suite)).collect();
        fs::write(folder.join("sources.list"), lines)?;
        let suite = Self { folder, log: cache.log(step) };
        exec::logged(suite.apt("apt-get").arg("update"), &suite.log)?;
        Ok(suite)
    }

    /// The source list, for programs that read suites by themselves.
    pub fn sources(&self) -> PathBuf {
        self.folder.join("sources.list")
    }

    /// The packages that `meta` stands for: its first-level dependencies.
    ///
    /// # Errors
    /// When the suite has no such package.
    pub fn depends(&self, meta: &str) -> Result<Vec<String>> {
        let text = exec::output(self.apt("apt-cache").args(["depends", "--important", meta]))?;
        let names: Vec<_> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .map(str::to_owned)
            .collect();
        ensure!(!names.is_empty(), "package `{meta}` depends on nothing");
        Ok(names)
    }

    /// Downloads exactly `packages` and unpacks them into `target`.
    ///
    /// # Errors
    /// When one is missing or broken.
    pub fn unpack(&self, packages: &[String], target: &Path) -> Result<()> {
        let folder = tempfile::tempdir_in(&self.folder)?;
        let mut download = self.apt("apt-get");
        download.arg("download").args(packages).current_dir(folder.path());
        exec::logged(&mut download, &self.log)?;
        self.unpack_all(folder.path(), target)
    }

    /// Downloads `packages` with everything they need that this machine has not installed, preferring the suite
    /// `release`, and unpacks all into `target`. The machine stays as it is.
    ///
    /// # Errors
    /// When one is missing or broken.
    pub fn unpack_closure(&self, packages: &[&str], release: &str, target: &Path) -> Result<()> {
        let archives = tempfile::tempdir_in(&self.folder)?;
        fs::create_dir(archives.path().join("partial"))?;
        let mut download = self.apt("apt-get");
        download
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", archives.path().display()))
            .args(["-y", "--no-install-recommends", "--download-only", "-t", release, "install"])
            .args(packages);
        exec::logged(&mut download, &self.log)?;
        self.unpack_all(archives.path(), target)
    }

    fn unpack_all(&self, packages: &Path, target: &Path) -> Result<()> {
        let mut count = 0;
        for entry in fs::read_dir(packages)? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                exec::logged(Command::new("dpkg").arg("-x").arg(file).arg(target), &self.log)?;
                count += 1;
            }
        }
        ensure!(count > 0, "nothing was downloaded");
        Ok(())
    }

    /// An apt program that sees only this suite. It takes no lock, as it writes only below `folder`.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut option = |name: &str, value: &str| {
            command.arg("-o").arg(format!("{name}={value}"));
        };
        let path = |part: &str| self.folder.join(part).display().to_string();
        option("Dir::Etc::sourcelist", &path("sources.list"));
        option("Dir::Etc::sourceparts", "/dev/null");
        option("Dir::State::lists", &path("lists"));
        option("Dir::Cache::pkgcache", "");
        option("Dir::Cache::srcpkgcache", "");
        option("APT::Sandbox::User", "root");
        option("Acquire::Languages", "none");
        option("Debug::NoLocking", "1");
        // Descriptions for software centres, which some machines ask for, are larger than the list itself.
        option("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false");
        command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

/// Where this machine's apt gets its packages from.
struct Mirrors {
    main: String,
    security: String,
}

impl Mirrors {
    /// Asks apt; `ROLLOUT_DEBIAN_MIRROR` names a mirror of all suites where apt uses none of Debian.
    fn of_machine() -> Result<Self> {
        if let Ok(mirror) = std::env::var("ROLLOUT_DEBIAN_MIRROR") {
            return Ok(Self { main: mirror.clone(), security: mirror });
        }
        let format = "$(REPO_URI) $(RELEASE) $(LABEL)";
        let targets = exec::output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            format,
            "Created-By: Packages",
        ]))?;
        Self::from_targets(&targets).ok_or_else(|| {
            hinted(
                "apt has no Debian mirror among its sources",
                "set ROLLOUT_DEBIAN_MIRROR to the address of one",
            )
        })
    }

    /// From lines `ADDRESS RELEASE LABEL`, label `Debian` or `Debian-Security`.
    fn from_targets(targets: &str) -> Option<Self> {
        let with = |wanted: &str| {
            targets.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                let (address, label) = (words.next()?, words.nth(1)?);
                (label == wanted).then(|| address.to_owned())
            })
        };
        let main = with("Debian")?;
        let security = with("Debian-Security").unwrap_or_else(|| main.clone());
        Some(Self { main, security })
    }

    fn source(&self, suite: &str) -> String {
        let address = if suite.ends_with("-security") { &self.security } else { &self.main };
        let keys = if Path::new(KEYRING).is_file() {
            format!("[signed-by={KEYRING}] ")
        } else {
            String::new()
        };
        format!("deb {keys}{address} {suite} main\n")
    }
}

/// Code name of the machine's release, such as `bookworm`.
///
/// # Errors
/// When os-release does not tell.
pub fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("failed to read `/etc/os-release`")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(line.context("`/etc/os-release` has no code name")?.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "http://mirror/debian/ bookworm Debian\n\
        http://mirror/debian/ bookworm-updates Debian\n\
        http://mirror/security/ bookworm-security Debian-Security\n";

    #[test]
    fn security_suites_come_from_their_own_mirror() {
        let mirrors = Mirrors::from_targets(TARGETS).unwrap();
        assert!(mirrors.source("trixie").ends_with("http://mirror/debian/ trixie main\n"));
        assert!(
            mirrors
                .source("trixie-security")
                .ends_with("http://mirror/security/ trixie-security main\n")
        );
    }

    #[test]
    fn a_machine_without_a_debian_mirror_has_none() {
        assert!(Mirrors::from_targets("http://mirror/ubuntu/ noble Ubuntu\n").is_none());
        assert!(Mirrors::from_targets("").is_none());
    }
}
