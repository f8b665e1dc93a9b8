//! The last events, the newest first, as `trace` prints them. In: a view. Out: cells.

use super::{Look, put};
use crate::top::ui::{Panel, Ui};
use crate::top::view::{EventRow, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The rows that pass.
pub fn rows<'a>(view: &'a View, ui: &Ui) -> Vec<&'a EventRow> {
    view.events.iter().filter(|row| ui.passes(&row.text)).collect()
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let rows = rows(view, ui);
    let visible = usize::from(area.height.saturating_sub(1));
    let focused = ui.focus == Panel::Events;
    let first_row = ui.first_row(Panel::Events);
    *first_row = (*first_row).min(rows.len().saturating_sub(visible));
    let first = *first_row;
    let mark = if focused { "▸" } else { "" };
    let shown = rows.len().min(first + visible);
    let range = match rows.len() {
        0 => String::new(),
        _ => {
            format!(" {}–{shown}, newest first, of {} since the start", first + 1, view.head.total)
        }
    };
    let style = look.title(focused);
    put(buffer, area.x, area.y, area.width, &" ".repeat(usize::from(area.width)), style);
    put(buffer, area.x, area.y, area.width, &format!("{mark}EVENTS{range}"), style);
    if rows.is_empty() {
        let text = if ui.text.is_empty() { "no event yet" } else { "no event has this text" };
        put(buffer, area.x, area.y + 1, area.width, text, Style::new());
    }
    for (y, row) in (area.y + 1..area.bottom()).zip(rows.iter().skip(first)) {
        put(buffer, area.x, y, area.width, &row.text, look.tone(row.tone));
    }
}
