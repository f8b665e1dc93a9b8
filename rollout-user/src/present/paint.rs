//! Colours, if the caller wants them. Whether it does (terminal, `NO_COLOR`, `--color`) is decided elsewhere.
//!
//! In: text of known width. Out: the same text, or with SGR sequences around it.

/// Colours on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// Whether colours are wanted.
    pub on: bool,
}

impl Paint {
    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Something failed.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Something was slow, or is uncertain.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// All is well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Of little weight.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
