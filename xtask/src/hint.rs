//! Errors with a remedy. Comes in: a message and a hint. Goes out: the text printed before leaving.

use std::fmt;

#[derive(Debug)]
struct Hinted {
    message: String,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Makes an error that carries a remedy, printed on a line of its own.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.into(), hint: hint.into() })
}

/// `error: …` with the whole chain, then `hint: …` where the chain has one.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}\n");
    if let Some(hinted) = error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()) {
        text.push_str(&format!("hint: {}\n", hinted.hint));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_of_a_deep_cause_is_printed_once() {
        let error = hinted("`go` is missing", "install it").context("cannot build");
        assert_eq!(render(&error), "error: cannot build: `go` is missing\nhint: install it\n");
    }
}
