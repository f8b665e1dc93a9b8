//! The command line: what a user may ask for. In: arguments. Out: [`Cli`], which the commands read.

pub mod filter;
pub mod value;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const MAIN_AFTER: &str = "\
`rollout doctor` tells what works on this node; `rollout COMMAND --help` has examples.";

const WATCH_AFTER: &str = "\
Start it, wait for `watching`, then start the update. Ctrl-C ends it early, with the report of what was seen.

Examples:
  rollout watch deployment/web -n shop
  rollout watch deployment/web --timeout 10m -o json > report.json
  rollout watch statefulset/db -n shop --restart

Exit codes:
  0  the update was seen whole, with traffic, without gaps, and nothing failed
  1  connections failed or were slowed
  2  could not run
  3  inconclusive: something could have been missed; the report says what";

const TRACE_AFTER: &str = "\
Conditions of different kinds must all hold; of several values of one kind, one must.

Examples:
  rollout trace -n shop --kind connect_failed,syn_retransmit
  rollout trace --service web -o json --duration 30s > events.jsonl
  rollout trace --no-cluster --port 80,8080 --record trace.jsonl.zst

Losses, and what could not be seen, are told at the end. Exit codes: 0, or 2 when it could not run.";

const TOP_AFTER: &str = "\
Keys: `q` quit, `p` pause, Tab next panel, arrows scroll, `s` order, `/` filter by text, `?` help.
Needs a terminal; for files and pipes there is `rollout trace`.

Examples:
  rollout top
  rollout top -n shop --refresh 500ms
  rollout top --service web --record top.jsonl.zst

Losses, and what could not be seen, are on the screen and told at the end. Exit codes: 0, or 2 when it could not run.";

const EXPLAIN_AFTER: &str = "\
Needs neither root nor a cluster. A file that is cut or damaged is read up to the damage.

Examples:
  rollout explain rollout-web-20260605T101500Z.jsonl.zst
  rollout explain trace.jsonl.zst --workload deployment/web -n shop --all

Exit codes:
  0  the update was seen whole, with traffic, without gaps, and nothing failed
  1  connections failed or were slowed
  2  could not run
  3  inconclusive: something could have been missed; the report says what";

const REPLAY_AFTER: &str = "\
Needs neither root nor a cluster. Each event is tagged with all that the recording tells, so that no line is provisional. A file that is cut or damaged is read up to the damage.

Examples:
  rollout replay rollout-web-20260605T101500Z.jsonl.zst --kind connect_failed
  rollout replay trace.jsonl.zst -n shop --service web -o json > events.jsonl

Losses, and what could not be seen, are told at the end.

Exit codes:
  0  every record was read
  2  could not run
  3  a part of the file could not be read";

const DOCTOR_AFTER: &str = "\
Works without root and without a cluster, and says what it could not check. Nothing is changed.

Exit codes:
  0  all that is needed works
  2  tracing cannot work here
  3  tracing works, and some facts will be missing or could not be checked";

const COMPLETIONS_AFTER: &str = "\
Where to put it:
  rollout completions bash > /usr/share/bash-completion/completions/rollout
  rollout completions zsh  > /usr/local/share/zsh/site-functions/_rollout
  rollout completions fish > /usr/share/fish/vendor_completions.d/rollout.fish";

const MAN_AFTER: &str = "\
Example:
  rollout man /usr/local/share/man/man1 && man rollout-watch";

/// Traces Kubernetes rolling updates: which connections failed, sent to which pod, in which state, and why.
#[derive(Debug, Parser)]
#[command(name = "rollout", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = MAIN_AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Colours: `auto` (on a terminal, unless NO_COLOR is set), `always`, `never`.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    // Below the command's own flags, however many commands there are.
    #[arg(hide_possible_values = true, display_order = 900)]
    pub color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow one rolling update and report what happened to connections.
    #[command(after_help = WATCH_AFTER)]
    Watch(Watch),
    /// Print connection events of this node as they happen.
    #[command(after_help = TRACE_AFTER)]
    Trace(Trace),
    /// Show updates, pods, backends and events of this node on a full screen.
    #[command(after_help = TOP_AFTER)]
    Top(Top),
    /// Report on a rolling update from a recording.
    #[command(after_help = EXPLAIN_AFTER)]
    Explain(Explain),
    /// Print the events of a recording again.
    #[command(after_help = REPLAY_AFTER)]
    Replay(Replay),
    /// Tell what works here and what not, each with its remedy.
    #[command(after_help = DOCTOR_AFTER)]
    Doctor(Doctor),
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETIONS_AFTER)]
    Completions(Completions),
    /// Write man pages, one for each command.
    #[command(after_help = MAN_AFTER)]
    Man(Man),
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
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// The kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the pod's service account].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context to use.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// This node's name in the cluster [default: $NODE_NAME, or the host name].
    #[arg(long, env = "NODE_NAME", hide_env = true, value_name = "NAME")]
    pub node: Option<String>,
}

