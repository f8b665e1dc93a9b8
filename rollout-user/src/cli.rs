//! The command line: what a user may ask for. In: arguments. Out: [`Cli`], which the commands read.

pub mod filter;
pub mod value;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Traces Kubernetes rolling updates: which connections failed, sent to which pod, in which state, and why.
#[derive(Debug, Parser)]
#[command(name = "rollout", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow one rolling update and report what happened to connections.
    Watch(Watch),
    /// Print connection events of this node as they happen.
    Trace(Trace),
    /// Report on a rolling update from a recording.
    Explain(Explain),
    /// Tell what works here and what not, each with its remedy.
    Doctor(Doctor),
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to reach the API server, and which node this is.
#[derive(Debug, Clone, Args)]
pub struct ClusterArgs {
    /// The kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the pod's service account].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context to use.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// This node's name in the cluster [default: $NODE_NAME, or the host name].
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node: Option<String>,
}

/// What bounds a live run.
#[derive(Debug, Clone, Args)]
pub struct LiveArgs {
    /// How long live output waits for late cluster observations before it tags an event.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = value::duration)]
    pub reorder_window: Duration,
    /// Largest size of the recording.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = value::bytes)]
    pub record_max: u64,
    /// Stop recording when less than this per cent of the file system is free.
    #[arg(long, value_name = "PERCENT", default_value_t = 15, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub record_min_free: u8,
    /// Size of the ring buffer between kernel and user space.
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = value::bytes)]
    pub ring_size: u64,
    /// Print the debugging log of the kernel programs to standard error.
    #[arg(long)]
    pub bpf_log: bool,
    /// Use this hook for a fact, e.g. `connect=kprobe` (see `rollout doctor`).
    #[arg(long = "force-hook", value_name = "FACT=RUNG", hide = true)]
    pub force_hooks: Vec<String>,
}

/// `rollout trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// Which events to print.
    #[command(flatten)]
    pub filter: filter::FilterArgs,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = TraceOutput::Table)]
    pub output: TraceOutput,
    /// Stop after this time.
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub duration: Option<Duration>,
    /// Write everything that is seen, filtered or not, to this recording.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Create this file once probes and watches are in sync.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Do without the API server: events are not tagged.
    #[arg(long)]
    pub no_cluster: bool,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Bounds.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Forms of `trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TraceOutput {
    /// Columns that fit 80 characters.
    Table,
    /// More columns.
    Wide,
    /// One JSON object a line.
    Json,
}

/// `rollout watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The workload, as `deployment/NAME`.
    #[arg(value_name = "WORKLOAD", value_parser = value::workload)]
    pub workload: value::Workload,
    /// Its namespace [default: the context's, else `default`].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Give up after this time, and report what was seen.
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// Create this file once probes and watches are in sync.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Where to record [default: rollout-NAME-TIME.jsonl.zst in the current folder].
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// How to print the report.
    #[command(flatten)]
    pub report: ReportArgs,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Bounds.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// How to print a report.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Form of the report.
    #[arg(short, long, value_enum, default_value_t = ReportOutput::Text)]
    pub output: ReportOutput,
    /// Print every failed connection, not five of each kind.
    #[arg(long)]
    pub all: bool,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportOutput {
    /// For people.
    Text,
    /// For programs: one object.
    Json,
}

/// `rollout explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A recording of `watch` or of `trace --record`.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The workload to report on [default: the one that `watch` recorded].
    #[arg(long, value_name = "WORKLOAD", value_parser = value::workload)]
    pub workload: Option<value::Workload>,
    /// Its namespace.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,
    /// How to print the report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `rollout doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = ReportOutput::Text)]
    pub output: ReportOutput,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
