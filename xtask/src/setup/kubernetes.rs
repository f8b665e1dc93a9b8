//! Step `kubernetes`: etcd, the control plane, kube-proxy, kubelet and kubectl as one program.
//! Comes in: `xtask/lab-components/main.go` and Go modules. Goes out: `kubernetes-VERSION-HASH/` in the cache with
//! one link for each component.

use super::Step;
use crate::cache::Cache;
use crate::exec;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The last version that takes containerd 1.x, which Debian has.
pub const VERSION: &str = "1.35.4";
const SOURCE: &str = include_str!("../../lab-components/main.go");
/// The one program; its name decides nothing, the links' names do.
const PROGRAM: &str = "components";
/// The names it can be called by.
const COMPONENTS: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
];

/// The step.
pub fn step() -> Step {
    Step {
        name: "kubernetes",
        usual_s: 420,
        heavy: true,
        after: &[],
        missing: Box::new(|cache| {
            Ok(if folder(cache).is_ok() { vec![] } else { vec![format!("Kubernetes {VERSION}")] })
        }),
        make: Box::new(make),
    }
}

/// The folder that holds `components` and a link to it for each component.
///
/// # Errors
/// When set-up has not run.
pub fn folder(cache: &Cache) -> Result<PathBuf> {
    cache.find(&key()).context("Kubernetes is not in the cache: run cargo xtask setup")
}

fn key() -> String {
    let hash = Sha256::digest(SOURCE);
    let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("kubernetes-{VERSION}-{short}")
}

fn make(cache: &Cache) -> Result<()> {
    let log = cache.log("kubernetes");
    let work = cache.root().join("work").join(key());
    fs::create_dir_all(&work)?;
    cache.build(&key(), &[PROGRAM], |folder| {
        fs::write(work.join("main.go"), SOURCE)?;
        module(&work)?;
        exec::logged(go(&work).args(["mod", "tidy"]), &log)?;
        let version = |package: &str| format!("-X {package}.gitVersion=v{VERSION}");
        let flags = format!(
            "-s -w {} {}",
            version("k8s.io/component-base/version"),
            version("k8s.io/client-go/pkg/version")
        );
        let program = folder.join(PROGRAM);
        let mut build = go(&work);
        build.args(["build", "-trimpath", "-ldflags", &flags, "-o"]).arg(&program).arg(".");
        exec::logged(build.env("CGO_ENABLED", "0"), &log)?;
        for name in COMPONENTS {
            symlink(PROGRAM, folder.join(name))?;
        }
        let text = exec::output(Command::new(folder.join("kubelet")).arg("--version"))?;
        ensure!(text.trim() == format!("Kubernetes v{VERSION}"), "kubelet says `{}`", text.trim());
        Ok(())
    })?;
    fs::remove_dir_all(work).or(Ok(()))
}

fn go(folder: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(folder).env("GOFLAGS", "-mod=mod -buildvcs=false").env("GOWORK", "off");
    command
}

/// What `go mod download -json` tells of a module.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "GoMod")]
    go_mod: PathBuf,
}

/// Writes go.mod. The main module replaces its staging modules with local folders, which are not part of it
/// once published, so each has to be replaced with the published one of the same version.
fn module(work: &Path) -> Result<()> {
    fs::write(work.join("go.mod"), "module components\n\ngo 1.25.0\n")?;
    let name = format!("k8s.io/kubernetes@v{VERSION}");
    let told = exec::output(go(work).args(["mod", "download", "-json", &name]))?;
    let module: Module = serde_json::from_str(&told).context("failed to read what `go` told")?;
    let upstream = fs::read_to_string(&module.go_mod)
        .with_context(|| format!("failed to read `{}`", module.go_mod.display()))?;
    let text = go_mod(&upstream)?;
    Ok(fs::write(work.join("go.mod"), text)?)
}

fn go_mod(upstream: &str) -> Result<String> {
    let staging: Vec<_> = upstream
        .lines()
        .filter_map(|line| line.trim().split_once(" => ./staging/"))
        .map(|(module, _)| module)
        .collect();
    ensure!(!staging.is_empty(), "go.mod of Kubernetes names no staging modules");
    let minor = VERSION.split_once('.').map_or(VERSION, |(_, minor)| minor);
    let mut text = format!(
        "module components\n\ngo 1.25.0\n\nrequire k8s.io/kubernetes v{VERSION}\n\nreplace (\n"
    );
    for module in staging {
        writeln!(text, "\t{module} => {module} v0.{minor}")?;
    }
    text.push_str(")\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_modules_are_replaced_with_published_ones() {
        let upstream =
            "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tother => example v1\n)\n";
        let text = go_mod(upstream).unwrap();
        assert!(text.contains("\tk8s.io/api => k8s.io/api v0.35.4\n"), "{text}");
        assert!(!text.contains("other"), "{text}");
        assert!(go_mod("module x\n").is_err());
    }

    #[test]
    fn another_source_is_another_artefact() {
        assert!(key().starts_with("kubernetes-1.35.4-"));
        assert_eq!(key().len(), "kubernetes-1.35.4-".len() + 8);
    }
}
