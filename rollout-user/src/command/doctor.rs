//! `rollout doctor`: what would work here and what not. In: flags. Out: checks with remedies; exit code 0 when all that
//! is needed works, 3 when something will be missing, 2 when tracing cannot work.

use crate::cli::{Doctor, DoctorOutput};
use crate::cluster::{self, Scope};
use crate::doctor::{self, Options, Tried};
use crate::tables::host;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks everything and prints what was found.
///
/// # Errors
/// When output fails; nothing that is checked is an error.
pub fn run(args: &Doctor, color: bool) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            anyhow::Error::from(error).context("cannot start the asynchronous runtime")
        })?;
    let node = host::node_name(args.cluster.node.as_deref());
    let scope = Scope { node: Some(node), workload: None };
    let access = super::access(&args.cluster);
    let asked = cluster::checks(&access, &scope);
    let report = doctor::run(&Options {
        proc: PathBuf::from("/proc"),
        sys: PathBuf::from("/sys"),
        hooks: tried_hooks(),
        cluster: Some(runtime.block_on(asked)),
    });
    let mut out = std::io::stdout().lock();
    match args.output {
        DoctorOutput::Text => write!(out, "{}", report.text(color))?,
        DoctorOutput::Json => writeln!(out, "{}", report.json())?,
    }
    out.flush()?;
    Ok(ExitCode::from(report.exit_code()))
}

#[cfg(feature = "probe")]
fn tried_hooks() -> Tried {
    match crate::probe::doctor_hooks(&crate::probe::Options::default()) {
        Ok(hooks) => Tried::Attached(hooks),
        Err(error) => Tried::Failed {
            error: format!("{error:#}"),
            hint: crate::error::hint_of(&error).map(str::to_owned),
        },
    }
}

#[cfg(not(feature = "probe"))]
fn tried_hooks() -> Tried {
    Tried::No { reason: "this binary was built without kernel probes".to_owned() }
}
