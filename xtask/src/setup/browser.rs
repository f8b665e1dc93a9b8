//! Step `browser`: a browser without windows, for the tests of the HTML report. Comes in: the distribution. Goes out: the
//! package installed. Debian has it; elsewhere the tests are skipped, and counted, where none is on the path.

use super::{Step, packages};
use crate::cache::Cache;
use crate::exec;
use anyhow::Result;
use std::path::Path;

/// Programs that serve, as `rollout-user/tests/browser/devtools.rs` looks for them.
const PROGRAMS: [&str; 4] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
/// Debian's package, and a font, without which there would be no text.
const PACKAGES: [&str; 2] = ["chromium-headless-shell", "fonts-dejavu-core"];

/// The step.
pub fn step() -> Step {
    Step {
        name: "browser",
        usual_s: 40,
        heavy: false,
        after: &["packages"],
        missing: Box::new(|_| {
            let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
            Ok(missing(&os_release, is_on_path()))
        }),
        make: Box::new(make),
    }
}

fn missing(os_release: &str, is_there: bool) -> Vec<String> {
    let is_debian = os_release.lines().any(|line| line.trim() == "ID=debian");
    if is_there || !is_debian { Vec::new() } else { vec![PACKAGES[0].to_owned()] }
}

fn is_on_path() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |folder: &Path| PROGRAMS.iter().any(|name| folder.join(name).is_file());
    std::env::split_paths(&path).any(|folder| has(&folder))
}

fn make(cache: &Cache) -> Result<()> {
    let log = cache.log("browser");
    exec::logged(packages::apt_get().arg("update"), &log)?;
    let mut install = packages::apt_get();
    exec::logged(install.args(["install", "--no-install-recommends"]).args(PACKAGES), &log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_without_a_browser_misses_one() {
        let debian = "NAME=x\nID=debian\n";
        assert_eq!(missing(debian, false), ["chromium-headless-shell"]);
        assert_eq!(missing(debian, true), Vec::<String>::new());
        assert_eq!(missing("ID=ubuntu\nID_LIKE=debian\n", false), Vec::<String>::new());
    }
}
