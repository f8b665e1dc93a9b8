//! Time to the right: which part of the recording the picture shows, and where a moment stands in it.
//!
//! In: a [`Report`]. Out: [`Scale`].

use crate::analyse::report::Report;
use crate::present::time;

/// Width of the picture, its own units.
pub const WIDTH: f64 = 960.0;
/// Left edge of time.
pub const LEFT: f64 = 8.0;
/// Right edge of time.
pub const RIGHT: f64 = WIDTH - 8.0;
/// Labels of the axis, about.
const TICKS: u64 = 8;

/// A number of the picture, with a tenth of a unit.
pub fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Times and places.
#[derive(Debug)]
pub struct Scale {
    from_ns: u64,
    to_ns: u64,
    zero_ns: u64,
}

impl Scale {
    /// From a little before the update to a little after it and after the last bad attempt; `None` where nothing was seen.
    pub fn of(report: &Report) -> Option<Scale> {
        let source = report.source.as_ref();
        let syns = || report.attempts.iter().flat_map(|attempt| &attempt.syns);
        let all_from = source.map(|s| s.from.time_ns);
        let all_to = source.map(|s| s.to.time_ns);
        let first = all_from.or_else(|| syns().map(|syn| syn.at.time_ns).min())?;
        let last = all_to.or_else(|| syns().map(|syn| syn.at.time_ns).max())?.max(first);
        let update = report.update.as_ref();
        let start = update.and_then(|update| update.start).map(|start| start.time_ns);
        let end = update.and_then(|update| update.end).map_or(last, |end| end.time_ns);
        let bad = report.verdict.to.map_or(0, |to| to.time_ns);
        let silent = report.windows.and_then(|windows| windows.unanswered.span);
        let until = end.max(bad).max(silent.map_or(0, |span| span.to.time_ns));
        let begin = start.unwrap_or(first);
        let margin = (until.saturating_sub(begin) / 8).max(500_000_000);
        let from_ns = begin.saturating_sub(margin).clamp(first, last);
        let to_ns =
            until.saturating_add(margin).clamp(from_ns, last).max(from_ns.saturating_add(1));
        Some(Scale { from_ns, to_ns, zero_ns: start.unwrap_or(first) })
    }

    /// Where a moment stands; those before and after stand at the edges.
    pub fn x(&self, time_ns: u64) -> f64 {
        let into = time_ns.clamp(self.from_ns, self.to_ns) - self.from_ns;
        LEFT + (RIGHT - LEFT) * (into as f64 / (self.to_ns - self.from_ns) as f64)
    }

    /// Whether a moment lies in the picture.
    pub fn shows(&self, time_ns: u64) -> bool {
        (self.from_ns..=self.to_ns).contains(&time_ns)
    }

    /// How long so many units are, ns.
    pub fn ns_of(&self, units: f64) -> u64 {
        ((self.to_ns - self.from_ns) as f64 * units / (RIGHT - LEFT)) as u64
    }

    /// Time from which offsets count: the update's start, else the recording's.
    pub fn zero_ns(&self) -> u64 {
        self.zero_ns
    }

    /// Round times with their labels.
    pub fn ticks(&self) -> Vec<(u64, String)> {
        let range = self.to_ns - self.from_ns;
        let mut unit = 1_000_000_u64;
        let step = loop {
            let fits = [1, 2, 5].map(|n| unit.saturating_mul(n));
            if let Some(step) = fits.into_iter().find(|step| range / step <= TICKS) {
                break step;
            }
            match unit.checked_mul(10) {
                Some(next) => unit = next,
                None => return Vec::new(),
            }
        };
        let zero = i128::from(self.zero_ns);
        let first = (i128::from(self.from_ns) - zero).div_euclid(i128::from(step)) + 1;
        let times = (first..).map(|n| (n, zero + n * i128::from(step)));
        times
            .take_while(|(_, at)| *at <= i128::from(self.to_ns))
            .filter_map(|(n, at)| Some((u64::try_from(at).ok()?, label(n, step))))
            .collect()
    }
}

fn label(n: i128, step: u64) -> String {
    let sign = match n {
        0 => return "0".to_owned(),
        1.. => "+",
        _ => "−",
    };
    let ns = n.unsigned_abs().saturating_mul(u128::from(step));
    let ns = u64::try_from(ns).unwrap_or(u64::MAX);
    match (ns % 1_000_000_000, ns % 60_000_000_000) {
        (_, 0) => format!("{sign}{} min", ns / 60_000_000_000),
        (0, _) if ns < 60_000_000_000 => format!("{sign}{} s", ns / 1_000_000_000),
        _ => format!("{sign}{}", time::duration(ns)),
    }
}
