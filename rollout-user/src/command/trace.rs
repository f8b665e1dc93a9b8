//! `rollout trace`: prints connection events of this node as they happen.
//!
//! In: filters. Out: events on standard output, tagged with what is known after the reorder window; a `correction` where
//! later knowledge differs; losses and blind spots at the end.

use crate::analyse::hooks::matters;
use crate::attribute::tag::EventTags;
use crate::cli::{Trace, TraceOutput};
use crate::cluster::{Cluster, Scope};
use crate::live::footer::{Footer, loss_name};
use crate::live::interrupt::Interrupt;
use crate::live::provisional::Provisional;
use crate::live::select::{Candidate, is_event, matches};
use crate::live::session::{self, Plan, Session};
use crate::live::tagging::Tagger;
use crate::present::event_line::{self, EventLine, Standing};
use crate::present::paint::Paint;
use crate::record::meta::{DataPath, Hooks, Phase};
use crate::record::{Body, Record};
use crate::recording::space::Limits;
use crate::tables::host;
use crate::timeline::monotonic_ns;
use anyhow::Context;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(50);
const CALIBRATE: Duration = Duration::from_secs(1);
/// How often what was printed is tagged again after new knowledge.
const RECHECK: Duration = Duration::from_millis(500);
const SYNC: Duration = Duration::from_secs(60);

