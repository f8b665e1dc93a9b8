//! Follows a cgroup hierarchy: each new directory within moments of its creation.
//!
//! In: its top directory. Out: each [`Cgroup`] once, those that exist at the start first. By inotify, which costs nothing
//! while nothing happens; where its watches run out, by walking the hierarchy every [`TICK`].

use super::scan;
use crate::record::table::Cgroup;
use crate::tables::worker::{Stop, TICK, Worker};
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Calls `found` for every cgroup that exists, before this returns, and then, on a thread of its own, for every new one.
pub fn follow(root: &Path, mut found: impl FnMut(Cgroup) + Send + 'static) -> Result<Worker> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
    let mut tree = Tree {
        root: root.to_owned(),
        polling: inotify.is_none(),
        inotify,
        watched: BTreeMap::new(),
        known: BTreeSet::new(),
    };
    scan::cgroup_at(root, root)
        .with_context(|| format!("cannot read the cgroup hierarchy `{}`", root.display()))?;
    tree.visit(root.to_owned(), &mut found);
    Worker::start("rollout-cgroup", move |stop| tree.run(&stop, &mut found))
}

struct Tree {
    root: PathBuf,
    inotify: Option<OwnedFd>,
    /// Watch descriptor → directory.
    watched: BTreeMap<i32, PathBuf>,
    /// Ids that were reported.
    known: BTreeSet<u64>,
    /// Watches do not cover everything: walk as well.
    polling: bool,
}

impl Tree {
    fn run(&mut self, stop: &Stop, found: &mut impl FnMut(Cgroup)) {
        while !stop.is_set() {
            if self.polling {
                self.visit(self.root.clone(), found);
            }
            if self.wait() {
                for directory in self.changed() {
                    self.visit(directory, found);
                }
            }
        }
    }

    /// Waits for events, at most one tick.
    fn wait(&self) -> bool {
        let tick = rustix::event::Timespec { tv_sec: 0, tv_nsec: TICK.as_nanos() as _ };
        let mut fds =
            self.inotify.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect::<Vec<_>>();
        // A failing poll (a signal) counts as "no events"; they are still there the next time.
        poll(&mut fds, Some(&tick)).is_ok_and(|ready| ready > 0)
    }

    /// Directories with something new in them.
    fn changed(&mut self) -> Vec<PathBuf> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut changed = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                changed.push(self.root.clone());
            } else if flags.contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
            } else if flags.contains(ReadFlags::ISDIR)
                && let Some(parent) = self.watched.get(&event.wd())
                && let Some(name) = event.file_name()
            {
                changed.push(parent.join(OsStr::from_bytes(name.to_bytes())));
            }
        }
        changed
    }

    /// Reports `top` and everything below it that is new. A directory is watched before it is listed, so that nothing
    /// that is made in between is missed.
    fn visit(&mut self, top: PathBuf, found: &mut impl FnMut(Cgroup)) {
        let mut open = vec![top];
        while let Some(directory) = open.pop() {
            let Ok(cgroup) = scan::cgroup_at(&self.root, &directory) else { continue };
            let is_new = self.known.insert(cgroup.id);
            if is_new {
                found(cgroup);
            }
            if is_new || !self.polling {
                self.watch(&directory);
            }
            if let Ok(mut below) = scan::subdirectories(&directory) {
                below.sort_by(|a, b| b.cmp(a));
                open.extend(below);
            }
        }
    }

    fn watch(&mut self, directory: &Path) {
        let Some(inotify) = &self.inotify else { return };
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        match inotify::add_watch(inotify, directory, flags) {
            Ok(descriptor) => {
                self.watched.insert(descriptor, directory.to_owned());
            }
            // It is gone already; all else (`fs.inotify.max_user_watches`) leaves a blind spot.
            Err(rustix::io::Errno::NOENT) => {}
            Err(_) => self.polling = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// Long enough for any machine; a test that passes does not wait for it.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn started(root: &Path) -> (Worker, Receiver<String>) {
        let (sender, receiver) = channel();
        let worker = follow(root, move |cgroup| {
            let _ = sender.send(cgroup.path);
        })
        .unwrap();
        (worker, receiver)
    }

    fn next(receiver: &Receiver<String>) -> String {
        receiver.recv_timeout(PATIENCE).unwrap()
    }

    #[test]
    fn existing_directories_come_first_and_new_ones_as_they_are_made() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("kubepods/burstable")).unwrap();
        let (_worker, receiver) = started(root.path());
        let start: Vec<_> = receiver.try_iter().collect();
        assert_eq!(start, ["/", "/kubepods", "/kubepods/burstable"]);
        std::fs::create_dir_all(root.path().join("kubepods/burstable/pod1/c1")).unwrap();
        assert_eq!(next(&receiver), "/kubepods/burstable/pod1");
        assert_eq!(next(&receiver), "/kubepods/burstable/pod1/c1");
        std::fs::create_dir(root.path().join("kubepods/burstable/pod1/c1/nested")).unwrap();
        assert_eq!(next(&receiver), "/kubepods/burstable/pod1/c1/nested");
    }

    #[test]
    fn a_burst_of_nested_directories_is_reported_whole_and_once() {
        let root = tempfile::tempdir().unwrap();
        let (worker, receiver) = started(root.path());
        let mut made = BTreeSet::from(["/".to_owned()]);
        for pod in 0..200 {
            std::fs::create_dir_all(root.path().join(format!("kubepods/pod{pod}/c"))).unwrap();
            made.insert(format!("/kubepods/pod{pod}"));
            made.insert(format!("/kubepods/pod{pod}/c"));
        }
        made.insert("/kubepods".into());
        let seen: Vec<_> = (0..made.len()).map(|_| next(&receiver)).collect();
        drop(worker);
        assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), made);
        assert_eq!(receiver.try_iter().count(), 0, "reported twice");
    }

    #[test]
    fn without_inotify_the_walk_finds_them() {
        let root = tempfile::tempdir().unwrap();
        let (sender, receiver) = channel();
        let mut tree = Tree {
            root: root.path().to_owned(),
            inotify: None,
            watched: BTreeMap::new(),
            known: BTreeSet::new(),
            polling: true,
        };
        let _worker = Worker::start("test", move |stop| {
            tree.run(&stop, &mut |cgroup| {
                let _ = sender.send(cgroup.path);
            });
        })
        .unwrap();
        assert_eq!(next(&receiver), "/");
        std::fs::create_dir(root.path().join("kubepods")).unwrap();
        assert_eq!(next(&receiver), "/kubepods");
    }
}
