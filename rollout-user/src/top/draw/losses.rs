//! Losses, and what cannot be seen. In: a view. Out: cells.

use super::table::{Cell, Column, Table};
use super::{Look, table};
use crate::present::event_line::Tone;
use crate::top::ui::{Panel, Ui};
use crate::top::view::{LossRow, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Wider than any screen: sentences are cut at their end.
const COLUMNS: [Column; 1] = [Column::text("", u16::MAX, 0)];

/// The rows that pass.
pub fn rows<'a>(view: &'a View, ui: &Ui) -> Vec<&'a LossRow> {
    view.losses.iter().filter(|row| ui.passes(&row.text)).collect()
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let cells = |row: &LossRow| {
        let mark = if row.tone == Tone::Bad { "! " } else { "" };
        vec![Cell::toned(format!("{mark}{}", row.text), row.tone)]
    };
    let columns = COLUMNS.map(|column| Column { width: area.width, ..column });
    let table = Table {
        panel: Panel::Losses,
        title: "LOSSES, BLIND SPOTS",
        columns: &columns,
        rows: rows(view, ui).into_iter().map(cells).collect(),
        more: 0,
        empty: "nothing was lost, and nothing is hidden",
    };
    table::draw(table, ui, look, area, buffer);
}
