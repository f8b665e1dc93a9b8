//! SYNs as marks: what became of them, by lane and place. SYNs that stand closer than a mark is wide are one mark.
//!
//! In: users' SYNs of a [`Report`]. Out: [`Marks`], of which there are as many as fit, not as many as there were SYNs.

use super::lane::Lanes;
use super::scale::{LEFT, Scale, px};
use super::{offset, rect};
use crate::analyse::report::Report;
use crate::analyse::report::attempt::{Answer, ClientKind, Syn, SynClass};
use crate::present::markup::Markup;
use crate::present::text::number;
use std::collections::BTreeMap;

/// Distance of marks.
pub const STEP: f64 = 3.0;
/// Width of a mark.
const WIDE: f64 = 2.2;
/// Height of the tallest mark, and of the least.
const TALLEST: f64 = 24.0;
const LEAST: f64 = 4.0;
/// Up to so many marks tell their own number when pointed at.
const TITLED: usize = 3000;

/// What became of a SYN, as the picture tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// By SYN-ACK.
    Answered,
    /// By RST or ICMP.
    Refused,
    /// By nothing, or that is not known.
    Silent,
    /// It reached no pod.
    Nowhere,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 4] = [Fate::Answered, Fate::Refused, Fate::Silent, Fate::Nowhere];

    fn of(syn: &Syn) -> Fate {
        match (syn.class, syn.answer) {
            (_, Answer::SynAck) => Fate::Answered,
            (SynClass::Pod | SynClass::Unknown, Answer::Nothing | Answer::Unknown) => Fate::Silent,
            (_, Answer::Rst | Answer::Icmp) => Fate::Refused,
            _ => Fate::Nowhere,
        }
    }

    /// Class of its marks.
    pub fn class(self) -> &'static str {
        match self {
            Fate::Answered => "answered",
            Fate::Refused => "refused",
            Fate::Silent => "silent",
            Fate::Nowhere => "nowhere",
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Answered => "answered",
            Fate::Refused => "refused by RST or ICMP",
            Fate::Silent => "no answer",
            Fate::Nowhere => "reached no pod",
        }
    }
}

/// All marks of the picture.
#[derive(Debug, Default)]
pub struct Marks {
    /// By lane, fate and place: how many, the first of them.
    counts: BTreeMap<(usize, Fate, usize), (u64, u64)>,
    outside: u64,
}

impl Marks {
    /// Counts SYNs.
    pub fn of(report: &Report, scale: &Scale, lanes: &Lanes) -> Marks {
        let mut marks = Marks::default();
        let users = report
            .attempts
            .iter()
            .filter(|attempt| attempt.in_scope && attempt.client.kind == ClientKind::User);
        for syn in users.flat_map(|attempt| &attempt.syns) {
            let time_ns = syn.at.time_ns;
            if !scale.shows(time_ns) {
                marks.outside += 1;
                continue;
            }
            let place = ((scale.x(time_ns) - LEFT) / STEP) as usize;
            let key = (lanes.of_syn(syn), Fate::of(syn), place);
            let mark = marks.counts.entry(key).or_insert((0, time_ns));
            mark.0 += 1;
            mark.1 = mark.1.min(time_ns);
        }
        marks
    }

    /// SYNs before or after the picture.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// SYNs of the tallest mark.
    pub fn most(&self) -> u64 {
        self.counts.values().map(|(count, _)| *count).max().unwrap_or(0)
    }

    /// Whether there is a mark of that kind.
    pub fn has(&self, fate: Fate) -> bool {
        self.counts.keys().any(|(_, of, _)| *of == fate)
    }

    /// Writes a lane's marks around a line: answered ones up, all others down.
    pub fn write(&self, page: &mut Markup, scale: &Scale, lane: usize, y: f64) {
        for fate in Fate::ALL {
            let range = (lane, fate, 0)..=(lane, fate, usize::MAX);
            let mut path = String::new();
            for ((_, _, place), (count, first_ns)) in self.counts.range(range) {
                let high =
                    LEAST + (TALLEST - LEAST) * (*count as f64 / self.most().max(1) as f64).sqrt();
                let x = LEFT + *place as f64 * STEP;
                let top = if fate == Fate::Answered { y - high } else { y };
                if self.counts.len() > TITLED {
                    path.push_str(&format!("M{} {}h{WIDE}v{}h-{WIDE}z", px(x), px(top), px(high)));
                    continue;
                }
                page.open("g", &[]);
                let at = offset(scale, *first_ns);
                let title = format!("{}, {}, from {at}", number(*count, "SYN"), fate.word());
                page.leaf("title", &[], &title);
                rect(page, fate.class(), (x, top), (WIDE, high));
                page.close();
            }
            if !path.is_empty() {
                page.leaf("path", &[("class", fate.class()), ("d", &path)], "");
            }
        }
        page.line();
    }
}
