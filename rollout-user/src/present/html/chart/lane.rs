//! Lanes: a pod's name, its life as a line with its steps, and room for its marks.
//!
//! In: the report's pods. Out: the lanes' part of the picture.

use super::marks::Marks;
use super::scale::{LEFT, RIGHT, Scale};
use super::{line, offset, rect, text};
use crate::analyse::report::Report;
use crate::analyse::report::attempt::{Role, Syn};
use crate::analyse::report::pod::{Cell, PodRow, Step};
use crate::present::markup::Markup;
use crate::present::text::pod::word;
use crate::present::text::words::pod_name;
use std::collections::BTreeMap;

/// Pods that have a lane.
const MOST: usize = 60;
/// Up to this many pods have the names of their steps written beside them.
const SPACIOUS: usize = 6;
/// Rows for the names of steps, and the height of one.
const ROWS: usize = 3;
const ROW: f64 = 13.0;
/// Heights: the pod's name, the line of its life, marks above and below, room to the next lane.
const NAME: f64 = 18.0;
const LIFE: f64 = 6.0;
const MARKS: f64 = 54.0;
const GAP: f64 = 14.0;

/// Width of a text of the picture, about.
pub fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 5.9
}

/// Which pod has which lane; the last lane is for SYNs that reached no pod.
#[derive(Debug)]
pub struct Lanes {
    of_pod: BTreeMap<String, usize>,
    /// Positions of pods in the report, by lane.
    pods: Vec<usize>,
    left_out: usize,
    labelled: bool,
    nowhere: bool,
}

impl Lanes {
    /// Gives lanes to pods, first to those to which something bad happened, in the report's order.
    pub fn of(report: &Report) -> Lanes {
        let mut pods: Vec<usize> = (0..report.pods.len()).collect();
        let silent = |at: &usize| report.pods.get(*at).map_or(0, |row| row.unanswered);
        pods.sort_by_key(|at| std::cmp::Reverse(silent(at)));
        pods.truncate(MOST);
        pods.sort_unstable();
        let uid = |at: &usize| report.pods.get(*at).map(|row| row.pod.uid.clone());
        let of_pod = pods.iter().filter_map(uid).zip(0..).collect();
        let mut lanes = Lanes {
            of_pod,
            left_out: report.pods.len() - pods.len(),
            labelled: pods.len() <= SPACIOUS,
            pods,
            nowhere: false,
        };
        let syns = report.attempts.iter().filter(|attempt| attempt.in_scope);
        let last = lanes.pods.len();
        lanes.nowhere = syns.flat_map(|attempt| &attempt.syns).any(|syn| lanes.of_syn(syn) == last);
        lanes
    }

    /// The lane of a SYN.
    pub fn of_syn(&self, syn: &Syn) -> usize {
        let pod = syn.pod.as_ref().and_then(|tag| tag.pod.as_ref());
        let lane = pod.and_then(|pod| self.of_pod.get(&pod.uid)).copied();
        lane.unwrap_or(self.pods.len())
    }

    /// Pods without a lane.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Height of all lanes.
    pub fn height(&self) -> f64 {
        let last = if self.nowhere { NAME + MARKS + GAP } else { 0.0 };
        self.lane_height() * self.pods.len() as f64 + last
    }

    fn lane_height(&self) -> f64 {
        NAME + self.labels() + LIFE + MARKS + GAP
    }

    fn labels(&self) -> f64 {
        if self.labelled { ROW * ROWS as f64 } else { 4.0 }
    }

