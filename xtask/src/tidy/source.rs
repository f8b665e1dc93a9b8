//! One file as the rules see it. Comes in: path and text. Goes out: its lines with or without comments and tests.

/// A text file of the tree.
pub struct Source {
    /// Path from the top folder.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Something that a rule does not allow.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Source {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Number and text of each line up to the inline tests, without comments.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take(self.lines_before_tests()).enumerate();
        lines.map(|(index, line)| (index + 1, line.split("//").next().unwrap_or(line)))
    }

    /// How many lines come before an inline test module.
    pub fn lines_before_tests(&self) -> usize {
        let lines: Vec<_> = self.text.lines().map(str::trim).collect();
        let is_tests = |pair: &[&str]| {
            pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        };
        lines.windows(2).position(is_tests).unwrap_or(lines.len())
    }

    /// A problem of the whole file.
    pub fn problem(line: usize, message: impl Into<String>) -> Problem {
        Problem { line, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_inline_tests_are_not_code() {
        let text = "//! Doc.\nuse a; // b\n#[cfg(test)]\nmod c;\n#[cfg(test)]\nmod tests {\n    use d;\n}\n";
        let source = Source { path: "x.rs".into(), text: text.into() };
        let code: Vec<_> = source.code().collect();
        assert_eq!(code, [(1, ""), (2, "use a; "), (3, "#[cfg(test)]"), (4, "mod c;")]);
    }
}
