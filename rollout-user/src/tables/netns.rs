//! Network namespaces: open one by path, name it as events do, run code inside it.
//!
//! In: paths such as `/proc/PID/ns/net`. Out: [`Netns`] values, and results of closures that ran in a namespace. The
//! calling thread never moves: a thread of its own enters the namespace and ends there.

use crate::record::kernel::Netns;
use anyhow::{Context, Result, anyhow};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// `SO_NETNS_COOKIE` (Linux 5.14).
const SO_NETNS_COOKIE: libc::c_int = 71;

/// An open network namespace. It lives at least as long as this value.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    inum: u32,
}

impl Namespace {
    /// Opens a namespace file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)
            .with_context(|| format!("cannot open the namespace `{}`", path.display()))?;
        let stat = rustix::fs::fstat(&file)
            .with_context(|| format!("cannot identify the namespace `{}`", path.display()))?;
        // Namespace inodes are 32 bits wide (`ns_common::inum`).
        Ok(Self { file, inum: stat.st_ino as u32 })
    }

    /// Opens the namespace of the calling thread.
    pub fn current() -> Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// Its inode number, as `stat /proc/PID/ns/net` shows it.
    pub fn inum(&self) -> u32 {
        self.inum
    }

    /// Inode and cookie; the cookie is 0 where it cannot be learnt (before Linux 5.14, or no right to enter).
    pub fn identify(&self) -> Netns {
        let cookie = self.enter(probe_cookie).ok().flatten().unwrap_or(0);
        Netns { inum: self.inum, cookie }
    }

    /// Runs `work` on a thread that is inside the namespace. Needs CAP_SYS_ADMIN unless the thread is there already.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let inside = std::thread::Builder::new()
                .name("rollout-netns".into())
                .spawn_scoped(scope, || {
                    self.move_here()?;
                    Ok(work())
                })
                .context("cannot start a thread")?;
            inside.join().map_err(|_| anyhow!("a reader inside a network namespace panicked"))?
        })
    }

    fn move_here(&self) -> Result<()> {
        if Self::current().is_ok_and(|current| current.inum == self.inum) {
            return Ok(());
        }
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(self.file.as_fd(), kind)
            .with_context(|| format!("cannot enter the network namespace {}", self.inum))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The cookie of the calling thread's namespace.
fn probe_cookie() -> Option<u64> {
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
    cookie_of(&socket)
}

fn cookie_of(socket: &OwnedFd) -> Option<u64> {
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: `cookie` and `length` are live, writable, and `length` is the size of `cookie`; the kernel writes at most
    // that many bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_needs_no_right_and_keeps_its_inode() {
        let own = Namespace::current().unwrap();
        let inside = own.enter(|| Namespace::current().unwrap().inum()).unwrap();
        assert_eq!(inside, own.inum());
        assert_eq!(own.identify().inum, own.inum());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Namespace::open(Path::new("/no/such/ns")).unwrap_err();
        assert!(format!("{error:#}").contains("`/no/such/ns`"), "{error:#}");
    }
}
