//! Loads and attaches one program at one hook.
//!
//! In: a [`Hook`]. Out: its descriptor, or one line that says why not.

use super::facts::Hook;
use super::kernel::Kernel;
use anyhow::{Context as _, Error, Result, anyhow};
use aya::programs::{
    FEntry, FExit, KProbe, Program, ProgramError, ProgramFd, RawTracePoint, TracePoint,
};
use aya::{Btf, Ebpf};

/// An attached program.
pub struct Attached {
    /// Its name in the object.
    pub program: &'static str,
    /// Keeps it loaded.
    pub descriptor: ProgramFd,
}

/// Loads the program if it is not loaded yet, and attaches it.
pub fn attach(ebpf: &mut Ebpf, kernel: &Kernel, hook: &Hook) -> Result<Attached> {
    let name = hook.program();
    let program = program(ebpf, name)?;
    match *hook {
        Hook::Fentry(_, function) => {
            let btf = described(kernel, function)?;
            let program: &mut FEntry = program.try_into()?;
            program.load(function, &btf).map_err(short)?;
            program.attach().map_err(short)?;
        }
        Hook::Fexit(_, function) => {
            let btf = described(kernel, function)?;
            let program: &mut FExit = program.try_into()?;
            program.load(function, &btf).map_err(short)?;
            program.attach().map_err(short)?;
        }
        Hook::Kprobe(_, function) | Hook::Kretprobe(_, function) => {
            let symbol = kernel.symbol(function).context("no such function")?;
            let program: &mut KProbe = program.try_into()?;
            load_once(program.load())?;
            program.attach(symbol, 0).map_err(short)?;
        }
        Hook::Tracepoint(_, category, tracepoint) => {
            let program: &mut TracePoint = program.try_into()?;
            load_once(program.load())?;
            program.attach(category, tracepoint).map_err(short)?;
        }
        Hook::Raw(_, tracepoint) => {
            let program: &mut RawTracePoint = program.try_into()?;
            load_once(program.load())?;
            program.attach(tracepoint).map_err(short)?;
        }
    }
    let descriptor = ebpf.program(name).context("program vanished")?.fd().map_err(short)?;
    Ok(Attached { program: name, descriptor: descriptor.try_clone()? })
}

fn program<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut Program> {
    ebpf.program_mut(name).with_context(|| format!("program `{name}` is not in the object"))
}

fn described(kernel: &Kernel, function: &str) -> Result<Btf> {
    if !kernel.has_function(function) {
        return Err(anyhow!("no type information for `{function}`"));
    }
    Btf::from_sys_fs().map_err(|error| anyhow!("{error}"))
}

/// One program may serve several hooks.
fn load_once(result: Result<(), ProgramError>) -> Result<()> {
    match result {
        Err(ProgramError::AlreadyLoaded) => Ok(()),
        other => other.map_err(short),
    }
}

/// The verifier's log is for developers: a user reads the errno, and the log only where the verifier refused.
fn short(error: ProgramError) -> Error {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            match verdict(&log) {
                None => anyhow!("{io_error}"),
                Some(verdict) => anyhow!("refused by the verifier: {io_error}: {verdict}"),
            }
        }
        ProgramError::SyscallError(error) => anyhow!("{}: {}", error.call, error.io_error),
        other => Error::new(other),
    }
}

/// The line of a verifier's log that says why: the last one before its statistics.
fn verdict(log: &str) -> Option<&str> {
    const STATISTICS: [&str; 3] = ["processed ", "stack depth ", "verification time "];
    log.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .rfind(|line| !STATISTICS.iter().any(|start| line.starts_with(start)))
}

/// Detaches and unloads a program that is of no use any more.
pub fn unload(ebpf: &mut Ebpf, name: &str) {
    if let Some(program) = ebpf.program_mut(name) {
        detach(program);
    }
}

/// Detaches and unloads a program.
pub fn detach(program: &mut Program) {
    let result = match program {
        Program::FEntry(program) => program.unload(),
        Program::FExit(program) => program.unload(),
        Program::KProbe(program) => program.unload(),
        Program::TracePoint(program) => program.unload(),
        Program::RawTracePoint(program) => program.unload(),
        _ => Ok(()),
    };
    // Not loaded: then there is nothing to undo.
    drop(result);
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn the_line_before_the_statistics_says_why() {
        let log = "0: r0 = 0\nR1 !read_ok\nprocessed 3 insns (limit 1000000)\nstack depth 0\n\n";
        assert_eq!(verdict(log), Some("R1 !read_ok"));
        assert_eq!(verdict(""), None);
    }
}
