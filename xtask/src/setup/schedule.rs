//! Runs steps, those that do not depend on each other side by side. Comes in: steps with dependencies.
//! Goes out: a progress line for each beginning and end, and one error that lists all steps that failed.

use super::Step;
use crate::cache::Cache;
use anyhow::{Result, anyhow, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Busy steps that may run at a time.
const HEAVY: usize = 2;

/// The steps with those names and all they depend on, in the order of `steps`; all without a name.
///
/// # Errors
/// When a name or a dependency does not exist.
pub fn select(steps: Vec<Step>, names: &[&str]) -> Result<Vec<Step>> {
    let after: BTreeMap<_, _> = steps.iter().map(|step| (step.name, step.after)).collect();
    let mut wanted = BTreeSet::new();
    let mut open: Vec<&str> =
        if names.is_empty() { after.keys().copied().collect() } else { names.to_vec() };
    while let Some(name) = open.pop() {
        let Some(needs) = after.get(name) else {
            bail!("there is no set-up step `{name}` (there are: {})", list(after.keys()));
        };
        if wanted.insert(name.to_owned()) {
            open.extend(*needs);
        }
    }
    Ok(steps.into_iter().filter(|step| wanted.contains(step.name)).collect())
}

fn list<'a>(names: impl Iterator<Item = &'a &'static str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Failed,
}

struct Board {
    states: BTreeMap<&'static str, State>,
    heavy: usize,
    errors: Vec<String>,
}

/// Runs all `steps`. A step whose dependency failed is not run; the others are.
///
/// # Errors
/// One that names each step that failed and each that was therefore left out.
pub fn run(cache: &Cache, steps: &[Step]) -> Result<()> {
    let board = Mutex::new(Board {
        states: steps.iter().map(|step| (step.name, State::Waiting)).collect(),
        heavy: 0,
        errors: Vec::new(),
    });
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for (index, step) in steps.iter().enumerate() {
            let (board, changed) = (&board, &changed);
            scope.spawn(move || {
                let label = format!("[{:>2}/{}] {:<14}", index + 1, steps.len(), step.name);
                work(cache, step, &label, board, changed);
            });
        }
    });
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    if board.errors.is_empty() { Ok(()) } else { Err(anyhow!("{}", board.errors.join("\n"))) }
}

fn work(cache: &Cache, step: &Step, label: &str, board: &Mutex<Board>, changed: &Condvar) {
    let result = match wait(step, board, changed) {
        Err(reason) => Err(anyhow!("left out: {reason}")),
        Ok(()) => {
            eprintln!("{label} started (usually {})", duration(step.usual_s));
            let start = Instant::now();
            let result = (step.make)(cache);
            let seconds = start.elapsed().as_secs_f64();
            let word = if result.is_ok() { "done" } else { "failed" };
            eprintln!("{label} {word} after {seconds:.1} s");
            result
        }
    };
    let mut board = lock(board);
    if step.heavy && board.states.get(step.name) == Some(&State::Running) {
        board.heavy -= 1;
    }
    let state = if result.is_ok() { State::Done } else { State::Failed };
    board.states.insert(step.name, state);
    if let Err(error) = result {
        board.errors.push(format!("step `{}`: {error:#}", step.name));
    }
    changed.notify_all();
}

/// Waits until every dependency is done and there is room; a dependency that is not in this run is done.
fn wait(step: &Step, board: &Mutex<Board>, changed: &Condvar) -> Result<(), String> {
    let mut board = lock(board);
    loop {
        let mut ready = !step.heavy || board.heavy < HEAVY;
        for need in step.after {
            match board.states.get(need) {
                Some(State::Failed) => return Err(format!("`{need}` failed")),
                Some(State::Waiting | State::Running) => ready = false,
                Some(State::Done) | None => {}
            }
        }
        if ready {
            board.heavy += usize::from(step.heavy);
            board.states.insert(step.name, State::Running);
            return Ok(());
        }
        board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

fn duration(seconds: u32) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn step(name: &'static str, after: &'static [&'static str], log: &Log, fails: bool) -> Step {
        let log = Arc::clone(log);
        Step {
            name,
            usual_s: 1,
            heavy: false,
            after,
            missing: Box::new(|_| Ok(vec!["it".into()])),
            make: Box::new(move |_| {
                log.lock().unwrap().push(name);
                if fails { bail!("broken") } else { Ok(()) }
            }),
        }
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        (folder, cache)
    }

    #[test]
    fn dependencies_come_first_whatever_the_order() {
        let (_keep, cache) = cache();
        let log = Log::default();
        let steps = [
            step("c", &["b"], &log, false),
            step("a", &[], &log, false),
            step("b", &["a"], &log, false),
        ];
        run(&cache, &steps).unwrap();
        assert_eq!(*log.lock().unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn a_failure_leaves_out_only_what_needs_it_and_all_are_listed() {
        let (_keep, cache) = cache();
        let log = Log::default();
        let steps = [
            step("a", &[], &log, true),
            step("b", &["a"], &log, false),
            step("c", &["b"], &log, false),
            step("d", &[], &log, false),
        ];
        let text = format!("{:#}", run(&cache, &steps).unwrap_err());
        for part in
            ["step `a`: broken", "step `b`: left out: `a` failed", "step `c`: left out: `b` failed"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(log.lock().unwrap().contains(&"d"));
        assert_eq!(log.lock().unwrap().len(), 2);
    }

    #[test]
    fn at_most_two_busy_steps_run_at_a_time() {
        let (_keep, cache) = cache();
        let now = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let steps: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|name| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                let mut step = step(name, &[], &Log::default(), false);
                step.heavy = true;
                step.make = Box::new(move |_| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                });
                step
            })
            .into();
        run(&cache, &steps).unwrap();
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[test]
    fn a_selection_brings_its_dependencies_and_unknown_names_are_refused() {
        let log = Log::default();
        let steps = || {
            vec![
                step("a", &[], &log, false),
                step("b", &["a"], &log, false),
                step("c", &[], &log, false),
            ]
        };
        let names: Vec<_> = select(steps(), &["b"]).unwrap().iter().map(|step| step.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(select(steps(), &[]).unwrap().len(), 3);
        assert!(select(steps(), &["x"]).is_err());
    }
}
