//! Kernel modules for a guest, with all they need, in the order in which they can be loaded.
//! Comes in: names and the kernel's module folder. Goes out: uncompressed module files.

use crate::exec;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A module ready to be loaded.
pub struct Module {
    /// Its name, such as `ip_vs`.
    pub name: String,
    /// The uncompressed file.
    pub content: Vec<u8>,
}

/// The modules `names` and all they need, each after its needs. Built-in ones are left out.
///
/// # Errors
/// When the kernel has no such module or a file cannot be read.
pub fn read(folder: &Path, names: &[&str]) -> Result<Vec<Module>> {
    let text = |file: &str| {
        fs::read_to_string(folder.join(file))
            .with_context(|| format!("failed to read `{}`", folder.join(file).display()))
    };
    let paths = order(&text("modules.dep")?, &text("modules.builtin")?, names)?;
    paths.iter().map(|path| load(folder, path)).collect()
}

fn load(folder: &Path, path: &str) -> Result<Module> {
    let file = folder.join(path);
    let content = if path.ends_with(".xz") {
        let mut command = Command::new("xz");
        let output = command.arg("-dc").arg(&file).output().context("failed to start `xz`")?;
        if !output.status.success() {
            bail!("`{}` ended with {}", exec::line(&command), output.status);
        }
        output.stdout
    } else if path.ends_with(".ko") {
        fs::read(&file).with_context(|| format!("failed to read `{}`", file.display()))?
    } else {
        bail!("`{path}` is compressed in a way that is not known");
    };
    Ok(Module { name: name_of(path), content })
}

/// Paths of the modules and their needs, needs first.
fn order(dependencies: &str, built_in: &str, names: &[&str]) -> Result<Vec<String>> {
    let mut by_name = BTreeMap::new();
    for line in dependencies.lines() {
        if let Some((path, needs)) = line.split_once(':') {
            by_name.insert(name_of(path), (path, needs));
        }
    }
    let built_in: BTreeSet<_> = built_in.lines().map(name_of).collect();
    let mut paths = Vec::new();
    for name in names {
        match by_name.get(&name.replace('-', "_")) {
            // The file lists all needs of a module, of which each line's last ones come first.
            Some((path, needs)) => {
                let all = needs.split_whitespace().rev().chain([*path]);
                for path in all {
                    if !paths.iter().any(|known| known == path) {
                        paths.push(path.to_owned());
                    }
                }
            }
            None if built_in.contains(*name) => {}
            None => bail!("the kernel has no module `{name}`"),
        }
    }
    Ok(paths)
}

/// `ip_vs` of `kernel/net/netfilter/ipvs/ip_vs.ko.xz`; dashes count as underscores, as in the kernel.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "kernel/net/ip_vs.ko.xz: kernel/net/nf_conntrack.ko.xz kernel/net/nf-defrag.ko.xz\n\
        kernel/net/nf_conntrack.ko.xz: kernel/net/nf-defrag.ko.xz\n\
        kernel/net/nf-defrag.ko.xz:\n\
        kernel/net/ip_vs_rr.ko.xz: kernel/net/ip_vs.ko.xz kernel/net/nf_conntrack.ko.xz kernel/net/nf-defrag.ko.xz\n";

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let paths = order(DEPENDENCIES, "", &["ip_vs_rr", "nf_conntrack", "ip_vs"]).unwrap();
        let names: Vec<_> = paths.iter().map(|path| name_of(path)).collect();
        assert_eq!(names, ["nf_defrag", "nf_conntrack", "ip_vs", "ip_vs_rr"]);
    }

    #[test]
    fn built_in_modules_are_left_out_and_unknown_ones_refused() {
        let built_in = "kernel/net/veth.ko\n";
        assert_eq!(order(DEPENDENCIES, built_in, &["veth"]).unwrap(), Vec::<String>::new());
        let error = order(DEPENDENCIES, built_in, &["no_such"]).unwrap_err();
        assert!(error.to_string().contains("`no_such`"));
    }

    #[test]
    fn a_dash_in_a_file_name_is_an_underscore_in_the_module_name() {
        assert_eq!(name_of("kernel/net/nf-defrag.ko.xz"), "nf_defrag");
        assert_eq!(order(DEPENDENCIES, "", &["nf-defrag"]).unwrap().len(), 1);
    }
}
