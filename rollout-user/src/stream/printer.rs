//! Prints events that pass the filters, in the form that is asked for, and counts for the footer.
//!
//! In: events with their tags, and what the recorder says of itself. Out: lines, and the [`Footer`]. Touches no clock.

use super::footer::{Footer, loss_name};
use super::select::{Candidate, is_kind, matches};
use super::tagging::Tagger;
use crate::analyse::hooks::matters;
use crate::attribute::tag::EventTags;
use crate::cli::TraceOutput;
use crate::cli::filter::FilterArgs;
use crate::present::event_line::{self, EventLine, Standing};
use crate::present::paint::Paint;
use crate::record::meta::{DataPath, Hooks, LeftOut};
use crate::record::{Body, Record};
use std::collections::BTreeMap;
use std::io::Write;

/// What to print, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which events.
    pub filter: FilterArgs,
    /// In which form.
    pub output: TraceOutput,
    /// With colours.
    pub color: bool,
}

/// The printer.
pub struct Printer {
    options: Options,
    hooks: Hooks,
    data_path: Option<DataPath>,
    lost: BTreeMap<String, u64>,
    left_out: LeftOut,
    /// Events printed so far.
    pub printed: u64,
}

impl Printer {
    /// One that has printed nothing.
    pub fn new(options: Options) -> Printer {
        Printer {
            options,
            hooks: Hooks::default(),
            data_path: None,
            lost: BTreeMap::new(),
            left_out: LeftOut::default(),
            printed: 0,
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

    /// Remembers what the footer will tell: losses, and what cannot be seen.
    pub fn observe(&mut self, body: &Body) {
        match body {
            // A later record tells of some facts only.
            Body::Hooks(hooks) => self.hooks.facts.extend(hooks.facts.clone()),
            Body::DataPath(found) => self.data_path = Some(found.path),
            Body::Header(header) => self.left_out = header.left_out.clone(),
            Body::Loss(loss) => {
                let lost = self.lost.entry(loss_name(loss)).or_default();
                *lost = lost.saturating_add(loss.count.max(1));
            }
            _ => {}
        }
    }

    /// Whether an event passes the filters with these tags.
    pub fn is_wanted(&self, record: &Record, tags: &EventTags, tagger: &Tagger) -> bool {
        let backends: Vec<_> = tags.backends.iter().map(|backend| &backend.tag).collect();
        let addresses: Vec<_> = tags.backends.iter().map(|backend| backend.address).collect();
        let label = |uid: &str, key: &str| tagger.label_at(uid, key, record.time_ns);
        let candidate = Candidate {
            body: &record.body,
            client: tags.client.as_ref(),
            service: tags.service.as_ref(),
            backends: &backends,
            backend_addresses: &addresses,
            label: &label,
        };
        // The kernel leaves them out only from when it was told their cgroups.
        let client = tags.client.as_ref().and_then(|tag| tag.pod.as_ref());
        let left_out = client.is_some_and(|pod| self.left_out.namespaces.contains(&pod.namespace));
        !left_out && matches(&self.options.filter, &candidate)
    }

    /// Whether an event that does not pass now could pass with better tags.
    pub fn may_pass_later(&self, body: &Body) -> bool {
        let filter = &self.options.filter;
        is_kind(filter, body) && !filter.needing_cluster().is_empty()
    }

    /// Writes one event.
    ///
    /// # Errors
    /// When output fails.
    pub fn write(
        &self,
        out: &mut impl Write,
        (record, tags): (&Record, &EventTags),
        tagger: &Tagger,
        standing: Standing,
    ) -> std::io::Result<()> {
        let unix = tagger.unix_at(record.time_ns);
        let line = EventLine { record, tags, unix, standing };
        let paint = Paint { on: self.options.color };
        let text = match self.options.output {
            TraceOutput::Table => event_line::table(&line, paint),
            TraceOutput::Wide => event_line::wide(&line, paint),
            TraceOutput::Json => event_line::json(&line),
        };
        writeln!(out, "{text}")
    }

    /// What to end with, as far as the printer knows.
    pub fn footer(&self) -> Footer {
        let blind = self.hooks.facts.iter().filter(|(fact, _)| matters(fact, self.data_path));
        Footer {
            printed: self.printed,
            lost: self.lost.clone(),
            blind: blind
                .filter_map(|(fact, hook)| Some((fact.clone(), hook.blind.clone()?)))
                .collect(),
            ..Footer::default()
        }
    }
}
