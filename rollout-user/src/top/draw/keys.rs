//! The last line: the keys, or the text that is typed. In: how the view is looked at. Out: cells.

use super::{Look, put};
use crate::present::escape::plain;
use crate::top::ui::Ui;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Draws it. `hidden`: panels that have no room.
pub fn draw(ui: &Ui, hidden: usize, _look: Look, area: Rect, buffer: &mut Buffer) {
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    let blank = " ".repeat(usize::from(area.width));
    put(buffer, area.x, area.y, area.width, &blank, reversed);
    let typed = plain(&ui.text, usize::from(area.width));
    let text = if ui.typing {
        format!("/{typed}_  Enter keep  Esc clear")
    } else {
        let pause = if ui.paused { "go on" } else { "pause" };
        let filter = if ui.text.is_empty() { "filter".to_owned() } else { format!("[{typed}]") };
        let order = ui.order.name();
        let long =
            format!("q quit  p {pause}  Tab panel  ↑↓ scroll  s by {order}  / {filter}  ? help");
        let fits = long.chars().count() <= usize::from(area.width);
        if fits { long } else { format!("q quit  p {pause}  Tab  ↑↓  s  / {filter}  ? help") }
    };
    put(buffer, area.x, area.y, area.width, &text, reversed);
    if hidden > 0 {
        let note = format!(" {hidden} hidden");
        let width = u16::try_from(note.chars().count()).unwrap_or(0);
        let taken = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        if taken.saturating_add(width) <= area.width {
            put(buffer, area.right() - width, area.y, width, &note, reversed);
        }
    }
}