    /// Writes all lanes from `top` on.
    pub fn write(
        &self,
        page: &mut Markup,
        report: &Report,
        scale: &Scale,
        marks: &Marks,
        top: f64,
    ) {
        let mut y = top;
        for (lane, row) in self.pods.iter().filter_map(|at| report.pods.get(*at)).enumerate() {
            let role = match row.role {
                Some(Role::Old) => ", old",
                Some(Role::New) => ", new",
                None => "",
            };
            name(page, y, &format!("{}{role}", pod_name(&row.pod)));
            let life = y + NAME + self.labels();
            self.life(page, row, scale, life);
            let middle = life + LIFE + MARKS / 2.0;
            line(page, "base", (LEFT, middle), (RIGHT, middle));
            marks.write(page, scale, lane, middle);
            y += self.lane_height();
        }
        if self.nowhere {
            name(page, y, "reached no pod, or one that is not known");
            let middle = y + NAME + MARKS / 2.0;
            line(page, "base", (LEFT, middle), (RIGHT, middle));
            marks.write(page, scale, self.pods.len(), middle);
        }
    }

    /// The line of a pod's life in the colours of its states, and a tick for each step.
    fn life(&self, page: &mut Markup, row: &PodRow, scale: &Scale, y: f64) {
        let at = |step| reached(row, step);
        let end = at(Step::Gone).unwrap_or(u64::MAX);
        let done = at(Step::Exit).unwrap_or(end).min(end);
        let leaving = at(Step::DeletionSeen).unwrap_or(done).min(done);
        let ready = at(Step::Ready).unwrap_or(leaving).min(leaving);
        let known = row.steps.iter().filter_map(|one| reached(row, one.step)).min();
        let Some(born) = at(Step::Created).or(known) else { return };
        for (class, from, to) in [
            ("starting", born.min(ready), ready),
            ("ready", ready, leaving),
            ("leaving", leaving, done),
            ("done", done, end),
        ] {
            let (from, to) = (scale.x(from), scale.x(to));
            if to > from {
                rect(page, class, (from, y), (to - from, LIFE));
            }
        }
        let mut rows = [0.0_f64; ROWS];
        let mut steps: Vec<(u64, Step)> = Vec::new();
        for one in &row.steps {
            if let Cell::At { at, .. } = &one.cell
                && scale.shows(at.time_ns)
            {
                steps.push((at.time_ns, one.step));
            }
        }
        steps.sort_unstable();
        let placed: Vec<Tick> = steps
            .into_iter()
            .map(|(time_ns, step)| {
                let (label, x) = (word(step), scale.x(time_ns));
                let begin = x.min(RIGHT - text_width(label));
                let row = rows.iter().rposition(|taken| *taken <= begin && self.labelled);
                if let Some(taken) = row.and_then(|row| rows.get_mut(row)) {
                    *taken = begin + text_width(label) + 6.0;
                }
                let over = row.map(|row| y - ROW * (ROWS - row) as f64 + ROW - 3.0);
                Tick {
                    label,
                    title: format!("{label}, {}", offset(scale, time_ns)),
                    x,
                    begin,
                    over,
                }
            })
            .collect();
        // Names last, so that no line crosses one.
        for tick in &placed {
            page.open("g", &[("class", "step")]);
            page.leaf("title", &[], &tick.title);
            let top = tick.over.map_or(y - 2.0, |over| over + 2.0);
            line(page, "step", (tick.x, top), (tick.x, y + LIFE + 2.0));
            page.close();
        }
        for tick in &placed {
            if let Some(over) = tick.over {
                text(page, "label", (tick.begin, over), "start", tick.label);
            }
        }
        page.line();
    }
}

/// A step on the line of a life: a tick, and its name in the first row that has room.
struct Tick {
    label: &'static str,
    title: String,
    x: f64,
    begin: f64,
    /// Where its name stands; `None`: there was no room.
    over: Option<f64>,
}

/// When a step was; the beginning of time for what came before the trace.
fn reached(row: &PodRow, step: Step) -> Option<u64> {
    match &row.steps.iter().find(|at| at.step == step)?.cell {
        Cell::At { at, .. } => Some(at.time_ns),
        Cell::Before => Some(0),
        Cell::NotYet | Cell::NotSeen { .. } => None,
    }
}

fn name(page: &mut Markup, y: f64, words: &str) {
    text(page, "name", (LEFT, y + 13.0), "start", words);
}
