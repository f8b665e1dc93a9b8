//! A view on a screen of any size. One file for each panel; this one shares the lines out among them.
//!
//! In: a [`View`], how it is looked at, an area. Out: cells. Where there are too few lines, panels are left out in this
//! order: losses, backends, events, updates; the one in focus stays. Under [`LEAST`] the screen says so and nothing else.

mod backends;
mod events;
mod head;
mod help;
mod keys;
mod losses;
mod pods;
mod table;
mod updates;

use super::ui::{PANELS, Panel, Ui};
use super::view::View;
use crate::present::event_line::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// The smallest screen: columns and lines.
pub const LEAST: (u16, u16) = (40, 8);
/// Lines above and below the panels.
const HEAD: u16 = 2;
const KEYS: u16 = 1;
/// From the panel that is left out last to the one that is left out first.
const BY_WEIGHT: [Panel; PANELS.len()] =
    [Panel::Pods, Panel::Updates, Panel::Events, Panel::Backends, Panel::Losses];

/// Whether colours are used. Nothing is told by colour alone.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// With colours.
    pub color: bool,
}

impl Look {
    fn tone(self, tone: Tone) -> Style {
        let color = match tone {
            Tone::Calm => return Style::new(),
            Tone::Good => Color::Green,
            Tone::Bad => Color::Red,
            Tone::Slow => Color::Yellow,
        };
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    fn alarm(self) -> Style {
        self.tone(Tone::Bad).add_modifier(Modifier::BOLD)
    }

    fn title(self, focused: bool) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
        if focused { style.add_modifier(Modifier::REVERSED) } else { style }
    }
}

/// Draws everything. Cuts the scrolling to what there is.
pub fn draw(view: &View, ui: &mut Ui, look: Look, area: Rect, buffer: &mut Buffer) {
    let (columns, lines) = LEAST;
    if area.width < columns || area.height < lines {
        let size = format!("{}x{}", area.width, area.height);
        let text = [
            format!("terminal too small: {size}"),
            format!("at least {columns}x{lines} is needed"),
        ];
        for (y, text) in (area.y..area.bottom()).zip(text) {
            put(buffer, area.x, y, area.width, &text, Style::new());
        }
        return;
    }
    if ui.help {
        return help::draw(look, area, buffer);
    }
    head::draw(&view.head, ui, look, Rect { height: HEAD, ..area }, buffer);
    let room = area.height - HEAD - KEYS;
    let shares = share(room, ui.focus, |panel| rows(view, ui, panel, area.width));
    let mut y = area.y + HEAD;
    for panel in PANELS {
        let height = shares.iter().find(|(one, _)| *one == panel).map_or(0, |(_, height)| *height);
        if height == 0 {
            continue;
        }
        let place = Rect { y, height, ..area };
        match panel {
            Panel::Updates => updates::draw(view, ui, look, place, buffer),
            Panel::Pods => pods::draw(view, ui, look, place, buffer),
            Panel::Backends => backends::draw(view, ui, look, place, buffer),
            Panel::Events => events::draw(view, ui, look, place, buffer),
            Panel::Losses => losses::draw(view, ui, look, place, buffer),
        }
        y += height;
    }
    let hidden = PANELS.len() - shares.len();
    let place = Rect { y: area.bottom() - KEYS, height: KEYS, ..area };
    keys::draw(ui, hidden, look, place, buffer);
}

/// Rows that a panel could fill.
fn rows(view: &View, ui: &Ui, panel: Panel, width: u16) -> usize {
    match panel {
        Panel::Updates => updates::rows(view, ui).len(),
        Panel::Pods => pods::rows(view, ui).len(),
        Panel::Backends => backends::rows(view, ui).len(),
        Panel::Events => events::rows(view, ui).len(),
        Panel::Losses => losses::rows(view, ui, width).len(),
    }
}

/// Which panels are shown, with their lines, the title's included.
fn share(room: u16, focus: Panel, rows: impl Fn(Panel) -> usize) -> Vec<(Panel, u16)> {
    let others = BY_WEIGHT.into_iter().filter(|panel| *panel != focus);
    let mut shares: Vec<(Panel, u16)> = Vec::new();
    let mut left = room;
    for panel in [focus].into_iter().chain(others) {
        let least = match panel {
            Panel::Updates | Panel::Losses => 2,
            Panel::Pods | Panel::Backends | Panel::Events => 3,
        };
        if least > left {
            break;
        }
        left -= least;
        shares.push((panel, least));
    }
    let wanted: Vec<usize> =
        shares.iter().map(|(panel, _)| rows(*panel).saturating_add(1)).collect();
    // Line by line, so that no long panel takes all.
    loop {
        let mut given = false;
        for ((_, height), wanted) in shares.iter_mut().zip(&wanted) {
            if left > 0 && usize::from(*height) < *wanted {
                *height += 1;
                left -= 1;
                given = true;
            }
        }
        if !given {
            break;
        }
    }
    // What nobody needs stands below the events, where new ones will be.
    let last = shares.iter_mut().max_by_key(|(panel, _)| (*panel == Panel::Events, *panel));
    if let Some((_, height)) = last {
        *height += left;
    }
    shares
}

/// Writes text on one line, cut at `width`.
fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) {
    buffer.set_stringn(x, y, text, usize::from(width), style);
}

/// Three digits or more; tenths of hundreds tell nothing.
fn rate(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// A time that goes on: what is below a second changes too often to be read.
fn whole_seconds(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_left_out_in_the_stated_order_and_the_one_in_focus_stays() {
        let shown = |room, focus| {
            let mut shown: Vec<Panel> =
                share(room, focus, |_| 1).into_iter().map(|(panel, _)| panel).collect();
            shown.sort();
            shown
        };
        use Panel::{Backends, Events, Losses, Pods, Updates};
        assert_eq!(shown(13, Pods), PANELS);
        assert_eq!(shown(12, Pods), [Updates, Pods, Backends, Events]);
        assert_eq!(shown(10, Pods), [Updates, Pods, Events]);
        assert_eq!(shown(7, Pods), [Updates, Pods]);
        assert_eq!(shown(5, Losses), [Pods, Losses]);
        assert_eq!(shown(5, Backends), [Backends]);
    }

    #[test]
    fn every_line_is_given_and_no_long_panel_takes_all() {
        for room in 5..60 {
            for focus in PANELS {
                let shares = share(room, focus, |panel| if panel == Panel::Pods { 500 } else { 4 });
                assert_eq!(shares.iter().map(|(_, height)| height).sum::<u16>(), room);
            }
        }
        let shares = share(21, Panel::Pods, |panel| if panel == Panel::Pods { 500 } else { 4 });
        assert!(shares.iter().all(|(_, height)| *height >= 3), "{shares:?}");
    }
}
