//! Runs the list of kernel tests and prints as libtest does, so that results can be added to others.
//! Comes in: tests and words to choose by name. Goes out: the lines, and whether all passed.
//!
//! libtest itself cannot be init: it would need the mounts and modules that init provides first. One test runs at a
//! time, as they share the kernel, each in a thread of its own: a test may move that thread to another network
//! namespace and leave it there.

use std::panic;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A test that hangs fails after this time. Guests are some 30 times slower than a machine.
const LIMIT: Duration = Duration::from_secs(180);

/// Where a test can run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// On this machine's kernel and in guests.
    Everywhere,
    /// Only on this machine's kernel.
    #[allow(dead_code, reason = "a group may be empty")]
    Native,
    /// Only in guests.
    Guest,
}

/// One test.
pub struct Test {
    /// The function's name.
    pub name: &'static str,
    /// Where it runs.
    pub on: On,
    /// Panics when it fails.
    pub run: fn(),
}

/// Runs the tests for `place` whose name contains one of the `words`, or all without a word.
pub fn run(tests: &[Test], place: On, words: &[String]) -> ExitCode {
    let chosen = |test: &&Test| {
        (test.on == On::Everywhere || test.on == place)
            && (words.is_empty() || words.iter().any(|word| test.name.contains(word.as_str())))
    };
    let here: Vec<_> = tests.iter().filter(chosen).collect();
    println!("\nrunning {} tests", here.len());
    let mut failures = Vec::new();
    for test in &here {
        let passed = passes(test);
        println!("test {} ... {}", test.name, if passed { "ok" } else { "FAILED" });
        if !passed {
            failures.push(test.name);
        }
    }
    for name in &failures {
        println!("failed: {name}");
    }
    let word = if failures.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out",
        here.len() - failures.len(),
        failures.len(),
        tests.len() - here.len()
    );
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// Path of the program `rollout`, for tests that call it.
pub fn rollout() -> &'static str {
    // Only in a guest is this process init, and there the path of the build does not exist.
    if std::process::id() == 1 { "/bin/rollout" } else { env!("CARGO_BIN_EXE_rollout") }
}

fn passes(test: &Test) -> bool {
    let (sender, result) = mpsc::channel();
    let body = test.run;
    let started = thread::Builder::new().name(test.name.to_owned()).spawn(move || {
        // The receiver is gone only when the time is up.
        let _ = sender.send(panic::catch_unwind(body).is_ok());
    });
    if let Err(error) = started {
        println!("failed to start a thread: {error}");
        return false;
    }
    result.recv_timeout(LIMIT).unwrap_or_else(|_| {
        println!("{} is not done after {} s", test.name, LIMIT.as_secs());
        false
    })
}
