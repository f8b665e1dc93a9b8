//! The live event stream: holds events for late observations, tags, filters and prints them, and corrects what later
//! knowledge changes.
//!
//! In: records in order of arrival, and the present time. Out: lines on any writer, and the [`Footer`]. Touches no clock.

use super::footer::{Footer, loss_name};
use super::provisional::Provisional;
use super::select::{Candidate, is_event, is_kind, matches};
use super::tagging::Tagger;
use crate::analyse::hooks::matters;
use crate::attribute::tag::EventTags;
use crate::cli::TraceOutput;
use crate::cli::filter::FilterArgs;
use crate::present::event_line::{self, EventLine, Standing};
use crate::present::paint::Paint;
use crate::record::meta::{DataPath, Hooks};
use crate::record::{Body, Record};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// How often what was printed is tagged again after new knowledge, ns.
const RECHECK_NS: u64 = 500_000_000;

/// What to print, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which events.
    pub filter: FilterArgs,
    /// In which form.
    pub output: TraceOutput,
    /// With colours.
    pub color: bool,
    /// How long an event waits for late observations, ns.
    pub reorder_window_ns: u64,
}

/// The stream.
pub struct Stream {
    options: Options,
    tagger: Tagger,
    room: Provisional,
    hooks: Hooks,
    data_path: Option<DataPath>,
    lost: BTreeMap<String, u64>,
    printed: u64,
    learnt: bool,
    checked_ns: u64,
}

impl Stream {
    /// An empty one.
    pub fn new(options: Options) -> Stream {
        Stream {
            tagger: Tagger::default(),
            room: Provisional::new(options.reorder_window_ns),
            options,
            hooks: Hooks::default(),
            data_path: None,
            lost: BTreeMap::new(),
            printed: 0,
            learnt: false,
            checked_ns: 0,
        }
    }

    /// Writes the names of the columns, where the form has columns.
    ///
    /// # Errors
    /// When output fails.
    pub fn head(&self, out: &mut impl Write) -> std::io::Result<()> {
        match self.options.output {
            TraceOutput::Table => writeln!(out, "{}", event_line::table_head()),
            TraceOutput::Wide => writeln!(out, "{}", event_line::wide_head()),
            TraceOutput::Json => Ok(()),
        }
    }

    /// Takes the next record.
    pub fn observe(&mut self, record: &Arc<Record>) {
        match &record.body {
            // A later record tells of some facts only.
            Body::Hooks(hooks) => self.hooks.facts.extend(hooks.facts.clone()),
            Body::DataPath(found) => self.data_path = Some(found.path),
            Body::Loss(loss) => {
                *self.lost.entry(loss_name(loss)).or_default() += loss.count.max(1);
            }
            body if is_event(body) => self.room.hold(record.clone()),
            _ => {}
        }
        self.learnt |= self.tagger.observe(record);
    }

    /// Prints what has waited long enough, and corrections if it is time for them.
    ///
    /// # Errors
    /// When output fails.
    pub fn advance(&mut self, now_ns: u64, out: &mut impl Write) -> std::io::Result<()> {
        while let Some(event) = self.room.due(now_ns) {
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
        while let Some(event) = self.room.due(u64::MAX) {
            self.print(out, &event)?;
        }
        if self.learnt {
            self.correct(out, now_ns)?;
        }
        out.flush()
    }

    /// What to end with. `skipped`: records that never came here, because output was too slow.
    pub fn footer(&self, skipped: u64) -> Footer {
        let blind = self.hooks.facts.iter().filter(|(fact, _)| matters(fact, self.data_path));
        Footer {
            printed: self.printed,
            lost: self.lost.clone(),
            skipped,
            overtaken: self.room.overtaken(),
            given_up: self.room.given_up(),
            blind: blind
                .filter_map(|(fact, hook)| Some((fact.clone(), hook.blind.clone()?)))
                .collect(),
        }
    }

    fn print(&mut self, out: &mut impl Write, record: &Arc<Record>) -> std::io::Result<()> {
        let tags = self.tagger.tags(record);
        let shown = self.is_wanted(record, &tags);
        if shown {
            self.write(out, record, &tags, Standing::Provisional)?;
            self.printed += 1;
        }
        // What a filter kept back for its tags may pass with better ones.
        if shown || self.may_pass_later(&record.body) {
            self.room.printed(record.clone(), tags, shown);
        }
        Ok(())
    }

    fn correct(&mut self, out: &mut impl Write, now_ns: u64) -> std::io::Result<()> {
        let tagger = &self.tagger;
        for correction in self.room.corrections(now_ns, |record| tagger.tags(record)) {
            let wanted = self.is_wanted(&correction.record, &correction.tags);
            if correction.shown || wanted {
                self.write(out, &correction.record, &correction.tags, Standing::Correction)?;
            }
            if wanted && !correction.shown {
                self.printed += 1;
                self.room.shown(correction.record.id);
            }
        }
        (self.learnt, self.checked_ns) = (false, now_ns);
        Ok(())
    }

    fn write(
        &self,
        out: &mut impl Write,
        record: &Record,
        tags: &EventTags,
        standing: Standing,
    ) -> std::io::Result<()> {
        let unix = self.tagger.unix_at(record.time_ns);
        let line = EventLine { record, tags, unix, standing };
        let paint = Paint { on: self.options.color };
        let text = match self.options.output {
            TraceOutput::Table => event_line::table(&line, paint),
            TraceOutput::Wide => event_line::wide(&line, paint),
            TraceOutput::Json => event_line::json(&line),
        };
        writeln!(out, "{text}")
    }

    fn is_wanted(&self, record: &Record, tags: &EventTags) -> bool {
        let backends: Vec<_> = tags.backends.iter().map(|backend| &backend.tag).collect();
        let addresses: Vec<_> = tags.backends.iter().map(|backend| backend.address).collect();
        let label = |uid: &str, key: &str| self.tagger.label(uid, key);
        let candidate = Candidate {
            body: &record.body,
            client: tags.client.as_ref(),
            service: tags.service.as_ref(),
            backends: &backends,
            backend_addresses: &addresses,
            label: &label,
        };
        matches(&self.options.filter, &candidate)
    }

    fn may_pass_later(&self, body: &Body) -> bool {
        let filter = &self.options.filter;
        is_kind(filter, body) && !filter.needing_cluster().is_empty()
    }
}
