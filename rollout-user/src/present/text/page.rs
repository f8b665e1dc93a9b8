//! Lines of the report, wrapped at words.
//!
//! In: text and indents. Out: the page.

use super::Options;
use crate::present::paint::Paint;

/// Columns that a line may have.
pub const WIDTH: usize = 80;

/// The page under construction.
pub struct Page {
    /// Colours.
    pub paint: Paint,
    /// Print everything.
    pub all: bool,
    lines: Vec<String>,
}

impl Page {
    /// An empty page.
    pub fn new(options: Options) -> Page {
        Page { paint: Paint { on: options.color }, all: options.all, lines: Vec::new() }
    }

    /// One line as it is, colours included.
    pub fn line(&mut self, line: impl Into<String>) {
        let line = line.into();
        self.lines.push(line.trim_end().to_owned());
    }

    /// An empty line and a heading.
    pub fn heading(&mut self, title: &str, note: &str) {
        self.lines.push(String::new());
        let gap = if note.is_empty() { "" } else { "  " };
        let line = format!("{}{gap}{}", self.paint.bold(title), self.paint.dim(note));
        self.lines.push(line);
    }

    /// Plain text, wrapped at words: `indent` columns, and `hang` more for the lines after the first.
    pub fn text(&mut self, indent: usize, hang: usize, text: &str) {
        self.lines.extend(wrap(indent, hang, text));
    }

    /// The whole page.
    pub fn finish(self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}

/// Keeps together what belongs together: spaces of `text` that [`wrap`] does not break at. Escaped text has none of its
/// own.
pub fn together(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// Wraps at words. A word that is longer than a line stays whole: names are not cut, so that they can be searched for.
pub fn wrap(indent: usize, hang: usize, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let margin = indent + if lines.is_empty() { 0 } else { hang };
        let fits = margin + line.chars().count() + 1 + word.chars().count() <= WIDTH;
        if !line.is_empty() && !fits {
            lines.push(format!("{}{line}", " ".repeat(margin)).trim_end().to_owned());
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let margin = indent + if lines.is_empty() { 0 } else { hang };
    lines.push(format!("{}{line}", " ".repeat(margin)).trim_end().to_owned());
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// `text` filled with spaces to `width` columns.
pub fn left(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

/// Spaces, then `text`.
pub fn right(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{}{text}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_not_broken() {
        let text = format!("{} {}", "x".repeat(70), together("+1.605 s … +1.665 s"));
        assert_eq!(wrap(0, 2, &text).get(1).map(String::as_str), Some("  +1.605 s … +1.665 s"));
    }

    #[test]
    fn lines_are_wrapped_at_words_and_hang() {
        let text = "word ".repeat(20);
        let lines = wrap(2, 2, text.trim_end());
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.get(1).map(String::as_str), Some("    word word word word word"));
    }
}
