//! Errors that tell what to do: a hint travels beside the message and is printed on a line of its own.
//!
//! In: any `anyhow` chain, with [`HintExt::hint`] anywhere on it. Out: the text that `main` prints to standard error.

use crate::present::escape;
use std::fmt;

/// A context whose text is `message` and that carries a remedy. Printed once, after the whole chain.
#[derive(Debug)]
pub struct Hinted {
    message: String,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Makes an error from a message and a remedy.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.into(), hint: hint.into() })
}

/// Adds message and remedy to an error that happened further down.
pub trait HintExt<T> {
    /// Wraps the error: `message` says what failed on what, `hint` what to do about it.
    fn hint(self, message: impl Into<String>, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> HintExt<T> for Result<T, E> {
    fn hint(self, message: impl Into<String>, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| {
            error.into().context(Hinted { message: message.into(), hint: hint.into() })
        })
    }
}

/// The remedy that is nearest to the top of the chain, if any.
pub fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Hinted>().map(|hinted| hinted.hint.as_str())
}

/// What a user reads: `error: …` with the whole chain on one line, then `hint: …`.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}\n");
    if let Some(hint) = hint_of(error) {
        text.push_str(&format!("hint: {hint}\n"));
    }
    // Errors quote servers, files and recordings.
    escape::lines(&text)
}

/// Whether the reader of our output went away, which is no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_hint_is_found_below_other_contexts_and_printed_once() {
        let low: Result<(), _> = Err(std::io::Error::other("permission denied"));
        let error = low
            .hint("cannot load `tcp_connect`", "run as root, or add CAP_BPF")
            .context("cannot start tracing")
            .unwrap_err();
        assert_eq!(
            render(&error),
            "error: cannot start tracing: cannot load `tcp_connect`: permission denied\n\
             hint: run as root, or add CAP_BPF\n"
        );
    }

    #[test]
    fn an_error_without_a_hint_has_no_hint_line() {
        assert_eq!(render(&anyhow::anyhow!("no such file")), "error: no such file\n");
    }
}
