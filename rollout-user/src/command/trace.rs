//! `rollout trace`: prints connection events of this node as they happen.
//!
//! In: filters. Out: events on standard output, tagged with what is known after the reorder window; a `correction` where
//! later knowledge differs; losses and blind spots at the end.

use crate::cli::filter::FilterArgs;
use crate::cli::{ClusterArgs, LiveArgs, Trace};
use crate::cluster::{Cluster, Scope};
use crate::live::interrupt::Interrupt;
use crate::live::output::Output;
use crate::live::session::{self, Plan, Session};
use crate::live::stream::Stream;
use crate::record::meta::Phase;
use crate::recording::space::Limits;
use crate::recording::write::Summary;
use crate::stream::printer::Options;
use crate::tables::host;
use crate::timeline::monotonic_ns;
use anyhow::Context;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(50);
const CALIBRATE: Duration = Duration::from_secs(1);
/// Records that are taken in before the next look at what is to be printed.
const AT_ONCE: usize = 4096;
const SYNC: Duration = Duration::from_secs(60);

/// Traces until interrupted, or for `--duration`.
///
/// # Errors
/// When the probes cannot be loaded, or output fails.
pub fn run(args: &Trace, color: bool) -> anyhow::Result<ExitCode> {
    let runtime = session::runtime()?;
    let interrupt = Interrupt::install(&runtime)?;
    let node = host::node_name(args.cluster.node.as_deref());
    let wanted = (!args.no_cluster).then_some(&args.cluster);
    let cluster = cluster(wanted, &needing(&args.filter, &args.live), &runtime, &node)?;
    let limits =
        Limits { max_bytes: args.live.record_max, min_free_percent: args.live.record_min_free };
    let plan = Plan {
        node,
        target: None,
        cluster,
        ports: kernel_ports(&args.filter, args.record.is_some()),
        left_out: super::left_out(&args.live),
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
    let (begun, calibrated) = (Instant::now(), Cell::new(Instant::now()));
    // Asked by whoever waits, for records or for a reader of the output: the clocks are paired while that one stands still.
    let is_over = || {
        if calibrated.get().elapsed() >= CALIBRATE {
            session.calibrate();
            calibrated.set(Instant::now());
        }
        args.duration.is_some_and(|duration| begun.elapsed() >= duration)
            || interrupt.requested().is_some()
    };
    let stdout = std::io::stdout().as_fd().try_clone_to_owned().context("no standard output")?;
    let mut out = BufWriter::new(Output::new(stdout, is_over));
    let options = Options { filter: args.filter.clone(), output: args.output, color };
    let window_ns = u64::try_from(args.live.reorder_window.as_nanos()).unwrap_or(u64::MAX);
    let mut stream = Stream::new(options, window_ns);
    let outcome = follow(&session, &mut stream, &mut out, is_over)
        .and_then(|()| super::foot(args.output, &stream.footer(session.skipped()), &mut out));
    // Dropped as it is, a writer would write what it holds, and a reader that stopped would hold that up again.
    let _unread = out.into_parts();
    let ended = match interrupt.requested() {
        Some(signal) if args.duration.is_some() => Phase::CutShort { reason: signal.to_owned() },
        _ => Phase::Ended,
    };
    if let Some(summary) = session.finish(ended)? {
        eprint!("{}", told(&summary));
    }
    match outcome {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            eprintln!("warning: standard output is not being read: its end is missing");
            Ok(ExitCode::SUCCESS)
        }
        outcome => {
            outcome.context("cannot write to standard output")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Ports that the kernel lets pass. A recording holds everything, filtered or not: what is printed is narrowed alone.
pub(super) fn kernel_ports(filter: &FilterArgs, recorded: bool) -> BTreeSet<u16> {
    if recorded { BTreeSet::new() } else { filter.port.iter().copied().collect() }
}

fn follow(
    session: &Session,
    stream: &mut Stream,
    out: &mut impl Write,
    is_over: impl Fn() -> bool,
) -> std::io::Result<()> {
    stream.head(out)?;
    while !is_over() {
        if let Some(event) = session.next(TICK) {
            stream.observe(&event);
        }
        // Not until nothing is left: under load there always is, and printing must go on.
        for event in std::iter::from_fn(|| session.next(Duration::ZERO)).take(AT_ONCE) {
            stream.observe(&event);
        }
        stream.advance(monotonic_ns(), out)?;
    }
    session.settle();
    let settled_ns = monotonic_ns();
    while let Some(event) = session.next(TICK) {
        stream.observe(&event);
        if event.time_ns > settled_ns {
            break;
        }
    }
    stream.end(monotonic_ns(), out)
}

/// What became of the recording.
pub(super) fn told(summary: &Summary) -> String {
    let mut text = format!("recorded {} records to {}\n", summary.records, summary.path.display());
    if let Some(why) = &summary.stopped {
        let lost = summary.lost;
        text.push_str(&format!(
            "warning: recording stopped early, {lost} records are missing: {why}\n"
        ));
    }
    text
}

/// The flags that nothing satisfies without the cluster.
pub(super) fn needing(filter: &FilterArgs, live: &LiveArgs) -> Vec<&'static str> {
    let mut needing = filter.needing_cluster();
    if !live.exclude_namespaces.is_empty() {
        needing.push("--exclude-namespace");
    }
    needing
}

/// Without an API server the tracer still works, untagged, and says so; filters that no untagged event passes are refused.
pub(super) fn cluster(
    access: Option<&ClusterArgs>,
    needing: &[&str],
    runtime: &tokio::runtime::Runtime,
    node: &str,
) -> anyhow::Result<Option<(Cluster, Scope)>> {
    let Some(access) = access else {
        return match needing.first() {
            Some(flag) => Err(crate::error::hinted(
                format!("`{flag}` needs the cluster"),
                "leave out `--no-cluster`",
            )),
            None => Ok(None),
        };
    };
    match runtime.block_on(crate::cluster::connect(&super::access(access))) {
        Ok(cluster) => Ok(Some((cluster, Scope { node: Some(node.to_owned()), workload: None }))),
        Err(error) => {
            if let Some(flag) = needing.first() {
                return Err(error.context(format!("`{flag}` needs the cluster")));
            }
            eprint!("{}", crate::error::render(&error).replacen("error:", "note: no cluster:", 1));
            eprintln!("note: events are not tagged with pods and Services");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn a_recording_is_not_narrowed_in_the_kernel() {
        let ports = |words: &[&str]| {
            let words = ["rollout", "trace", "--port", "80"].iter().chain(words);
            match Cli::try_parse_from(words).expect("arguments").command {
                Command::Trace(args) => kernel_ports(&args.filter, args.record.is_some()),
                _ => BTreeSet::new(),
            }
        };
        assert_eq!(ports(&[]), BTreeSet::from([80]));
        assert_eq!(ports(&["--record", "a.zst"]), BTreeSet::new());
    }
}
