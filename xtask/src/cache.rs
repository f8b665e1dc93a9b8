//! The cache outside the tree: one folder for each artefact, named `name-version`.
//! Comes in: a key, the artefact's key files and a way to make it. Goes out: the path of a complete, checked folder.
//!
//! A folder is built as a temporary sibling and renamed when complete; its file `complete` holds size and SHA-256
//! of the key files, and both are compared before each use. A break leaves only a sibling, which the next run removes.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io};

const STAMP: &str = "complete";

/// A folder of artefacts.
#[derive(Clone)]
pub struct Cache {
    root: PathBuf,
}

/// What was checked of one file when the artefact was complete.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
struct Checked {
    path: String,
    size: u64,
    sha256: String,
}

impl Cache {
    /// The user's cache: `$ROLLOUT_CACHE`, else `$XDG_CACHE_HOME/rollout`, else `~/.cache/rollout`.
    ///
    /// # Errors
    /// When none of the three variables is set or the folder cannot be made.
    pub fn open() -> Result<Self> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("ROLLOUT_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("rollout")))
            .or_else(|| set("HOME").map(|folder| folder.join(".cache/rollout")))
            .context("neither `ROLLOUT_CACHE`, `XDG_CACHE_HOME` nor `HOME` is set")?;
        Self::at(&root)
    }

    /// The cache in the folder `root`, which is made when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("failed to make `{}`", root.display()))?;
        Ok(Self { root: fs::canonicalize(root)? })
    }

    /// The folder that holds all artefacts.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log file of a set-up step.
    pub fn log(&self, step: &str) -> PathBuf {
        self.root.join("logs").join(format!("{step}.log"))
    }

    /// The artefact `key`, or nothing when it is not there, incomplete or no longer what was checked.
    pub fn find(&self, key: &str) -> Option<PathBuf> {
        let folder = self.root.join(key);
        let stamp: Vec<Checked> =
            serde_json::from_slice(&fs::read(folder.join(STAMP)).ok()?).ok()?;
        let same = |was: &Checked| {
            let file = folder.join(&was.path);
            fs::metadata(&file).is_ok_and(|now| now.len() == was.size)
                && check(&folder, &was.path).is_ok_and(|now| now == *was)
        };
        stamp.iter().all(same).then_some(folder)
    }

    /// The artefact `key`; where it is not usable, `make` fills a new folder, which then must hold `key_files`.
    /// Only one process builds a key at a time; the others wait and find it done.
    ///
    /// # Errors
    /// What `make` returns, or that a key file is missing or empty.
    pub fn build(
        &self,
        key: &str,
        key_files: &[&str],
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let _lock = self.lock(key)?;
        if let Some(found) = self.find(key) {
            return Ok(found);
        }
        let partial = self.root.join(format!(".{key}.partial"));
        remove(&partial)?;
        fs::create_dir(&partial)?;
        make(&partial).with_context(|| format!("failed to make `{key}`"))?;
        let mut stamp = Vec::new();
        for file in key_files {
            let checked = check(&partial, file)?;
            ensure!(checked.size > 0, "`{file}` of `{key}` is empty");
            stamp.push(checked);
        }
        fs::write(partial.join(STAMP), serde_json::to_vec_pretty(&stamp)?)?;
        let folder = self.root.join(key);
        remove(&folder)?;
        fs::rename(&partial, &folder)?;
        Ok(folder)
    }

    fn lock(&self, key: &str) -> Result<File> {
        let path = self.root.join(format!(".{key}.lock"));
        let file =
            File::create(&path).with_context(|| format!("failed to make `{}`", path.display()))?;
        file.lock().with_context(|| format!("failed to lock `{}`", path.display()))?;
        Ok(file)
    }
}

fn check(folder: &Path, path: &str) -> Result<Checked> {
    let mut file = File::open(folder.join(path)).with_context(|| format!("`{path}` is missing"))?;
    let mut hash = Sha256::new();
    let size = io::copy(&mut file, &mut hash)?;
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Checked { path: path.into(), size, sha256 })
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("cache")).unwrap();
        (folder, cache)
    }

    fn make(cache: &Cache, text: &str) -> PathBuf {
        cache.build("tool-1", &["bin"], |folder| Ok(fs::write(folder.join("bin"), text)?)).unwrap()
    }

    #[test]
    fn an_artefact_is_made_once() {
        let (_keep, cache) = cache();
        assert_eq!(cache.find("tool-1"), None);
        let path = make(&cache, "one");
        assert_eq!(make(&cache, "two"), path);
        assert_eq!(fs::read_to_string(path.join("bin")).unwrap(), "one");
        assert_eq!(cache.find("tool-1"), Some(path));
    }

    #[test]
    fn a_break_leaves_nothing_that_looks_complete_and_the_next_run_starts_clean() {
        let (_keep, cache) = cache();
        let broken = cache.build("tool-1", &["bin"], |folder| {
            fs::write(folder.join("leftover"), "x")?;
            bail!("power cut")
        });
        assert!(broken.is_err());
        assert_eq!(cache.find("tool-1"), None);
        let path = make(&cache, "one");
        assert!(!path.join("leftover").exists());
    }

    #[test]
    fn a_missing_or_empty_key_file_is_an_error() {
        let (_keep, cache) = cache();
        assert!(cache.build("tool-1", &["bin"], |_| Ok(())).is_err());
        assert!(
            cache
                .build("tool-1", &["bin"], |folder| Ok(fs::write(folder.join("bin"), "")?))
                .is_err()
        );
        assert_eq!(cache.find("tool-1"), None);
    }

    #[test]
    fn a_changed_file_of_the_same_size_is_noticed_and_rebuilt() {
        let (_keep, cache) = cache();
        let path = make(&cache, "one");
        fs::write(path.join("bin"), "0ne").unwrap();
        assert_eq!(cache.find("tool-1"), None);
        assert_eq!(fs::read_to_string(make(&cache, "two").join("bin")).unwrap(), "two");
    }

    #[test]
    fn a_folder_without_a_stamp_is_not_used() {
        let (_keep, cache) = cache();
        fs::create_dir_all(cache.root().join("tool-1")).unwrap();
        fs::write(cache.root().join("tool-1/bin"), "one").unwrap();
        assert_eq!(cache.find("tool-1"), None);
        make(&cache, "two");
    }
}
