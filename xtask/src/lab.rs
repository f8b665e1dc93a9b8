//! The lab: a real control plane and a guest node in a network namespace of their own.
//! Comes in: `cargo xtask lab …`, and calls of set-up, test and demo. Goes out: an exit code, or a test count.

mod accelerator;
mod channel;
mod collect;
mod config;
mod connect;
mod container;
mod control;
mod experiment;
mod faults;
mod guest;
mod image;
mod interrupted;
mod keys;
mod life;
mod load;
mod node_pod;
mod place;
mod process;
mod programs;
mod prove;
mod seed;
mod tier;
mod variant;
mod verify;
mod workload;

use crate::dist;
use crate::hint::hinted;
use crate::setup::{self, Step};
use crate::test::Counts;
use crate::witness::Comparison;
use anyhow::Result;
use clap::Subcommand;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Arguments of `cargo xtask lab`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Subcommand)]
enum LabCommand {
    /// Bring the lab up, or use the one that is up.
    Up,
    /// Take the lab down and leave nothing behind.
    Down,
    /// Say what runs and whether it is healthy.
    Status,
    /// Open a shell in the guest, or run a command or a line of shell there.
    Shell {
        /// The command and its arguments; a terminal without it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Run kubectl as the lab's administrator.
    Kubectl {
        /// Arguments of kubectl.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Show a log, or list the logs.
    Logs {
        /// Name of a program.
        name: Option<String>,
    },
    /// Copy a file into the guest.
    Push {
        /// File on this machine.
        from: PathBuf,
        /// Path in the guest.
        to: String,
    },
    /// Copy a file out of the guest.
    Pull {
        /// Path in the guest.
        from: String,
        /// File on this machine.
        to: PathBuf,
    },
    /// Compare the witnesses of a run that was made with what `rollout` says of its recording now.
    Verify {
        /// The run's folder.
        folder: PathBuf,
        /// A `rollout` that is built already.
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// Prove the recommended `preStop` sleep: without it the update fails requests, with it five in a row lose none, with half
    /// of it at least one of them fails.
    Prove {
        /// A static `rollout` that is built already.
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// List the variants of the experiment.
    Variants,
    /// Run the blog post's experiment once.
    Experiment(ExperimentArguments),
    #[command(hide = true)]
    Channel {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// Arguments of `cargo xtask lab experiment`.
#[derive(clap::Args)]
struct ExperimentArguments {
    /// How the update goes.
    #[arg(long, default_value = variant::PLAIN)]
    variant: String,
    /// Requests per second.
    #[arg(long, default_value_t = RATE)]
    rate: f64,
    /// A shell command in the guest instead of `rollout watch`; it makes `$RUN/ready` and ends by itself.
    #[arg(long)]
    tracer: Option<String>,
    /// A static `rollout` that is built already.
    #[arg(long, conflicts_with = "tracer")]
    program: Option<PathBuf>,
}

/// Requests per second that an emulated node carries without falling behind.
pub const RATE: f64 = 20.0;

/// Runs one `lab` command.
///
/// # Errors
/// When the lab is not up, or what is asked of it cannot be done.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    use LabCommand as L;
    let needs_lab = matches!(
        arguments.command,
        L::Shell { .. } | L::Kubectl { .. } | L::Logs { .. } | L::Push { .. } | L::Pull { .. }
    );
    if needs_lab && !place::folder().exists() {
        return Err(hinted(
            "the lab is not up",
            "run `cargo xtask lab up`, some 30 s once it is set up",
        ));
    }
    match arguments.command {
        LabCommand::Up => life::up().map(|_| ExitCode::SUCCESS),
        LabCommand::Down => life::down().map(|()| ExitCode::SUCCESS),
        LabCommand::Status => life::status(),
        LabCommand::Shell { words } => shell(&words),
        LabCommand::Kubectl { words } => {
            let cache = setup::ensure(&["kubernetes"])?;
            status_of(control::kubectl(&cache)?.args(words))
        }
        LabCommand::Logs { name } => logs(name.as_deref()),
        LabCommand::Push { from, to } => guest::push(&from, &to).map(|()| ExitCode::SUCCESS),
        LabCommand::Pull { from, to } => guest::pull(&from, &to).map(|()| ExitCode::SUCCESS),
        LabCommand::Verify { folder, program } => {
            let program = program.map_or_else(dist::build, Ok)?;
            let verified = verify::again(&experiment::Run::of(&folder)?, &program)?;
            Ok(ExitCode::from(u8::from(!tell(&verified.comparison))))
        }
        LabCommand::Prove { program } => {
            let program = program.map_or_else(dist::build, Ok)?;
            let proven = prove::run(&life::up()?, &program)?;
            Ok(ExitCode::from(u8::from(!proven)))
        }
        LabCommand::Variants => {
            for variant in variant::all()? {
                println!("{:12} {}", variant.name, variant.summary);
            }
            Ok(ExitCode::SUCCESS)
        }
        LabCommand::Experiment(arguments) => run_experiment(&arguments),
        LabCommand::Channel { words } => connect::run(&words),
    }
}

/// Set-up steps of the lab: its guest image and container images.
pub fn steps() -> Vec<Step> {
    vec![image::step()]
}

/// What the lab needs of the set-up.
pub const STEPS: &[&str] = &["packages", "qemu", "kubernetes", "guest-image"];

/// The variant that the demo shows where none is chosen.
pub const DEMO: &str = variant::STALLED;

/// The end-to-end test against independent witnesses.
///
/// # Errors
/// When the lab does not come up.
pub fn end_to_end() -> Result<Counts> {
    tier::run()
}

/// Runs a variant with the report on the terminal; whether the witnesses agree with it.
///
/// # Errors
/// When the lab does not come up or the run fails.
pub fn demonstrate(program: &Path, name: &str, rate: f64) -> Result<bool> {
    let variant = variant::find(name)?;
    let lab = life::up()?;
    verify::install(program)?;
    let verified = verify::run(&lab, program, &variant, rate, true)?;
    println!("\nexit code of rollout watch: {}", verified.exit_code);
    println!("recording on this machine: {}", verified.recording.display());
    let (program, recording) = (program.display(), verified.recording.display());
    println!("to read it again: {program} explain {recording}\n");
    Ok(tell(&verified.comparison))
}

/// The workspace's folder.
///
/// # Errors
/// When it cannot be told.
pub fn workspace() -> Result<PathBuf> {
    programs::workspace()
}

/// Causes that a variant injects, and those that may follow from that.
pub type Labels = (BTreeSet<String>, BTreeSet<String>);

/// Labels of every variant, by its name.
///
/// # Errors
/// When a variant cannot be read.
pub fn labels() -> Result<BTreeMap<String, Labels>> {
    let variants = variant::all()?.into_iter();
    Ok(variants.map(|variant| (variant.name, (variant.expects, variant.allows))).collect())
}

/// Runs that were made under `rollout watch` and count: the variant's name and the folder, oldest first.
///
/// # Errors
/// When the folder of runs cannot be read.
pub fn stored_runs() -> Result<Vec<(String, PathBuf)>> {
    experiment::stored()
}

/// Makes one run of a variant that counts.
///
/// # Errors
/// When the lab does not come up or no run counts.
pub fn make_run(program: &Path, name: &str) -> Result<()> {
    let lab = life::up()?;
    verify::install(program)?;
    let options = experiment::Options { rate: RATE, tracer: None, show: false };
    experiment::run(&lab, &variant::find(name)?, &options).map(|_| ())
}

/// The report of a run's recording as JSON.
///
/// # Errors
/// When there is none.
pub fn explain_run(program: &Path, folder: &Path) -> Result<PathBuf> {
    verify::explain(program, &folder.join(experiment::RECORDING), folder)
}

/// Prints both sides; whether they agree.
fn tell(comparison: &Comparison) -> bool {
    print!("{comparison}");
    let agreed = comparison.agrees();
    println!("the witnesses {}", if agreed { "agree" } else { "DISAGREE" });
    agreed
}

/// Takes the lab down.
///
/// # Errors
/// When something does not end.
pub fn down() -> Result<()> {
    life::down()
}

fn run_experiment(arguments: &ExperimentArguments) -> Result<ExitCode> {
    let Some(tracer) = arguments.tracer.clone() else {
        let program = match &arguments.program {
            Some(program) => program.clone(),
            None => dist::build()?,
        };
        let agreed = demonstrate(&program, &arguments.variant, arguments.rate)?;
        return Ok(ExitCode::from(u8::from(!agreed)));
    };
    let variant = variant::find(&arguments.variant)?;
    let options = experiment::Options { rate: arguments.rate, tracer: Some(tracer), show: true };
    let run = experiment::run(&life::up()?, &variant, &options)?;
    println!("exit code {}; files in `{}`", run.facts.exit_code, run.folder.display());
    Ok(ExitCode::SUCCESS)
}

fn status_of(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(255);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(255)))
}

fn shell(words: &[String]) -> Result<ExitCode> {
    match words {
        [] => {}
        // One word is a line for the guest's shell, as with ssh.
        [line] => return status_of(&mut guest::command(&["sh", "-c", line])),
        words => {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            return status_of(&mut guest::command(&words));
        }
    }
    let terminal = |mode: &[&str]| Command::new("stty").args(mode).stdin(Stdio::inherit()).status();
    // `script` gives the guest's shell a terminal of its own; ours only passes keys on.
    terminal(&["raw", "-echo"])?;
    let result =
        status_of(&mut guest::command(&["script", "-q", "-e", "-c", "bash -i", "/dev/null"]));
    terminal(&["sane"])?;
    result
}

fn logs(name: Option<&str>) -> Result<ExitCode> {
    let mut own: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(place::file("logs"))? {
        own.push(entry?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
    own.sort();
    let listed = guest::shell("ls /var/log/lab")?;
    let guests: Vec<&str> = listed.lines().map(|line| line.trim_end_matches(".log")).collect();
    match name {
        None => {
            own.iter().map(String::as_str).chain(guests).for_each(|name| println!("{name}"));
            Ok(ExitCode::SUCCESS)
        }
        Some(name) if own.iter().any(|known| known == name) => {
            status_of(Command::new("cat").arg(place::log(name)))
        }
        Some(name) if guests.contains(&name) => {
            status_of(&mut guest::command(&["cat", &format!("/var/log/lab/{name}.log")]))
        }
        Some(name) => {
            Err(hinted(format!("there is no log `{name}`"), "`cargo xtask lab logs` lists them"))
        }
    }
}
