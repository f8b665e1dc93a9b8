//! The events of a recording again, in two passes: first every observation becomes history, then events are printed. What
//! is printed is final.
//!
//! In: the records of a recording, twice, in file order. Out: lines on any writer, and the [`Footer`]. Touches no clock.

use super::footer::Footer;
use super::printer::{Options, Printer};
use super::select::is_event;
use super::tagging::Tagger;
use super::waiting::Waiting;
use crate::present::event_line::Standing;
use crate::record::{Body, Record};
use std::io::Write;
use std::sync::Arc;

/// The first pass.
pub struct Learning {
    printer: Printer,
    tagger: Tagger,
    latest_ns: u64,
    lateness_ns: u64,
    saw_cluster: bool,
}

impl Learning {
    /// Begins.
    pub fn new(options: Options) -> Learning {
        Learning {
            printer: Printer::new(options),
            tagger: Tagger::whole(),
            latest_ns: 0,
            lateness_ns: 0,
            saw_cluster: false,
        }
    }

    /// Takes the next record of the first pass.
    pub fn observe(&mut self, record: &Record) {
        self.printer.observe(&record.body);
        self.tagger.learn(record);
        self.saw_cluster |= matches!(record.body, Body::Watch(_) | Body::Pod(_) | Body::Service(_));
        if is_event(&record.body) {
            self.latest_ns = self.latest_ns.max(record.time_ns);
            self.lateness_ns = self.lateness_ns.max(self.latest_ns - record.time_ns);
        }
    }

    /// Whether the recording tells anything of the cluster.
    pub fn saw_cluster(&self) -> bool {
        self.saw_cluster
    }

    /// Ends the first pass. Events then wait as long as the latest of them was late, so that all leave in order of time.
    pub fn learnt(self) -> Replay {
        let Learning { printer, tagger, lateness_ns, .. } = self;
        Replay { printer, tagger, waiting: Waiting::new(lateness_ns), latest_ns: 0 }
    }
}

/// The second pass.
pub struct Replay {
    printer: Printer,
    tagger: Tagger,
    waiting: Waiting,
    latest_ns: u64,
}

impl Replay {
    /// Writes the names of the columns, where the form has columns.
    ///
    /// # Errors
    /// When output fails.
    pub fn head(&self, out: &mut impl Write) -> std::io::Result<()> {
        self.printer.head(out)
    }

    /// Takes the next record of the second pass, and prints what nothing can come before any more.
    ///
    /// # Errors
    /// When output fails.
    pub fn event(&mut self, record: Record, out: &mut impl Write) -> std::io::Result<()> {
        if !is_event(&record.body) {
            return Ok(());
        }
        self.tagger.meet(&record);
        self.latest_ns = self.latest_ns.max(record.time_ns);
        self.waiting.hold(Arc::new(record));
        while let Some(event) = self.waiting.due(self.latest_ns) {
            self.print(&event, out)?;
        }
        Ok(())
    }

    /// Prints the rest.
    ///
    /// # Errors
    /// When output fails.
    pub fn end(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        while let Some(event) = self.waiting.due(u64::MAX) {
            self.print(&event, out)?;
        }
        out.flush()
    }

    /// What to end with.
    pub fn footer(&self) -> Footer {
        Footer { overtaken: self.waiting.overtaken(), ..self.printer.footer() }
    }

    fn print(&mut self, record: &Record, out: &mut impl Write) -> std::io::Result<()> {
        let tags = self.tagger.tags(record);
        if self.printer.is_wanted(record, &tags, &self.tagger) {
            self.printer.write(out, (record, &tags), &self.tagger, Standing::Final)?;
            self.printer.printed += 1;
        }
        Ok(())
    }
}