/// Traces until interrupted, or for `--duration`.
///
/// # Errors
/// When the probes cannot be loaded, or output fails.
pub fn run(args: &Trace, color: bool) -> anyhow::Result<ExitCode> {
    let runtime = session::runtime()?;
    let interrupt = Interrupt::install(&runtime)?;
    let node = host::node_name(args.cluster.node.as_deref());
    let cluster = cluster(args, &runtime, &node)?;
    let limits =
        Limits { max_bytes: args.live.record_max, min_free_percent: args.live.record_min_free };
    let plan = Plan {
        node,
        target: None,
        cluster,
        ports: args.filter.port.iter().copied().collect(),
        record: args.record.clone().map(|path| (path, limits)),
        reorder_window: args.live.reorder_window,
        probes: super::probe_options(&args.live)?,
    };
    let session = Session::start(&runtime, plan)?;
    for note in &session.notes {
        super::note(note);
    }
    match session.sync(&runtime, SYNC, &interrupt) {
        Ok(notes) => notes.iter().for_each(|note| super::note(note)),
        Err(error) => {
            super::note(&format!("{error:#}; events may lack tags"));
        }
    }
    if let Some(ready) = &args.ready_file {
        std::fs::write(ready, "tracing\n")
            .with_context(|| format!("cannot create the ready file `{}`", ready.display()))?;
    }
    let mut tracer = Tracer {
        args,
        color,
        tagger: Tagger::default(),
        room: Provisional::new(nanoseconds(args.live.reorder_window)),
        hooks: Hooks::default(),
        data_path: None,
        lost: BTreeMap::new(),
        printed: 0,
    };
    let outcome = tracer.run(&session, &interrupt);
    let skipped = session.skipped();
    let ended = match interrupt.requested() {
        Some(signal) if args.duration.is_some() => Phase::CutShort { reason: signal.to_owned() },
        _ => Phase::Ended,
    };
    let summary = session.finish(ended)?;
    outcome?;
    tracer.footer(skipped)?;
    if let Some(summary) = summary {
        eprintln!("recorded {} records to {}", summary.records, summary.path.display());
        if let Some(why) = &summary.stopped {
            eprintln!(
                "warning: recording stopped early, {} records are missing: {why}",
                summary.lost
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Without an API server the tracer still works, untagged, and says so; filters that no untagged event passes are refused.
fn cluster(
    args: &Trace,
    runtime: &tokio::runtime::Runtime,
    node: &str,
) -> anyhow::Result<Option<(Cluster, Scope)>> {
    if args.no_cluster {
        return Ok(None);
    }
    match runtime.block_on(crate::cluster::connect(&super::access(&args.cluster))) {
        Ok(cluster) => Ok(Some((cluster, Scope { node: Some(node.to_owned()), workload: None }))),
        Err(error) => {
            if let Some(flag) = args.filter.needing_cluster().first() {
                return Err(error.context(format!("`{flag}` needs the cluster")));
            }
            eprint!("{}", crate::error::render(&error).replacen("error:", "note: no cluster:", 1));
            eprintln!("note: events are not tagged with pods and Services");
            Ok(None)
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

struct Tracer<'a> {
    args: &'a Trace,
    color: bool,
    tagger: Tagger,
    room: Provisional,
    hooks: Hooks,
    data_path: Option<DataPath>,
    lost: BTreeMap<String, u64>,
    printed: u64,
}

impl Tracer<'_> {
    fn run(&mut self, session: &Session, interrupt: &Interrupt) -> anyhow::Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        match self.args.output {
            TraceOutput::Table => writeln!(out, "{}", event_line::table_head())?,
            TraceOutput::Wide => writeln!(out, "{}", event_line::wide_head())?,
            TraceOutput::Json => {}
        }
        out.flush()?;
        let begun = Instant::now();
        let (mut calibrated, mut checked) = (Instant::now(), Instant::now());
        let mut learnt = false;
        loop {
            let mut record = session.next(TICK);
            while let Some(event) = record {
                learnt |= self.observe(&event);
                record = session.next(Duration::ZERO);
            }
            let now_ns = monotonic_ns();
            while let Some(event) = self.room.due(now_ns) {
                self.print(&mut out, &event)?;
            }
            if learnt && checked.elapsed() >= RECHECK {
                self.correct(&mut out, now_ns)?;
                (learnt, checked) = (false, Instant::now());
            }
            out.flush()?;
            if calibrated.elapsed() >= CALIBRATE {
                session.calibrate();
                calibrated = Instant::now();
            }
            let over = self.args.duration.is_some_and(|duration| begun.elapsed() >= duration);
            if over || interrupt.requested().is_some() {
                break;
            }
        }
        // What still waits is printed with what is known now.
        while let Some(event) = self.room.due(u64::MAX) {
            self.print(&mut out, &event)?;
        }
        out.flush().context("cannot write to standard output")
    }

    fn observe(&mut self, record: &Arc<Record>) -> bool {
        match &record.body {
            Body::Hooks(hooks) => self.hooks = hooks.clone(),
            Body::DataPath(found) => self.data_path = Some(found.path),
            Body::Loss(loss) => {
                let name = loss_name(loss);
                *self.lost.entry(name).or_default() += loss.count.max(1);
            }
            body if is_event(body) => self.room.hold(record.clone()),
            _ => {}
        }
        self.tagger.observe(record)
    }

    fn print(&mut self, out: &mut impl Write, record: &Arc<Record>) -> anyhow::Result<()> {
        let tags = self.tagger.tags(record);
        if self.is_wanted(record, &tags) {
            self.write(out, record, &tags, Standing::Provisional)?;
            self.printed += 1;
            self.room.printed(record.clone(), tags);
        }
        Ok(())
    }

    fn correct(&mut self, out: &mut impl Write, now_ns: u64) -> anyhow::Result<()> {
        let tagger = &self.tagger;
        for correction in self.room.corrections(now_ns, |record| tagger.tags(record)) {
            self.write(out, &correction.record, &correction.tags, Standing::Correction)?;
        }
        Ok(())
    }

    fn write(
        &self,
        out: &mut impl Write,
        record: &Record,
        tags: &EventTags,
        standing: Standing,
    ) -> anyhow::Result<()> {
        let unix = self.tagger.unix_at(record.time_ns);
        let line = EventLine { record, tags, unix, standing };
        let paint = Paint { on: self.color };
        let text = match self.args.output {
            TraceOutput::Table => event_line::table(&line, paint),
            TraceOutput::Wide => event_line::wide(&line, paint),
            TraceOutput::Json => event_line::json(&line),
        };
        writeln!(out, "{text}")?;
        Ok(())
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
        matches(&self.args.filter, &candidate)
    }

    fn footer(&self, skipped: u64) -> anyhow::Result<()> {
        let footer = Footer {
            printed: self.printed,
            lost: self.lost.clone(),
            skipped,
            overtaken: self.room.overtaken(),
            blind: self
                .hooks
                .facts
                .iter()
                .filter(|(fact, _)| matters(fact, self.data_path))
                .filter_map(|(fact, hook)| Some((fact.clone(), hook.blind.clone()?)))
                .collect(),
        };
        match self.args.output {
            TraceOutput::Json => println!("{}", footer.json()),
            _ => eprint!("{}", footer.text()),
        }
        Ok(())
    }
}
