//! The lab: a real control plane and a guest node in a network namespace of their own.
//! Comes in: `cargo xtask lab …`, and calls of set-up, test and demo. Goes out: an exit code, or a test count.

mod channel;
mod cluster;
mod container;
mod control;
mod image;
mod keys;
mod kubectl;
mod machine;
mod place;
mod process;
mod programs;
#[expect(dead_code, reason = "the experiment uses the rest")]
mod remote;
mod seed;

use crate::setup::Step;
use crate::test::Counts;
use anyhow::{Context, Result, bail};
use std::io;
use std::process::{Command, ExitCode, Stdio};

/// Arguments of `cargo xtask lab`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Bring the lab up; a healthy one is reused.
    Up,
    /// Take the lab down; nothing is left of it but the cache and recordings.
    Down,
    /// Say what runs.
    Status,
    /// A shell in the guest.
    Shell,
    /// The log of a component, or the names of those that have one.
    Logs {
        /// Such as `kubelet` or `kube-apiserver`.
        component: Option<String>,
    },
    /// kubectl as the lab's administrator.
    Kubectl {
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a command in the guest.
    Run {
        /// The command and its arguments.
        #[arg(required = true, last = true)]
        words: Vec<String>,
    },
}

/// Runs one `lab` command.
///
/// # Errors
/// When it could not be done.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Action::Up => cluster::up().map(|()| ExitCode::SUCCESS),
        Action::Down => cluster::down().map(|()| ExitCode::SUCCESS),
        Action::Status => Ok(ExitCode::from(u8::from(!cluster::status()?))),
        Action::Shell => shell(),
        Action::Logs { component } => logs(component.as_deref()),
        Action::Kubectl { arguments } => {
            let code = kubectl::run(&arguments)?.code().unwrap_or(2);
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(2)))
        }
        Action::Run { words } => {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            interact(&words)
        }
    }
}

/// Set-up steps of the lab: its guest image.
pub fn steps() -> Vec<Step> {
    vec![image::step()]
}

/// The end-to-end test against independent witnesses.
///
/// # Errors
/// Always: the experiment is not built yet.
pub fn end_to_end() -> Result<Counts> {
    bail!("the experiment is not built yet")
}

/// Runs a command in the guest with this terminal's input and output.
fn interact(words: &[&str]) -> Result<ExitCode> {
    let running = remote::start(words)?;
    let mut input = running.input()?;
    // It ends with this process: a read of the terminal cannot be broken off.
    std::thread::spawn(move || input.send(io::stdin().lock()));
    let code = running.finish(io::stdout().lock(), io::stderr().lock())?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(2)))
}

fn shell() -> Result<ExitCode> {
    let settings = Command::new("stty").arg("-g").stdin(Stdio::inherit()).output();
    let settings = settings.context("failed to start `stty`")?;
    if !settings.status.success() {
        return interact(&["bash"]);
    }
    let settings = String::from_utf8_lossy(&settings.stdout).trim().to_owned();
    let stty = |words: &[&str]| Command::new("stty").args(words).stdin(Stdio::inherit()).status();
    let size = Command::new("stty").arg("size").stdin(Stdio::inherit()).output();
    let size = size.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let (rows, columns) = size
        .ok()
        .and_then(|text| text.split_once(' ').map(|(r, c)| (r.to_owned(), c.to_owned())))
        .unwrap_or_else(|| ("24".into(), "80".into()));
    let script = format!("stty rows {rows} cols {columns}; exec bash -i");
    stty(&["raw", "-echo"])?;
    let result = interact(&["script", "-qfec", &script, "/dev/null"]);
    stty(&[&settings])?;
    result
}

fn logs(component: Option<&str>) -> Result<ExitCode> {
    let Some(name) = component else {
        for entry in std::fs::read_dir(place::file("logs")).context("the lab is not up")? {
            println!("{}", entry?.file_name().to_string_lossy().trim_end_matches(".log"));
        }
        return interact(&["sh", "-c", "cd /var/log/lab && ls | sed 's/[.]log$//'"]);
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !plain {
        bail!("`{name}` is no component");
    }
    let here = place::log(name);
    if here.is_file() {
        let mut file = std::fs::File::open(here)?;
        io::copy(&mut file, &mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    interact(&["cat", &format!("/var/log/lab/{name}.log")])
}
