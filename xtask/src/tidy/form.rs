//! Rules about the form of a file: documentation, length, name. Comes in: a file. Goes out: its problems.

use super::source::{Problem, Source};

/// Lines of a file without its inline tests.
const LONGEST: usize = 600;
/// Names that say nothing of what is inside, and the module layout that hides a file's name.
const NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "mod"];

/// The first line of a Rust file says what it owns.
pub fn opens_with_documentation(source: &Source) -> Vec<Problem> {
    if !source.is_rust() || source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![Source::problem(1, "the file does not open with `//!` and what it owns")]
}

/// A file has one idea; more than that many lines have several.
pub fn is_not_too_long(source: &Source) -> Vec<Problem> {
    let lines = source.lines_before_tests();
    if !source.is_rust() || lines <= LONGEST {
        return Vec::new();
    }
    vec![Source::problem(lines, format!("{lines} lines without tests, {LONGEST} are the most"))]
}

/// Files and folders are named after what they hold.
pub fn has_a_telling_name(source: &Source) -> Vec<Problem> {
    if !source.is_rust() {
        return Vec::new();
    }
    let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let bad = parts.filter(|part| NAMES.contains(part));
    bad.map(|part| Source::problem(1, format!("`{part}` does not tell what is inside"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_rust_file_without_documentation_is_a_problem() {
        assert_eq!(opens_with_documentation(&source("a.rs", "use b;\n//! Late.\n")).len(), 1);
        assert_eq!(opens_with_documentation(&source("a.rs", "")).len(), 1);
        assert_eq!(opens_with_documentation(&source("a.rs", "//! Owns a.\n")), []);
        assert_eq!(opens_with_documentation(&source("a.toml", "[a]\n")), []);
    }

    #[test]
    fn length_counts_without_inline_tests() {
        let code = "a();\n".repeat(LONGEST);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "b();\n".repeat(LONGEST));
        assert_eq!(is_not_too_long(&source("a.rs", &format!("{code}{tests}"))), []);
        assert_eq!(is_not_too_long(&source("a.rs", &format!("{code}a();\n{tests}"))).len(), 1);
        assert_eq!(is_not_too_long(&source("a.md", &code.repeat(2))), []);
    }

    #[test]
    fn names_that_tell_nothing_are_problems_as_file_and_as_folder() {
        for path in ["src/utils.rs", "src/common/a.rs", "src/helpers.rs", "src/a/mod.rs"] {
            assert_eq!(has_a_telling_name(&source(path, "")).len(), 1, "{path}");
        }
        assert_eq!(has_a_telling_name(&source("src/model.rs", "")), []);
    }
}
