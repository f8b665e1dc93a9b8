//! Losses, and what cannot be seen. In: a view. Out: cells.

use super::table::{Cell, Column, Table};
use super::{Look, table};
use crate::present::event_line::Tone;
use crate::top::ui::{Panel, Ui};
use crate::top::view::View;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines that one sentence takes at most.
const LINES: usize = 8;

/// The rows that pass: sentences, broken at words.
pub fn rows(view: &View, ui: &Ui, width: u16) -> Vec<Vec<Cell>> {
    let wanted = view.losses.iter().filter(|row| ui.passes(&row.text));
    let lines = wanted.flat_map(|row| {
        let mark = if row.tone == Tone::Bad { "! " } else { "" };
        let lines = broken(&format!("{mark}{}", row.text), usize::from(width));
        lines.into_iter().map(|line| vec![Cell::toned(line, row.tone)])
    });
    lines.collect()
}

/// Lines of at most `width` columns; those after the first are indented. A word that is too long is cut.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.trim().is_empty() && length > width && lines.len() + 1 < LINES {
            lines.push(std::mem::replace(&mut line, " ".to_owned()));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let rows = rows(view, ui, area.width);
    let table = Table {
        panel: Panel::Losses,
        title: "LOSSES, BLIND SPOTS",
        columns: &[Column::text("", area.width, 0)],
        rows,
        more: 0,
        empty: "nothing was lost, and nothing is hidden",
    };
    table::draw(table, ui, look, area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_at_words_and_bounded() {
        assert_eq!(broken("one two three", 8), ["one two", "  three"]);
        assert_eq!(broken("one", 8), ["one"]);
        assert_eq!(broken("muchtoolong one", 8), ["muchtoolong", "  one"]);
        assert_eq!(broken(&"word ".repeat(99), 8).len(), LINES);
    }
}
