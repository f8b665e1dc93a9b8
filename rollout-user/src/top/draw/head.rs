//! The two lines at the top: where this is, and how much happens. In: the head of a view. Out: cells.

use super::{Look, put, rate, whole_seconds};
use crate::top::ui::Ui;
use crate::top::view::Head;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Draws it.
pub fn draw(head: &Head, ui: &Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let cluster = head
        .cluster
        .as_ref()
        .map_or_else(|| "no cluster".to_owned(), |cluster| format!("cluster {cluster}"));
    let where_it_is = [
        (format!("rollout top  up {}", whole_seconds(head.up_ns)), bold),
        (format!("node {}", head.node), Style::new()),
        (cluster, Style::new()),
        (head.data_path.clone(), Style::new()),
        (format!("kernel {}", head.kernel), Style::new()),
    ];
    line(buffer, area, 0, &where_it_is);

    let failed = format!("failed {}/{}", head.last_10.failed, head.last_60.failed);
    let slowed = format!("slowed {}/{} in 10/60 s", head.last_10.slowed, head.last_60.slowed);
    let lost = match head.lost {
        0 => ("none lost".to_owned(), Style::new()),
        lost => (format!("{lost} LOST"), look.alarm()),
    };
    // What must not be cut off on a narrow screen comes first.
    let mut how_much = vec![
        lost,
        (format!("{} events/s", rate(head.events)), Style::new()),
        (format!("{} SYN/s", rate(head.syns)), Style::new()),
        (failed, if head.last_60.failed > 0 { look.alarm() } else { Style::new() }),
        (slowed, Style::new()),
    ];
    if ui.paused {
        let paused = ("PAUSED, counting goes on".to_owned(), bold.add_modifier(Modifier::REVERSED));
        how_much.insert(0, paused);
    }
    line(buffer, area, 1, &how_much);
}

fn line(buffer: &mut Buffer, area: Rect, row: u16, parts: &[(String, Style)]) {
    let mut x = area.x;
    for (text, style) in parts {
        let left = area.right().saturating_sub(x);
        put(buffer, x, area.y + row, left, text, *style);
        let width = u16::try_from(text.chars().count() + 2).unwrap_or(u16::MAX);
        x = x.saturating_add(width).min(area.right());
    }
}
