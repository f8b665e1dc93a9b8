//! Updates in progress. In: a view. Out: cells.

use super::table::{Cell, Column, Table};
use super::{Look, table, whole_seconds};
use crate::top::ui::{Panel, Ui};
use crate::top::view::{UpdateRow, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const COLUMNS: [Column; 7] = [
    Column::flexible("UPDATE"),
    Column::text("REVISION", 9, 3),
    Column::number("OLD", 3, 1),
    Column::number("READY", 5, 2),
    Column::number("NEW", 3, 1),
    Column::number("READY", 5, 2),
    Column::text("PHASE AND TIME", 29, 0),
];

/// The rows that pass.
pub fn rows<'a>(view: &'a View, ui: &Ui) -> Vec<&'a UpdateRow> {
    view.updates.iter().filter(|row| ui.passes(&row.name) || ui.passes(&row.phase)).collect()
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let cells = |row: &UpdateRow| {
        let number = |number: Option<u32>| {
            Cell::calm(number.map_or_else(|| "?".to_owned(), |number| number.to_string()))
        };
        let more = if row.at_least { "> " } else { "" };
        let took = whole_seconds(row.took_ns);
        vec![
            Cell::calm(row.name.clone()),
            Cell::calm(row.revision.clone()),
            number(Some(row.old.0)),
            number(Some(row.old.1)),
            number(row.new.map(|new| new.0)),
            number(row.new.map(|new| new.1)),
            Cell::toned(format!("{}, {more}{took}", row.phase), row.tone),
        ]
    };
    let table = Table {
        panel: Panel::Updates,
        title: "UPDATES",
        columns: &COLUMNS,
        rows: rows(view, ui).into_iter().map(cells).collect(),
        more: 0,
        empty: "no update on this node",
    };
    table::draw(table, ui, look, area, buffer);
}
