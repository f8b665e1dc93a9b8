//! Programs that outlive the command that started them. Comes in: a command and a name. Goes out: a record of the
//! process, by which it is found and ended later: its id together with its start time, so that another process
//! that got the same id is never touched.

use super::place;
use crate::exec;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that was started.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
pub struct Process {
    /// The name by which it is recorded.
    pub name: String,
    /// Its process id.
    pub pid: i32,
    /// Its start, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    started: u64,
    /// Counts up: processes are ended in the reverse order of their start.
    order: usize,
}

/// Starts `command` in a process group of its own, with its output in its log, and records it.
///
/// # Errors
/// When it does not start or cannot be recorded.
pub fn start(name: &str, command: &mut Command) -> Result<()> {
    let log = fs::File::create(place::log(name))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("failed to start `{}`", exec::line(command)))?;
    let pid = i32::try_from(child.id())?;
    let started = started(pid).with_context(|| format!("`{name}` ended at once"))?;
    let order = recorded()?.iter().map(|process| process.order + 1).max().unwrap_or(0);
    let process = Process { name: name.into(), pid, started, order };
    fs::write(record(name), serde_json::to_vec(&process)?)?;
    Ok(())
}

/// Every recorded process, in the order of their start.
///
/// # Errors
/// When a record cannot be read.
pub fn recorded() -> Result<Vec<Process>> {
    let entries = match fs::read_dir(place::file("processes")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<Process> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let process = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| format!("`{}` is damaged", path.display()))?;
        found.push(process);
    }
    found.sort_by_key(|process| process.order);
    Ok(found)
}

impl Process {
    /// It is the process that was started, and it has not ended.
    pub fn runs(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Sends SIGTERM, later SIGKILL, and forgets the process once it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&self) -> Result<()> {
        for (signal, patience) in [(Signal::TERM, PATIENCE), (Signal::KILL, PATIENCE)] {
            if !self.runs() {
                break;
            }
            if let Some(pid) = Pid::from_raw(self.pid) {
                // It may end between the look and the signal, which is what is wanted.
                let _ = kill_process(pid, signal);
            }
            let end = Instant::now() + patience;
            while self.runs() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        ensure!(!self.runs(), "`{}` (process {}) does not end", self.name, self.pid);
        fs::remove_file(record(&self.name)).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        Ok(())
    }
}

fn record(name: &str) -> PathBuf {
    place::file("processes").join(format!("{name}.json"))
}

/// Start time of a process that has not ended; a zombie has.
fn started(pid: i32) -> Option<u64> {
    start_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `stat`, unless the process is a zombie. The program's name may hold spaces and parentheses.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let state = fields.first()?;
    if matches!(*state, "Z" | "X") { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2 18446744073709551615";

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        assert_eq!(start_time(STAT), Some(98765));
        assert_eq!(start_time("42 (x) S 1"), None);
    }

    #[test]
    fn a_zombie_has_ended() {
        assert_eq!(start_time(&STAT.replace(" S ", " Z ")), None);
    }

    #[test]
    fn a_process_with_the_same_id_and_another_start_is_another_one() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let started = started(pid).unwrap();
        let process = |started| Process { name: "x".into(), pid, started, order: 0 };
        assert!(process(started).runs());
        assert!(!process(started + 1).runs());
    }
}
