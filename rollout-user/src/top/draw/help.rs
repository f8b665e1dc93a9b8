//! What the keys and columns mean. In: an area. Out: cells.

use super::{Look, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const TEXT: &str = "\
KEYS (any key closes this)
  q, Ctrl-C   quit
  p, Space    pause: the display stands still, counting goes on
  Tab         next panel; Shift-Tab: the one before
  ↑ ↓         scroll the panel in focus (also k j, Page, Home, End)
  s           order pods and backends by failures, SYN/s, name
  /           show only rows with a text; Esc: all again

WHAT IS SHOWN
  SYN/s       SYNs in a second, over the last 10, sent again ones too
  FAIL, SLOW  connects without connection; with one, but only after
              the SYN was sent again; last 10 s / last 60 s
  STATE       as the cluster told; `a→b`: between two; `stale`: the
              watch was cut; `unknown`: nothing tells
  WEIGHT      in IPVS; `?`: a change may have been lost
  kubelet's probes are in no count. Counts are provisional: a report
  (`rollout watch`) counts anew.";

/// Draws it.
pub fn draw(look: Look, area: Rect, buffer: &mut Buffer) {
    for (y, (index, line)) in (area.y..area.bottom()).zip(TEXT.lines().enumerate()) {
        let is_title = !line.starts_with(' ') && !line.starts_with("(");
        let style =
            if is_title && !line.is_empty() { look.title(index == 0) } else { Style::new() };
        put(buffer, area.x, y, area.width, line, style);
    }
}