/// What bounds a live run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LiveArgs {
    /// How long live output waits for late news of the cluster before it tags an event.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = value::duration)]
    pub reorder_window: Duration,
    /// Largest size of the recording.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = value::bytes)]
    pub record_max: u64,
    /// Stop recording when less than this share of the file system is free, per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 15, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub record_min_free: u8,
    /// Size of the ring buffer between kernel and user space.
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = value::bytes)]
    pub ring_size: u64,
    /// Leave out connections that pods of these namespaces make, e.g. `monitoring`; in the kernel, so they cost nothing.
    #[arg(long = "exclude-namespace", value_name = "NAME", value_delimiter = ',')]
    pub exclude_namespaces: Vec<String>,
    /// Leave out a network namespace, e.g. `/run/netns/blue`; may be repeated.
    #[arg(long = "exclude-netns", value_name = "PATH")]
    pub exclude_netns: Vec<PathBuf>,
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
    /// Form: `table` (80 columns), `wide`, or `json` (one object a line).
    #[arg(short, long, value_enum, default_value_t = TraceOutput::Table, value_name = "FORM")]
    #[arg(hide_possible_values = true, help_heading = "Output")]
    pub output: TraceOutput,
    /// Stop after this time, e.g. `30s`; without it, at Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = value::duration, help_heading = "Output")]
    pub duration: Option<Duration>,
    /// Write everything that is seen, filtered or not, to this recording.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub record: Option<PathBuf>,
    /// Create this file once probes and watches are in sync.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub ready_file: Option<PathBuf>,
    /// Do without the API server: events are not tagged with pods and Services.
    #[arg(long, help_heading = "Cluster")]
    #[arg(conflicts_with_all = ["namespace", "selector", "pod", "service"])]
    pub no_cluster: bool,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Bounds.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// `rollout top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Which events to count and show; kinds narrow the events' panel alone.
    #[command(flatten)]
    pub filter: filter::FilterArgs,
    /// How often the screen is renewed, 100ms or more.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = value::duration, help_heading = "Output")]
    pub refresh: Duration,
    /// Write everything that is seen, filtered or not, to this recording.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub record: Option<PathBuf>,
    /// Do without the API server: neither pods nor Services have names.
    #[arg(long, help_heading = "Cluster")]
    #[arg(conflicts_with_all = ["namespace", "selector", "pod", "service"])]
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
    /// The workload, as `deployment/NAME`, `statefulset/NAME` or `daemonset/NAME`.
    #[arg(value_name = "WORKLOAD", value_parser = value::workload)]
    pub workload: value::Workload,
    /// Its namespace [default: the context's, else `default`].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Give up after this time, e.g. `10m`, and report what was seen.
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// Start the update itself once everything is in sync, as `kubectl rollout restart` does.
    #[arg(long)]
    pub restart: bool,
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
    /// Form of the report: `text`, `html` (one file), `json` (one object), `junit` (XML for pipelines).
    #[arg(short, long, value_enum, default_value_t = ReportOutput::Text, value_name = "FORM")]
    #[arg(hide_possible_values = true)]
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
    /// For pipelines: JUnit XML.
    Junit,
    /// For browsers: one file.
    Html,
}

/// Forms of what `doctor` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorOutput {
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
    /// The namespace of `--workload`.
    #[arg(short, long, value_name = "NAME", default_value = "default", requires = "workload")]
    pub namespace: String,
    /// How to print the report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `rollout replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A recording of `watch` or of `trace --record`.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which events to print.
    #[command(flatten)]
    pub filter: filter::FilterArgs,
    /// Form: `table` (80 columns), `wide`, or `json` (one object a line).
    #[arg(short, long, value_enum, default_value_t = TraceOutput::Table, value_name = "FORM")]
    #[arg(hide_possible_values = true, help_heading = "Output")]
    pub output: TraceOutput,
}

/// `rollout doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Form: `text` for people, `json` (one object) for programs.
    #[arg(short, long, value_enum, default_value_t = DoctorOutput::Text, value_name = "FORM")]
    #[arg(hide_possible_values = true)]
    pub output: DoctorOutput,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `rollout completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell: `bash`, `zsh`, `fish`, `elvish` or `powershell`.
    #[arg(value_name = "SHELL", value_enum, hide_possible_values = true)]
    pub shell: clap_complete::Shell,
}

/// `rollout man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write to; it is made where it is missing.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
