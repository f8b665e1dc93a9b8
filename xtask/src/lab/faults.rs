//! Faults of one run, on time. Comes in: a variant's faults, and what happens in the cluster. Goes out: scripts that run in
//! the node. Whatever happens, what was begun is undone.

use super::variant::{Anchor, Fault, Moment};
use super::{control, guest};
use crate::cache::Cache;
use crate::exec;
use anyhow::Result;
use std::net::IpAddr;
use std::time::Instant;

/// How far a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Begun,
    Undone,
}

/// The faults of a run.
pub struct Faults<'a> {
    cache: &'a Cache,
    faults: Vec<(Fault, State)>,
    update: Option<Instant>,
    deletion: Option<(Instant, Option<IpAddr>)>,
}

impl<'a> Faults<'a> {
    /// Nothing has begun.
    pub fn new(cache: &'a Cache, faults: &[Fault]) -> Self {
        let faults = faults.iter().map(|fault| (fault.clone(), State::Waiting)).collect();
        Self { cache, faults, update: None, deletion: None }
    }

    /// The update is about to begin: what begins with it begins now.
    ///
    /// # Errors
    /// When a script fails.
    pub fn update_begins(&mut self) -> Result<()> {
        self.update = Some(Instant::now());
        self.step()
    }

    /// A pod is going.
    pub fn pod_goes(&mut self, address: Option<IpAddr>) {
        if self.deletion.is_none() {
            self.deletion = Some((Instant::now(), address));
        }
    }

    /// Begins and undoes what is due.
    ///
    /// # Errors
    /// When a script fails.
    pub fn step(&mut self) -> Result<()> {
        let (update, deletion) = (self.update, self.deletion);
        let due = |moment: &Moment| {
            let since = match moment.at {
                Anchor::Update => update,
                Anchor::Deletion => deletion.map(|(since, _)| since),
            };
            since.is_some_and(|since| since.elapsed() >= moment.after)
        };
        let old = deletion.and_then(|(_, address)| address);
        for (fault, state) in &mut self.faults {
            if *state == State::Waiting && due(&fault.from) {
                run(&fault.node, old)?;
                if !fault.kubectl.is_empty() {
                    exec::output(control::kubectl(self.cache)?.args(&fault.kubectl))?;
                }
                *state = State::Begun;
            }
            if *state == State::Begun && due(&fault.until) {
                run(&fault.undo, old)?;
                *state = State::Undone;
            }
        }
        Ok(())
    }

    /// Whether nothing is left to be undone.
    pub fn are_over(&self) -> bool {
        self.faults.iter().all(|(_, state)| *state != State::Begun)
    }
}

impl Drop for Faults<'_> {
    fn drop(&mut self) {
        let old = self.deletion.and_then(|(_, address)| address);
        for (fault, _) in self.faults.iter().filter(|(_, state)| *state == State::Begun) {
            if let Err(error) = run(&fault.undo, old) {
                eprintln!("error: failed to undo a fault with `{}`: {error:#}", fault.undo);
            }
        }
    }
}

fn run(script: &str, old: Option<IpAddr>) -> Result<()> {
    if script.is_empty() {
        return Ok(());
    }
    let old = old.map(|address| address.to_string()).unwrap_or_default();
    guest::shell(&format!("OLD={old}; {script}"))?;
    Ok(())
}
