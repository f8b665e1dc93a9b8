//! Backends by Service: weights, and what connects to them come to. In: a view. Out: cells.

use super::pods::{compare, counts};
use super::table::{Cell, Column, Table};
use super::{Look, rate, table};
use crate::present::event_line::Tone;
use crate::top::ui::{Panel, Ui};
use crate::top::view::{BackendRow, Counts, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const COLUMNS: [Column; 6] = [
    Column::flexible("SERVICE"),
    Column::flexible("BACKEND"),
    Column::number("WEIGHT", 6, 2),
    Column::number("SYN/s", 6, 3),
    Column::number("FAIL10/60", 9, 1),
    Column::number("RESENT10/60", 11, 4),
];

/// The rows that pass, in order.
pub fn rows<'a>(view: &'a View, ui: &Ui) -> Vec<&'a BackendRow> {
    let passes = |row: &&BackendRow| ui.passes(&row.service) || ui.passes(&row.backend);
    let mut rows: Vec<&BackendRow> = view.backends.iter().filter(passes).collect();
    rows.sort_by(|a, b| {
        compare(ui.order, (&a.counts, &a.service), (&b.counts, &b.service))
            .then_with(|| a.backend.cmp(&b.backend))
    });
    rows
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let cells = |row: &BackendRow| {
        let Counts { last_10, last_60, .. } = row.counts;
        vec![
            Cell::calm(row.service.clone()),
            Cell::calm(row.backend.clone()),
            Cell::toned(
                row.weight.clone(),
                if row.weight == "0" { Tone::Slow } else { Tone::Calm },
            ),
            Cell::calm(rate(row.counts.rate)),
            counts(last_10.failed, last_60.failed, Tone::Bad),
            counts(last_10.resent, last_60.resent, Tone::Slow),
        ]
    };
    let table = Table {
        panel: Panel::Backends,
        title: "BACKENDS",
        columns: &COLUMNS,
        rows: rows(view, ui).into_iter().map(cells).collect(),
        more: view.more_backends,
        empty: "no connect was seen yet",
    };
    table::draw(table, ui, look, area, buffer);
}
