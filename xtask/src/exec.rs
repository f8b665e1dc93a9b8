//! Runs commands and names them when they fail. Comes in: a `Command`. Goes out: its output, or an error with
//! the command line and the last lines it wrote.

use anyhow::{Context, Result, anyhow};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Lines of a log that an error repeats.
const TAIL: usize = 15;

/// The command line as one would type it.
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs, shows its standard output while it runs, and returns whether it succeeded and what it wrote there.
///
/// # Errors
/// When it does not start; that it fails is part of the result.
pub fn echoed(command: &mut Command) -> Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start `{}`", line(command)))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while lines.read_until(b'\n', &mut bytes)? > 0 {
            let one = String::from_utf8_lossy(&bytes);
            print!("{one}");
            text.push_str(&one);
            bytes.clear();
        }
    }
    Ok((child.wait()?.success(), text))
}

/// Runs and returns what it wrote to standard output.
///
/// # Errors
/// When it does not start or fails; the error ends with what it wrote to standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start `{}`", line(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow!("`{}` ended with {}: {}", line(command), output.status, tail(&stderr)));
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` wrote other bytes than UTF-8", line(command)))
}

/// Runs with everything it writes appended to the file `log`, whose folder is made when missing.
///
/// # Errors
/// When it does not start or fails; the error ends with the last lines of the log.
pub fn logged(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to make `{}`", folder.display()))?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("failed to open `{}`", log.display()))?;
    writeln!(file, "$ {}", line(command))?;
    let start = file.metadata()?.len();
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("failed to start `{}`", line(command)))?;
    if status.success() {
        return Ok(());
    }
    let written = fs::read(log).unwrap_or_default();
    let own = written.get(usize::try_from(start)?..).unwrap_or_default();
    let own = String::from_utf8_lossy(own);
    Err(anyhow!(
        "`{}` ended with {status} (log: `{}`)\n{}",
        line(command),
        log.display(),
        tail(&own)
    ))
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_last_words() {
        let error =
            output(Command::new("sh").args(["-c", "echo gone wrong >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("sh -c") && text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with("gone wrong"), "{text}");
    }

    #[test]
    fn a_missing_command_is_named() {
        let error = echoed(&mut Command::new("no-such-program")).unwrap_err();
        assert!(format!("{error:#}").starts_with("failed to start `no-such-program`"));
    }

    #[test]
    fn a_log_keeps_earlier_runs_and_the_error_shows_only_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/step.log");
        logged(Command::new("echo").arg("first"), &log).unwrap();
        let error =
            logged(Command::new("sh").args(["-c", "echo second; exit 1"]), &log).unwrap_err();
        assert!(fs::read_to_string(&log).unwrap().contains("first\n"));
        let text = format!("{error:#}");
        assert!(text.ends_with("second") && !text.contains("first"), "{text}");
    }
}
