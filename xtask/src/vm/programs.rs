//! Programs of this machine for a guest, with the shared libraries they need.
//! Comes in: names. Goes out: absolute paths in the guest and the files to put there.

use crate::exec;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The folders in which a package puts programs; root's `PATH` need not have the second one.
const FOLDERS: &[&str] = &["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Where in the guest each file goes, and the file of this machine.
///
/// # Errors
/// When a program is not installed or a library is missing.
pub fn with_libraries(names: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for name in names {
        let program = FOLDERS
            .iter()
            .map(|folder| PathBuf::from(folder).join(name))
            .find(|file| file.is_file())
            .with_context(|| format!("`{name}` is not installed: run cargo xtask setup"))?;
        let text = exec::output(Command::new("ldd").arg(&program))?;
        for library in libraries(&text)? {
            files.insert(library.clone(), PathBuf::from(library));
        }
        files.insert(format!("/bin/{name}"), program);
    }
    Ok(files)
}

/// The paths in what `ldd` prints: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` of the loader.
fn libraries(text: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in text.lines() {
        if line.contains("not found") {
            bail!("a library is missing: {}", line.trim());
        }
        let path = line.split_once("=> ").map_or(line, |(_, path)| path);
        let path = path.split_whitespace().next().unwrap_or_default();
        if path.starts_with('/') {
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_found_and_the_kernels_own_is_not() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n";
        assert_eq!(
            libraries(text).unwrap(),
            ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]
        );
        assert_eq!(libraries("\tnot a dynamic executable\n").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_library_is_an_error() {
        assert!(libraries("\tlibnl.so => not found\n").is_err());
    }
}
