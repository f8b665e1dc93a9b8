//! `cargo xtask tidy`: rules of the tree that no compiler checks. Comes in: the files git knows.
//! Goes out: `path:line: problem` for each problem, and exit code 1 if there is one.

mod form;
mod layers;
mod source;
mod words;

use crate::exec;
use crate::test::Counts;
use anyhow::{Context, Result, ensure};
use source::{Problem, Source};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// A rule looks at one file.
type Rule = fn(&Source) -> Vec<Problem>;

const RULES: &[Rule] = &[
    form::opens_with_documentation,
    form::is_not_too_long,
    form::has_a_telling_name,
    layers::imports_only_what_its_layer_may,
    layers::is_unsafe_only_at_the_edge,
    words::names_no_machine,
];

/// Runs `cargo xtask tidy`.
///
/// # Errors
/// When the files cannot be listed or read.
pub fn run() -> Result<ExitCode> {
    Ok(ExitCode::from(u8::from(check()?.failed > 0)))
}

/// Prints every problem; counts one check for each rule.
///
/// # Errors
/// When the files cannot be listed or read.
pub fn check() -> Result<Counts> {
    let sources = sources()?;
    ensure!(sources.iter().any(Source::is_rust), "git lists no Rust file");
    let mut counts = Counts::default();
    for rule in RULES {
        let mut kept = true;
        for source in &sources {
            for problem in rule(source) {
                println!("{}:{}: {}", source.path, problem.line, problem.message);
                kept = false;
            }
        }
        counts.add(Counts { passed: u64::from(kept), failed: u64::from(!kept), skipped: 0 });
    }
    Ok(counts)
}

/// Every text file of the tree, also those that are not committed yet.
fn sources() -> Result<Vec<Source>> {
    let root = root()?;
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let paths = exec::output(Command::new("git").arg("-C").arg(&root).args(list))?;
    let mut sources = Vec::new();
    for path in paths.lines() {
        // A file that was removed is still listed until that is committed; one that is not text has no lines.
        if let Some(text) = fs::read(root.join(path)).ok().and_then(|it| String::from_utf8(it).ok())
        {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// The top folder of the workspace.
fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let manifest = manifest.context("`CARGO_MANIFEST_DIR` is not set: call `cargo xtask`")?;
    Ok(manifest.parent().context("the manifest has no folder above it")?.to_owned())
}
