//! The picture of the update: time to the right, a lane for each pod, SYNs as marks, the windows shaded.
//!
//! In: a [`Report`]. Out: an `svg` element whose size is bounded: marks that stand too close are one.

mod lane;
mod marks;
mod scale;

use super::section;
use crate::analyse::report::{Moment, Report};
use crate::present::markup::Markup;
use crate::present::text::number;
use crate::present::text::update::rows;
use crate::present::time;
use lane::Lanes;
use marks::{Fate, Marks};
use scale::{RIGHT, Scale, WIDTH, px};

/// Height of the axis' labels.
const AXIS: f64 = 26.0;
/// Height of a window's bar with its label.
const WINDOW: f64 = 20.0;

/// Writes the picture and what its signs mean.
pub fn write(page: &mut Markup, report: &Report) {
    let Some(scale) = Scale::of(report) else { return };
    let lanes = Lanes::of(report);
    let marks = Marks::of(report, &scale, &lanes);
    let windows: Vec<_> = report.windows.iter().flat_map(rows).collect();
    let top = AXIS + WINDOW * windows.len() as f64 + 8.0;
    let height = top + lanes.height();
    section::open(page, "timeline", "Timeline", "one lane a pod; each mark is users' SYNs to it");
    page.open("figure", &[]);
    page.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    let view = format!("0 0 {} {}", px(WIDTH), px(height));
    let label = format!("SYNs of users to {}", number(report.pods.len() as u64, "pod"));
    page.open("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", &label)]);
    page.line();
    for (index, window) in windows.iter().enumerate() {
        let Some(span) = &window.span else { continue };
        let class = ["w1", "w2", "w3"].get(index).copied().unwrap_or_default();
        let y = AXIS + WINDOW * index as f64;
        let (from, to) = (scale.x(span.from.time_ns), scale.x(span.to.time_ns));
        let wide = (to - from).max(1.5);
        rect(page, &format!("shade {class}"), (from, y), (wide, height - y));
        let took = time::duration(span.duration_ns);
        bar(page, class, (from, y), wide, &format!("{} {}: {took}", index + 1, window.what));
    }
    axis(page, report, &scale, height);
    lanes.write(page, report, &scale, &marks, top);
    page.close();
    page.close();
    legend(page, &marks, &scale, &lanes);
    page.close();
    section::close(page);
}

fn axis(page: &mut Markup, report: &Report, scale: &Scale, height: f64) {
    for (ns, label) in scale.ticks() {
        let x = scale.x(ns);
        line(page, "grid", (x, AXIS - 6.0), (x, height));
        text(page, "tick", (x, 12.0), "middle", &label);
    }
    let Some(update) = &report.update else { return };
    for (moment, what) in
        [(update.start, "the update starts"), (update.end, "the update is complete")]
    {
        let Some(moment) = moment.filter(|moment| scale.shows(moment.time_ns)) else { continue };
        let x = scale.x(moment.time_ns);
        page.open("g", &[]);
        page.leaf("title", &[], &format!("{what}, {}", time::absolute(&moment)));
        line(page, "edge", (x, AXIS - 10.0), (x, height));
        page.close();
    }
    page.line();
}

/// A window's bar, with its words beside it where there is room.
fn bar(page: &mut Markup, class: &str, (x, y): (f64, f64), wide: f64, label: &str) {
    rect(page, &format!("bar {class}"), (x, y + 4.0), (wide, 12.0));
    let needs = lane::text_width(label);
    let (at, anchor) = if x + wide + needs + 6.0 < RIGHT {
        (x + wide + 6.0, "start")
    } else if x - needs - 6.0 > 0.0 {
        (x - 6.0, "end")
    } else {
        (x.max(0.0) + 6.0, "start")
    };
    text(page, "label", (at, y + 14.0), anchor, label);
    page.line();
}

fn legend(page: &mut Markup, marks: &Marks, scale: &Scale, lanes: &Lanes) {
    page.open("figcaption", &[]);
    page.open("ul", &[("class", "legend")]);
    for fate in Fate::ALL {
        if marks.has(fate) {
            page.open("li", &[]);
            page.leaf("i", &[("class", fate.class())], "");
            page.text(fate.word());
            page.close();
        }
    }
    for (class, word) in [
        ("starting", "pod starting"),
        ("ready", "ready"),
        ("leaving", "terminating"),
        ("done", "exited"),
    ] {
        page.open("li", &[]);
        page.leaf("i", &[("class", class)], "");
        page.text(word);
        page.close();
    }
    page.close();
    let mut notes = vec![format!(
        "The tallest mark is {} within {}.",
        number(marks.most(), "SYN"),
        time::duration(scale.ns_of(marks::STEP))
    )];
    if marks.outside() > 0 {
        notes.push(format!("{} before or after the picture.", number(marks.outside(), "SYN")));
    }
    if lanes.left_out() > 0 {
        notes.push(format!("{} without a lane.", number(lanes.left_out() as u64, "pod")));
    }
    page.leaf("p", &[("class", "dim")], &notes.join(" "));
    page.close();
}

/// An offset for titles, from a time on the monotonic clock.
fn offset(scale: &Scale, time_ns: u64) -> String {
    let base = i128::from(scale.zero_ns());
    let offset = i64::try_from(i128::from(time_ns) - base).ok();
    time::offset(&Moment { time_ns, unix_ns: None, offset_ns: offset })
}

fn rect(page: &mut Markup, class: &str, (x, y): (f64, f64), (wide, high): (f64, f64)) {
    let [x, y, wide, high] = [x, y, wide, high].map(px);
    let place = [("class", class), ("x", &x), ("y", &y), ("width", &wide), ("height", &high)];
    page.leaf("rect", &place, "");
}

fn line(page: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(px);
    let place = [("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)];
    page.leaf("line", &place, "");
}

fn text(page: &mut Markup, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    let [x, y] = [x, y].map(px);
    let place = [("class", class), ("x", &x), ("y", &y), ("text-anchor", anchor)];
    page.leaf("text", &place, words);
}
