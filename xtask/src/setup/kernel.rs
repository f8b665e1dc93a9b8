//! Steps `kernel-…`: cloud kernels of Debian suites for the guest tier. Comes in: the table [`KERNELS`].
//! Goes out: `kernel-SERIES/` in the cache with `vmlinuz`, `release` and `modules/` (with `modules.dep`).

use super::Step;
use super::suite::Suite;
use crate::cache::Cache;
use crate::exec;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel that guests run.
pub struct Kernel {
    /// Name of step and folder, `kernel-` and the first two numbers of its version.
    pub key: &'static str,
    /// The suite that has it, and its security suite where there is one.
    suites: &'static [&'static str],
    /// The package whose dependencies are the kernel and, in newer suites, its modules.
    package: &'static str,
}

/// The kernels of the guest tier.
pub const KERNELS: &[Kernel] = &[
    Kernel {
        key: "kernel-6.1",
        suites: &["bookworm", "bookworm-security"],
        package: "linux-image-cloud-amd64",
    },
    Kernel {
        key: "kernel-6.12",
        suites: &["trixie", "trixie-security"],
        package: "linux-image-cloud-amd64",
    },
];

/// A kernel in the cache.
pub struct Unpacked {
    /// The bootable image.
    pub image: PathBuf,
    /// What `uname -r` prints in it.
    pub release: String,
    /// The folder with `modules.dep` and `kernel/`.
    pub modules: PathBuf,
}

impl Kernel {
    /// The unpacked kernel.
    ///
    /// # Errors
    /// When set-up has not run.
    pub fn unpacked(&self, cache: &Cache) -> Result<Unpacked> {
        let folder = cache.find(self.key).with_context(|| {
            format!("`{}` is not in the cache: run cargo xtask setup", self.key)
        })?;
        Ok(Unpacked {
            image: folder.join("vmlinuz"),
            release: fs::read_to_string(folder.join("release"))?.trim().to_owned(),
            modules: folder.join("modules"),
        })
    }

    fn make(&self, cache: &Cache) -> Result<()> {
        let key_files = ["vmlinuz", "release", "modules/modules.dep"];
        cache.build(self.key, &key_files, |folder| {
            let suite = Suite::read(cache, self.key, self.suites)?;
            let unpacked = tempfile::tempdir_in(folder)?;
            suite.unpack(&suite.depends(self.package)?, unpacked.path())?;
            self.arrange(cache, unpacked.path(), folder)
        })?;
        Ok(())
    }

    /// Moves what is needed from the packages' layout to one that does not depend on the release's name.
    fn arrange(&self, cache: &Cache, from: &Path, to: &Path) -> Result<()> {
        let usr = from.join("usr");
        let base = if usr.join("lib/modules").is_dir() { usr.as_path() } else { from };
        let release = only_entry(&base.join("lib/modules"))?;
        // Packages leave this to their installation scripts.
        let mut depmod = Command::new("depmod");
        exec::logged(depmod.arg("-b").arg(base).arg(&release), &cache.log(self.key))?;
        fs::rename(base.join("lib/modules").join(&release), to.join("modules"))?;
        fs::rename(from.join("boot").join(format!("vmlinuz-{release}")), to.join("vmlinuz"))?;
        fs::write(to.join("release"), format!("{release}\n"))?;
        Ok(())
    }
}

/// One step for each kernel.
pub fn steps() -> Vec<Step> {
    let step = |kernel: &'static Kernel| Step {
        name: kernel.key,
        usual_s: 10,
        heavy: false,
        after: &["packages"],
        missing: Box::new(|cache| {
            Ok(if kernel.unpacked(cache).is_ok() { vec![] } else { vec![kernel.key.to_owned()] })
        }),
        make: Box::new(|cache| kernel.make(cache)),
    };
    KERNELS.iter().map(step).collect()
}

fn only_entry(folder: &Path) -> Result<String> {
    let failed = || format!("failed to read `{}`", folder.display());
    let mut names = fs::read_dir(folder).with_context(failed)?;
    let name = names.next().with_context(failed)??.file_name();
    name.into_string().ok().with_context(failed)
}
