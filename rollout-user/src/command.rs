//! The commands: each wires sources, timeline and output together. Out: an exit code.

pub mod completions;
pub mod doctor;
pub mod explain;
pub mod man;
pub mod replay;
#[cfg(feature = "probe")]
pub mod top;
#[cfg(feature = "probe")]
pub mod trace;
#[cfg(feature = "probe")]
pub mod watch;

use crate::cli::{Cli, ClusterArgs, Color, Command, TraceOutput};
use crate::cluster::Access;
#[cfg(feature = "probe")]
use crate::present::escape;
use crate::stream::footer::Footer;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Runs what the user asked for.
///
/// # Errors
/// When it could not run at all; the caller prints the error and exits with 2.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let color = use_color(cli.color);
    match cli.command {
        Command::Explain(args) => explain::run(&args, color),
        Command::Replay(args) => replay::run(&args, color),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Doctor(args) => doctor::run(&args, color),
        #[cfg(feature = "probe")]
        Command::Watch(args) => watch::run(&args, color),
        #[cfg(feature = "probe")]
        Command::Trace(args) => trace::run(&args, color),
        #[cfg(feature = "probe")]
        Command::Top(args) => top::run(&args, color),
        #[cfg(not(feature = "probe"))]
        Command::Top(_) => crate::live::screen::check().and_then(|()| Err(without_probes())),
        #[cfg(not(feature = "probe"))]
        Command::Watch(_) | Command::Trace(_) => Err(without_probes()),
    }
}

#[cfg(not(feature = "probe"))]
fn without_probes() -> anyhow::Error {
    crate::error::hinted(
        "this binary was built without kernel probes",
        "build it with the default features; `explain` and `replay` work in this one",
    )
}

/// Colours on a terminal, unless `NO_COLOR` is set to anything.
fn use_color(choice: Color) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::io::stdout().is_terminal()
        }
    }
}

/// Ends a stream of events: for programs as its last object, for people beside it.
fn foot(form: TraceOutput, footer: &Footer, out: &mut impl Write) -> std::io::Result<()> {
    match form {
        TraceOutput::Json => writeln!(out, "{}", footer.json())?,
        TraceOutput::Table | TraceOutput::Wide => eprint!("{}", footer.text()),
    }
    out.flush()
}

fn access(args: &ClusterArgs) -> Access {
    Access {
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
        ..Access::default()
    }
}

#[cfg(feature = "probe")]
fn note(text: &str) {
    eprintln!("note: {}", escape::plain(text, 1000));
}

#[cfg(feature = "probe")]
fn probe_options(live: &crate::cli::LiveArgs) -> anyhow::Result<crate::probe::Options> {
    let force = live.force_hooks.iter().map(|text| forced(text)).collect::<Result<_, _>>()?;
    Ok(crate::probe::Options {
        ring_bytes: u32::try_from(live.ring_size).unwrap_or(u32::MAX),
        log: live.bpf_log,
        force,
        ..crate::probe::Options::default()
    })
}

/// What is to be left out; names need the cluster.
#[cfg(feature = "probe")]
fn left_out(live: &crate::cli::LiveArgs) -> crate::record::meta::LeftOut {
    let netns = live.exclude_netns.iter().map(|path| path.display().to_string());
    crate::record::meta::LeftOut {
        namespaces: live.exclude_namespaces.clone(),
        netns: netns.collect(),
    }
}

#[cfg(feature = "probe")]
fn forced(text: &str) -> anyhow::Result<(String, crate::probe::Rung)> {
    use crate::probe::Rung;
    let parsed = text.split_once('=').and_then(|(fact, rung)| {
        let rung = match rung {
            "fentry" => Rung::Fentry,
            "kprobe" => Rung::Kprobe,
            "tracepoint" => Rung::Tracepoint,
            "raw_tracepoint" => Rung::RawTracepoint,
            _ => return None,
        };
        Some((fact.to_owned(), rung))
    });
    parsed.ok_or_else(|| {
        crate::error::hinted(
            format!("`{}` forces no hook", escape::name(text)),
            "give a fact and a rung, such as `connect=kprobe`; `rollout doctor` names both",
        )
    })
}
