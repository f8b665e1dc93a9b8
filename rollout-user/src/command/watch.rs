//! `rollout watch`: follows one rolling update and reports on it.
//!
//! In: a workload. Out: live progress on standard error, a recording, and the report on standard output, which is
//! `explain` of that recording.

mod follow;
mod status;

use super::explain;
use crate::cli::Watch;
use crate::cluster::{Cluster, Scope, TargetInfo};
use crate::live::interrupt::Interrupt;
use crate::live::session::{self, Plan, Session};
use crate::present::escape::name as for_terminal;
use crate::record::meta::Phase;
use crate::recording::space::Limits;
use crate::recording::write::Summary;
use crate::tables::host;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the first lists may take.
const SYNC: Duration = Duration::from_secs(60);

/// Watches one update and reports.
///
/// # Errors
/// When the workload is not found, the probes cannot be loaded, or nothing can be recorded.
pub fn run(args: &Watch, color: bool) -> anyhow::Result<ExitCode> {
    let runtime = session::runtime()?;
    let interrupt = Interrupt::install(&runtime)?;
    let cluster = runtime.block_on(crate::cluster::connect(&super::access(&args.cluster)))?;
    let spec = format!("{}/{}", args.workload.kind, args.workload.name);
    let target = runtime.block_on(cluster.target(&spec, args.namespace.as_deref()))?;
    introduce(&target);
    let own = &target.workload.target.namespace;
    if args.live.exclude_namespaces.contains(own) {
        return Err(crate::error::hinted(
            format!("`{own}` is the namespace of what is watched: it cannot be left out"),
            "give `--exclude-namespace` the namespaces of clients that do not matter",
        ));
    }

    let path = args.record.clone().unwrap_or_else(|| default_path(&args.workload.name));
    let session = Session::start(&runtime, plan(args, &cluster, &target, path)?)?;
    for note in &session.notes {
        super::note(note);
    }
    let notes = match session.sync(&runtime, SYNC, &interrupt) {
        Ok(notes) => notes,
        Err(error) => {
            let reason = interrupt.requested().map_or(format!("{error:#}"), str::to_owned);
            let summary = session.finish(Phase::CutShort { reason })?.unwrap_or_default();
            tell(&summary);
            if interrupt.requested().is_none() {
                return Err(error);
            }
            return explain::report(&summary.path, None, &args.report, color);
        }
    };
    for note in notes {
        super::note(&note);
    }
    if let Some(ready) = &args.ready_file {
        std::fs::write(ready, "watching\n")
            .with_context(|| format!("cannot create the ready file `{}`", ready.display()))?;
    }
    if args.restart
        && let Err(error) = runtime.block_on(cluster.restart(&target.workload.target))
    {
        let reason = format!("{error:#}");
        tell(&session.finish(Phase::CutShort { reason })?.unwrap_or_default());
        return Err(error);
    }
    let ended = follow::until_complete(&session, &target, args, &interrupt, color);
    let summary = session.finish(ended)?.unwrap_or_default();
    tell(&summary);
    explain::report(&summary.path, None, &args.report, color)
}

fn introduce(target: &TargetInfo) {
    let name = &target.workload.target;
    let services: Vec<_> = target.services.iter().map(|service| &*service.meta.name).collect();
    let services = if services.is_empty() { "no Service".into() } else { services.join(", ") };
    // Of StatefulSets and DaemonSets the watches tell it.
    let revision = match target.deployment.revision {
        Some(revision) => format!("revision {revision}, "),
        None if name.owns_pods() => String::new(),
        None => "revision ?, ".to_owned(),
    };
    eprintln!(
        "{} in {}: {revision}{} of {} pods ready, {}",
        for_terminal(&name.title()),
        for_terminal(&name.namespace),
        target.deployment.ready,
        target.deployment.desired,
        for_terminal(&services),
    );
    for note in &target.notes {
        super::note(note);
    }
}

fn plan(
    args: &Watch,
    cluster: &Cluster,
    target: &TargetInfo,
    path: PathBuf,
) -> anyhow::Result<Plan> {
    let node = host::node_name(args.cluster.node.as_deref());
    let workload = Some(target.workload.clone());
    let limits =
        Limits { max_bytes: args.live.record_max, min_free_percent: args.live.record_min_free };
    let scope = Scope { node: Some(node.clone()), workload };
    Ok(Plan {
        node,
        target: Some(target.workload.target.clone()),
        cluster: Some((cluster.clone(), scope)),
        ports: follow::ports_of(target),
        left_out: super::left_out(&args.live),
        record: Some((path, limits)),
        reorder_window: args.live.reorder_window,
        probes: super::probe_options(&args.live)?,
    })
}

fn default_path(name: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Path::new(&format!("rollout-{name}-{now}.jsonl.zst")).to_owned()
}

fn tell(summary: &Summary) {
    eprintln!(
        "recorded {} records, {} KiB, to {}",
        summary.records,
        summary.bytes / 1024,
        summary.path.display()
    );
    if let Some(why) = &summary.stopped {
        eprintln!("warning: recording stopped early, {} records are missing: {why}", summary.lost);
    }
}
