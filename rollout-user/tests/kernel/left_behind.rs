//! A tracer that is killed leaves nothing in the kernel: no program, no link.
//! Comes in: a child process with everything attached. Goes out: the numbers that the kernel still lists.

use aya::programs::{loaded_links, loaded_programs};
use rollout::probe::{Options, Probes};
use rustix::pipe::pipe;
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// Numbers of one kind that a process holds descriptors of.
fn held(pid: i32, field: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let numbers = text.lines().filter_map(|line| line.strip_prefix(field)?.trim().parse().ok());
        found.extend::<Vec<u32>>(numbers.collect());
    }
    found
}

fn listed() -> (BTreeSet<u32>, BTreeSet<u32>) {
    let programs = loaded_programs().flatten().map(|info| info.id()).collect();
    let links = loaded_links().flatten().map(|info| info.id()).collect();
    (programs, links)
}

pub fn nothing_stays_attached_after_a_kill() {
    let (reader, writer) = pipe().unwrap();
    // SAFETY: this thread alone goes on in the child, which never returns to the test.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let probes = Probes::load(&Options::default());
        let word: &[u8] = if probes.is_ok() { b"y" } else { b"n" };
        let _ = rustix::io::write(&writer, word);
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    }
    let mut word = [0];
    rustix::io::read(&reader, &mut word).unwrap();
    let (programs, links) = (held(pid, "prog_id:"), held(pid, "link_id:"));
    let before = listed();
    // SAFETY: a child of this process that was not waited for.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
    assert_eq!(&word, b"y", "the child attached");
    assert!(programs.len() > 5 && links.len() > 5, "{programs:?} {links:?}");
    assert!(before.0.is_superset(&programs) && before.1.is_superset(&links), "{before:?}");
    // The kernel frees them after a grace period.
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (left_programs, left_links) = listed();
        if left_programs.is_disjoint(&programs) && left_links.is_disjoint(&links) {
            return;
        }
        assert!(Instant::now() < end, "still there: {left_programs:?} {left_links:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
