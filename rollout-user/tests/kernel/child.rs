//! Child processes in cgroups of their own.
//! Comes in: a name, what the child does. Goes out: a cgroup and a process that are gone when the test ends.

use rollout::tables::cgroup::hierarchy;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A cgroup below the top of the hierarchy that names pods; removed at the end.
pub struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Makes one; the name is unique among the tests of this process.
    pub fn new(name: &str) -> Self {
        let root = hierarchy::find(Path::new("/proc")).unwrap().root;
        let directory = root.join(format!("rollout-{name}-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        Self { directory }
    }

    /// Makes one below it.
    pub fn below(&self, name: &str) -> Self {
        let directory = self.directory.join(name);
        fs::create_dir(&directory).unwrap();
        Self { directory }
    }

    /// The id that events carry.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.directory).unwrap().ino()
    }

    /// Lists its processes, and takes new ones.
    pub fn file(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Busy for a moment after its last process has ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// A child that is killed when the test ends, whatever its result.
pub struct Child(pub i32);

impl Child {
    /// Sends it a signal.
    pub fn kill(&self, signal: i32) {
        // SAFETY: signals a child of this process that was not waited for.
        assert_eq!(unsafe { libc::kill(self.0, signal) }, 0);
    }

    /// Waits for its end.
    pub fn wait(self) {
        let mut status = 0;
        // SAFETY: waits for a child of this process.
        unsafe { libc::waitpid(self.0, &mut status, 0) };
        std::mem::forget(self);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: a child of this process that was not waited for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, &mut status, 0);
        }
    }
}

/// Runs `body` in a child process inside a cgroup; it must only make system calls.
pub fn fork(cgroup: &Cgroup, body: impl FnOnce() -> i32) -> Child {
    let file = fs::OpenOptions::new().write(true).open(cgroup.file()).unwrap();
    // SAFETY: the child makes system calls only and ends with `_exit`.
    match unsafe { libc::fork() } {
        0 => {
            // "0" is the writing process itself.
            let _ = rustix::io::write(&file, b"0");
            let code = body();
            // SAFETY: ends the child without running destructors of the parent's values.
            unsafe { libc::_exit(code) }
        }
        pid => {
            assert!(pid > 0, "fork");
            Child(pid)
        }
    }
}
