//! Pods: state now, and what connects to them come to. In: a view. Out: cells.

use super::table::{Cell, Column, Table};
use super::{Look, rate, table};
use crate::present::event_line::Tone;
use crate::top::ui::{Order, Panel, Ui};
use crate::top::view::{Counts, PodRow, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const COLUMNS: [Column; 7] = [
    Column::flexible("POD"),
    Column::text("REV", 5, 5),
    Column::text("STATE", 11, 0),
    Column::text("ADDRESS", 15, 6),
    Column::number("SYN/s", 6, 3),
    Column::number("FAIL10/60", 9, 2),
    Column::number("SLOW10/60", 9, 4),
];

/// The rows that pass, in order.
pub fn rows<'a>(view: &'a View, ui: &Ui) -> Vec<&'a PodRow> {
    let passes =
        |row: &&PodRow| ui.passes(&row.name) || ui.passes(&row.state) || ui.passes(&row.address);
    let mut rows: Vec<&PodRow> = view.pods.iter().filter(passes).collect();
    rows.sort_by(|a, b| compare(ui.order, (&a.counts, &a.name), (&b.counts, &b.name)));
    rows
}

/// Which of two rows stands first.
pub fn compare(order: Order, a: (&Counts, &str), b: (&Counts, &str)) -> std::cmp::Ordering {
    let bad =
        |counts: &Counts| (counts.last_60.failed, counts.last_60.slowed, counts.last_60.syns > 0);
    let first = match order {
        Order::Name => std::cmp::Ordering::Equal,
        Order::Rate => b.0.rate.total_cmp(&a.0.rate),
        Order::Failures => bad(b.0).cmp(&bad(a.0)),
    };
    first.then_with(|| a.1.cmp(b.1))
}

/// Two counts, of ten seconds and of a minute.
pub fn counts(last_10: u64, last_60: u64, tone: Tone) -> Cell {
    let tone = if last_60 > 0 { tone } else { Tone::Calm };
    Cell::toned(format!("{last_10}/{last_60}"), tone)
}

/// Draws it.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let cells = |row: &PodRow| {
        let Counts { last_10, last_60, .. } = row.counts;
        vec![
            Cell::calm(row.name.clone()),
            Cell::calm(row.revision.clone()),
            Cell::toned(row.state.clone(), row.tone),
            Cell::calm(row.address.clone()),
            Cell::calm(rate(row.counts.rate)),
            counts(last_10.failed, last_60.failed, Tone::Bad),
            counts(last_10.slowed, last_60.slowed, Tone::Slow),
        ]
    };
    let empty = match view.head.cluster {
        Some(_) => "no pod of this node is known yet",
        None => "without the cluster no pod is known",
    };
    let table = Table {
        panel: Panel::Pods,
        title: "PODS",
        columns: &COLUMNS,
        rows: rows(view, ui).into_iter().map(cells).collect(),
        more: view.more_pods,
        empty,
    };
    table::draw(table, ui, look, area, buffer);
}
