//! A panel: one line with its name and the names of its columns, then rows.
//!
//! In: columns and rows. Out: cells. Columns that have no room are left out, those with the highest `drop` first.

use super::{Look, put};
use crate::present::event_line::{Tone, cut, tail_of};
use crate::top::ui::{Panel, Ui};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The least width of a column that takes what is left.
const FLEXIBLE: u16 = 16;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub head: &'static str,
    /// Its width; 0: it takes what is left.
    pub width: u16,
    /// Numbers stand at the right.
    pub right: bool,
    /// The highest goes first; 0 stays.
    pub drop: u8,
}

impl Column {
    /// Takes what is left.
    pub const fn flexible(head: &'static str) -> Column {
        Column { head, width: 0, right: false, drop: 0 }
    }

    /// Text of this width at most.
    pub const fn text(head: &'static str, width: u16, drop: u8) -> Column {
        Column { head, width, right: false, drop }
    }

    /// A number of this width at most.
    pub const fn number(head: &'static str, width: u16, drop: u8) -> Column {
        Column { head, width, right: true, drop }
    }
}

/// One place of a row.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// Escaped text.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl Cell {
    /// Text that means nothing special.
    pub fn calm(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone: Tone::Calm }
    }

    /// Text that means something.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone }
    }
}

/// What a panel shows.
pub struct Table<'a> {
    /// Which panel it is.
    pub panel: Panel,
    /// Its name.
    pub title: &'static str,
    /// Its columns; the first one's name is the title.
    pub columns: &'a [Column],
    /// Rows that pass the text filter.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that are not kept.
    pub more: u64,
    /// What stands there when there is no row.
    pub empty: &'a str,
}

/// Draws it.
pub fn draw(table: Table<'_>, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let Table { panel, title, columns, rows, more, empty } = table;
    let visible = usize::from(area.height.saturating_sub(1));
    let focused = ui.focus == panel;
    let first_row = ui.first_row(panel);
    let last_first = rows.len().saturating_sub(visible);
    *first_row = (*first_row).min(last_first);
    let first = *first_row;
    let shown = rows.len().min(first + visible);
    let widths = widths(columns, area.width);

    let range = match rows.len() {
        all if first == 0 && shown == all => all.to_string(),
        all => format!("{}–{shown} of {all}", first + 1),
    };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mark = if focused { "▸" } else { "" };
    let name = format!("{mark}{title} {range}{more}");
    let style = look.title(focused);
    put(buffer, area.x, area.y, area.width, &" ".repeat(usize::from(area.width)), style);
    put(buffer, area.x, area.y, area.width, &name, style);
    let taken = name.chars().count();
    let mut at = 0;
    for (index, (column, width)) in columns.iter().zip(&widths).enumerate() {
        let Some(width) = *width else { continue };
        // The panel's name may need more than the first column has: a name below it then gives way.
        if index > 0 && usize::from(at) > taken {
            place(buffer, (area.x + at, area.y), width, column, column.head, style);
        }
        at += width + 1;
    }

    let mut y = area.y + 1;
    if rows.is_empty() && visible > 0 {
        let text = if ui.text.is_empty() { empty } else { "no row has this text" };
        put(buffer, area.x, y, area.width, text, ratatui::style::Style::new());
    }
    for row in rows.iter().skip(first).take(visible) {
        let mut at = 0;
        for ((column, width), cell) in columns.iter().zip(&widths).zip(row) {
            let Some(width) = *width else { continue };
            place(buffer, (area.x + at, y), width, column, &cell.text, look.tone(cell.tone));
            at += width + 1;
        }
        y += 1;
    }
}

fn place(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    width: u16,
    column: &Column,
    text: &str,
    style: ratatui::style::Style,
) {
    let wide = usize::from(width);
    // Names keep their end, which tells pods of one workload apart.
    let text = if column.width == 0 { tail_of(text, wide) } else { cut(text, wide) };
    let missing = if column.right { wide.saturating_sub(text.chars().count()) } else { 0 };
    let indent = u16::try_from(missing).unwrap_or(0);
    put(buffer, x + indent, y, width - indent, &text, style);
}

/// The width of each column; `None`: it has no room.
fn widths(columns: &[Column], room: u16) -> Vec<Option<u16>> {
    let mut kept: Vec<bool> = columns.iter().map(|_| true).collect();
    let needed = |kept: &[bool]| -> u16 {
        let columns = columns.iter().zip(kept).filter(|(_, kept)| **kept);
        let widths =
            columns.map(|(column, _)| 1 + if column.width == 0 { FLEXIBLE } else { column.width });
        widths.sum::<u16>().saturating_sub(1)
    };
    while needed(&kept) > room {
        let droppable = columns.iter().enumerate().filter(|(index, column)| {
            column.drop > 0 && kept.get(*index).is_some_and(|kept| *kept)
        });
        let Some((index, _)) = droppable.max_by_key(|(_, column)| column.drop) else { break };
        if let Some(kept) = kept.get_mut(index) {
            *kept = false;
        }
    }
    let flexible = columns.iter().zip(&kept).filter(|(column, kept)| **kept && column.width == 0);
    let flexible = u16::try_from(flexible.count()).unwrap_or(1).max(1);
    let extra = room.saturating_sub(needed(&kept));
    // The first takes what cannot be divided.
    let mut rest = extra % flexible;
    columns
        .iter()
        .zip(&kept)
        .map(|(column, kept)| {
            let width = match column.width {
                0 => FLEXIBLE + extra / flexible + std::mem::take(&mut rest),
                width => width,
            };
            kept.then_some(width)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_room_go_and_what_is_left_is_shared() {
        let columns = [
            Column::flexible("A"),
            Column::flexible("B"),
            Column::number("N", 8, 1),
            Column::text("T", 10, 2),
        ];
        assert_eq!(widths(&columns, 80), [Some(30), Some(29), Some(8), Some(10)]);
        assert_eq!(widths(&columns, 50), [Some(20), Some(20), Some(8), None]);
        assert_eq!(widths(&columns, 40), [Some(20), Some(19), None, None]);
    }
}
