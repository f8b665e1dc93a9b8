//! Markup that cannot be broken out of: elements are opened and closed here, text and values are always escaped
//! (invariant 7). For XML and for HTML, whose rules for elements with an end tag are the same.
//!
//! In: names of elements and attributes, which are ours, and text, which may be anybody's. Out: a document.

use super::escape;

/// A document under construction.
#[derive(Debug, Default)]
pub struct Markup {
    out: String,
    open: Vec<&'static str>,
}

/// Attributes of an element: our names, anybody's values.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// Begins with what comes before the first element.
    pub fn new(prologue: &str) -> Markup {
        Markup { out: prologue.to_owned(), open: Vec::new() }
    }

    /// Opens an element.
    pub fn open(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes);
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.out.push_str(&format!("</{name}>"));
        }
    }

    /// An element with text alone inside.
    pub fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(name, attributes);
        self.text(text);
        self.close();
    }

    /// An element of HTML that has no end, such as `meta`.
    pub fn void(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes);
    }

    /// Text of anybody.
    pub fn text(&mut self, text: &str) {
        self.out.push_str(&escaped(text));
    }

    /// Text of our own that needs no escaping and must not be escaped: a style sheet.
    pub fn raw(&mut self, text: &'static str) {
        self.out.push_str(text);
    }

    /// A line end between elements, for readers of the source.
    pub fn line(&mut self) {
        self.out.push('\n');
    }

    /// The whole document, with everything closed.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out.push('\n');
        self.out
    }

    fn tag(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            // A raw line end in a value would be read as a space.
            let value = escaped(value).replace('\n', "&#10;");
            self.out.push_str(&format!(" {attribute}=\"{value}\""));
        }
        self.out.push('>');
    }
}

/// Text with markup as entities, and what a document must not contain, or what would not be seen, as `\u{…}`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape::lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not characters of XML at all.
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut page = Markup::new("");
        page.open("a", &[("title", "\" onclick='x'\n<")]);
        page.text("</a><script>&amp;\u{1b}[2J\u{202e}\u{ffff}\0");
        let text = page.finish();
        assert_eq!(
            text,
            "<a title=\"&quot; onclick=&#39;x&#39;&#10;&lt;\">&lt;/a&gt;&lt;script&gt;&amp;amp;\
             \\u{1b}[2J\\u{202e}\\u{ffff}\\u{0}</a>\n"
        );
    }

    #[test]
    fn what_was_opened_is_closed_in_order() {
        let mut page = Markup::new("<!doctype html>\n");
        page.open("p", &[]);
        page.leaf("b", &[], "x");
        page.open("i", &[]);
        assert_eq!(page.finish(), "<!doctype html>\n<p><b>x</b><i></i></p>\n");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_element(text in any::<String>()) {
            let mut page = Markup::default();
            page.leaf("t", &[("a", &text)], &text);
            let out = page.finish();
            prop_assert_eq!(out.matches('<').count(), 2);
            prop_assert_eq!(out.matches('>').count(), 2);
            prop_assert_eq!(out.matches('"').count(), 2);
            prop_assert!(out.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
