//! Text that others supplied (names, `comm`, errors, recordings), made harmless for a terminal (invariant 7).
//!
//! In: any string. Out: one line of bounded length without control characters, escape sequences, direction marks or
//! invisible characters: what is not a letter, a digit or printable ASCII is shown as `\u{…}`.

/// At most this many characters of a name are shown: Kubernetes names have up to 253, pods' rarely over 63.
pub const NAME_MAX: usize = 63;

/// Escapes `text` and cuts it to `max` characters, the last of which is then `…`.
pub fn plain(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let piece = match c {
            '\\' => "\\\\".to_owned(),
            ' '..='~' => c.to_string(),
            _ if c.is_alphanumeric() => c.to_string(),
            _ => c.escape_unicode().to_string(),
        };
        let wide = piece.chars().count();
        if length + wide > max {
            // Room for the mark: give back what is there until one character is free.
            while length >= max.max(1) {
                out.pop();
                length -= 1;
            }
            if max > 0 {
                out.push('…');
            }
            return out;
        }
        out.push_str(&piece);
        length += wide;
    }
    out
}

/// Escapes what could move a terminal's cursor, reorder or hide text, and keeps all else, line ends included: for messages
/// of our own that may quote others.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// Escapes the same characters within JSON text, whose values stay what they are.
pub fn json(text: &str) -> String {
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            // None of them lies beyond 16 bits.
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    out
}

fn is_harmless(c: char) -> bool {
    c == '\n' || !(c.is_control() || is_format(c))
}

/// Characters that show nothing themselves and change how others are shown (Unicode category Cf, the common ones).
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Escapes a name.
pub fn name(text: &str) -> String {
    plain(text, NAME_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(name("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(name("a\nb\tc\r"), "a\\u{a}b\\u{9}c\\u{d}");
        assert_eq!(name("x\u{202e}gpj.exe"), "x\\u{202e}gpj.exe");
        assert_eq!(name("\u{200b}\u{feff}"), "\\u{200b}\\u{feff}");
        assert_eq!(name("服务-1"), "服务-1");
        assert_eq!(name("a\\u{1b}"), "a\\\\u{1b}");
    }

    #[test]
    fn messages_keep_their_lines_and_their_signs() {
        assert_eq!(lines("a → “b” …\nc\\d"), "a → “b” …\nc\\d");
        assert_eq!(lines("a\x1b[2J\r\u{202e}b\u{9b}"), "a\\u{1b}[2J\\u{d}\\u{202e}b\\u{9b}");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(plain("abcd", 4), "abcd");
        assert_eq!(plain("abcd", 0), "");
        assert_eq!(plain("a\x1b\x1b", 4), "a…");
    }

    proptest! {
        #[test]
        fn json_keeps_its_values(text in ".{0,80}") {
            let written = json(&serde_json::to_string(&text).unwrap_or_default());
            prop_assert!(written.chars().all(is_harmless));
            prop_assert_eq!(serde_json::from_str::<String>(&written).ok(), Some(text));
        }

        #[test]
        fn output_is_bounded_and_printable(text in ".{0,80}", max in 0_usize..40) {
            let out = plain(&text, max);
            prop_assert!(out.chars().count() <= max);
            prop_assert!(out.chars().all(|c| c == '…' || c.is_alphanumeric() || (' '..='~').contains(&c)));
        }
    }
}
