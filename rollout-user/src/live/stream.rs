//! The live event stream: holds events for late observations, tags, filters and prints them, and corrects what later
//! knowledge changes.
//!
//! In: records in order of arrival, and the present time. Out: lines on any writer, and the [`Footer`]. Touches no clock.

use super::provisional::Provisional;
use crate::present::event_line::Standing;
use crate::record::Record;
use crate::stream::footer::Footer;
use crate::stream::printer::{Options, Printer};
use crate::stream::select::is_event;
use crate::stream::tagging::Tagger;
use crate::stream::waiting::Waiting;
use std::io::Write;
use std::sync::Arc;

/// How often what was printed is tagged again after new knowledge, ns.
const RECHECK_NS: u64 = 500_000_000;

/// The stream.
pub struct Stream {
    printer: Printer,
    tagger: Tagger,
    waiting: Waiting,
    provisional: Provisional,
    learnt: bool,
    checked_ns: u64,
}

impl Stream {
    /// An empty one, in which an event waits so long for late observations, ns.
    pub fn new(options: Options, reorder_window_ns: u64) -> Stream {
        Stream {
            printer: Printer::new(options),
            tagger: Tagger::live(),
            waiting: Waiting::new(reorder_window_ns),
            provisional: Provisional::default(),
            learnt: false,
            checked_ns: 0,
        }
    }

    /// Writes the names of the columns, where the form has columns.
    ///
    /// # Errors
    /// When output fails.
    pub fn head(&self, out: &mut impl Write) -> std::io::Result<()> {
        self.printer.head(out)
    }

    /// Takes the next record.
    pub fn observe(&mut self, record: &Arc<Record>) {
        self.printer.observe(&record.body);
        if is_event(&record.body) {
            self.waiting.hold(record.clone());
        }
        self.learnt |= self.tagger.observe(record);
    }

    /// Prints what has waited long enough, and corrections if it is time for them.
    ///
    /// # Errors
    /// When output fails.
    pub fn advance(&mut self, now_ns: u64, out: &mut impl Write) -> std::io::Result<()> {
        while let Some(event) = self.waiting.due(now_ns) {
            self.print(out, &event)?;
        }
        if self.learnt && now_ns.saturating_sub(self.checked_ns) >= RECHECK_NS {
            self.correct(out, now_ns)?;
        }
        out.flush()
    }

    /// Prints what still waits, with what is known at the end.
    ///
    /// # Errors
    /// When output fails.
    pub fn end(&mut self, now_ns: u64, out: &mut impl Write) -> std::io::Result<()> {
        while let Some(event) = self.waiting.due(u64::MAX) {
            self.print(out, &event)?;
        }
        if self.learnt {
            self.correct(out, now_ns)?;
        }
        out.flush()
    }

    /// What to end with. `skipped`: records that never came here, because output was too slow.
    pub fn footer(&self, skipped: u64) -> Footer {
        Footer {
            skipped,
            overtaken: self.waiting.overtaken(),
            given_up: self.provisional.given_up(),
            ..self.printer.footer()
        }
    }

    fn print(&mut self, out: &mut impl Write, record: &Arc<Record>) -> std::io::Result<()> {
        let tags = self.tagger.tags(record);
        let shown = self.printer.is_wanted(record, &tags, &self.tagger);
        if shown {
            self.printer.write(out, (record, &tags), &self.tagger, Standing::Provisional)?;
            self.printer.printed += 1;
        }
        // What a filter kept back for its tags may pass with better ones.
        if shown || self.printer.may_pass_later(&record.body) {
            self.provisional.printed(record.clone(), tags, shown);
        }
        Ok(())
    }

    fn correct(&mut self, out: &mut impl Write, now_ns: u64) -> std::io::Result<()> {
        let tagger = &self.tagger;
        for correction in self.provisional.corrections(now_ns, |record| tagger.tags(record)) {
            let (record, tags) = (&*correction.record, &correction.tags);
            let wanted = self.printer.is_wanted(record, tags, tagger);
            if correction.shown || wanted {
                self.printer.write(out, (record, tags), tagger, Standing::Correction)?;
            }
            if wanted && !correction.shown {
                self.printer.printed += 1;
                self.provisional.shown(record.id);
            }
        }
        (self.learnt, self.checked_ns) = (false, now_ns);
        Ok(())
    }
}
