//! The blog post's experiment: a steady load through `gateway` to `serv`, a rolling update of `serv`, a tracer and
//! the witnesses at the same time. Comes in: a lab and a variant. Goes out: the files of one run.
//!
//! A run counts only when every request before the update was fine; three runs that do not count fail.

use super::collect::{Files, Witnesses};
use super::faults::Faults;
use super::life::Lab;
use super::load::{self, Load};
use super::place::NODE;
use super::variant::Variant;
use super::{control, guest, programs, workload};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Runs with a dirty baseline after which the experiment fails.
const VOID_RUNS: u32 = 3;
/// Load before the update; the first second after its start counts too.
const BASELINE: Duration = Duration::from_secs(13);
/// The tracer says that it is ready within this time.
const READY: Duration = Duration::from_secs(90);
/// The update is over within this time.
const UPDATE: Duration = Duration::from_secs(330);
/// Folder of the tracer's files in the guest.
const GUEST_FOLDER: &str = "/tmp/run";
/// Files of a run, in its folder.
const FACTS: &str = "run.json";
/// The recording of a run, in its folder.
pub const RECORDING: &str = "recording.jsonl.zst";
/// Where `rollout` is in the guest.
pub const ROLLOUT: &str = "/usr/local/bin/rollout";

/// How a run is made.
pub struct Options {
    /// Requests per second.
    pub rate: f64,
    /// A shell command in the guest instead of `rollout watch`. It makes the file `$RUN/ready` and ends by itself.
    pub tracer: Option<String>,
    /// The tracer's output goes to the terminal instead of a file.
    pub show: bool,
}

/// One run that counts.
pub struct Run {
    /// Its folder on this machine.
    pub folder: PathBuf,
    /// What its files do not say.
    pub facts: Facts,
    /// The witnesses' files.
    pub files: Files,
    /// The recording, where `rollout` was the tracer.
    pub recording: Option<PathBuf>,
}

/// A run in a few words: the file `run.json` in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The variant's name.
    pub variant: String,
    /// The tracer's exit code.
    pub exit_code: i32,
    /// Addresses of the gateway's pod.
    pub client: IpAddr,
    /// Addresses of all pods of `serv`, old and new.
    pub servers: BTreeSet<IpAddr>,
    /// This machine's clock less the node's, ns; exact to half the time that asking takes.
    pub host_ahead_ns: i64,
}

impl Run {
    /// A run that was made before.
    ///
    /// # Errors
    /// When its files are not all there.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FACTS);
        let text = fs::read(&path)
            .with_context(|| format!("`{}` is no run: no `{FACTS}` in it", folder.display()))?;
        let facts = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is damaged", path.display()))?;
        let recording = folder.join(RECORDING);
        let recording = recording.exists().then_some(recording);
        Ok(Self { folder: folder.to_owned(), facts, files: Files::of(folder)?, recording })
    }
}

/// Runs with a recording: the variant's name and the folder, oldest first.
///
/// # Errors
/// When the folder of runs cannot be read.
pub fn stored() -> Result<Vec<(String, PathBuf)>> {
    let Ok(entries) = fs::read_dir(programs::workspace()?.join("target/lab")) else {
        return Ok(Vec::new());
    };
    let mut runs = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let Ok(text) = fs::read(folder.join(FACTS)) else { continue };
        let facts: Facts = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is damaged", folder.join(FACTS).display()))?;
        if folder.join(RECORDING).exists() {
            runs.push((facts.variant, folder));
        }
    }
    runs.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(runs)
}

/// Runs a variant until a run counts.
///
/// # Errors
/// When something fails, or no run counts.
pub fn run(lab: &Lab, variant: &Variant, options: &Options) -> Result<Run> {
    eprintln!("variant {}: {}", variant.name, variant.summary);
    for void in 1..=VOID_RUNS {
        match once(lab, variant, options)? {
            Outcome::Counts(run) => return Ok(*run),
            Outcome::Void(why) => {
                eprintln!("run {void} of {VOID_RUNS} is void: its baseline is not clean: {why}")
            }
        }
    }
    bail!("{VOID_RUNS} runs of `{}` in a row had no clean baseline", variant.name)
}

enum Outcome {
    Counts(Box<Run>),
    Void(String),
}

fn once(lab: &Lab, variant: &Variant, options: &Options) -> Result<Outcome> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let folder = programs::workspace()?.join("target/lab").join(format!(
        "{}-{}",
        now.as_secs(),
        variant.name
    ));
    fs::create_dir_all(&folder)?;
    // A version that no earlier run had: its pods have a template hash of their own.
    let version = now.as_secs();
    let _batch = SliceBatch::of(lab, variant.slice_batch_s)?;
    workload::apply(&lab.cache, variant, version)?;
    let client = workload::pods(&lab.cache, "gateway")?;
    let client = client.values().find_map(|pod| pod.ip).context("the gateway has no address")?;
    let (since, host_ahead_ns) = guest_clock()?;

    let witnesses = Witnesses::start()?;
    eprintln!("witnesses are ready");
    let mut tracer = Tracer::start(&folder, options)?;
    tracer.wait_until_ready()?;
    eprintln!("the tracer is ready; {} requests/s for {} s", options.rate, BASELINE.as_secs());
    let log = folder.join("load.jsonl");
    let load = Load::start(&lab.programs, options.rate, &log)?;
    std::thread::sleep(BASELINE);
    let due = load.due();
    if let Some(why) = load::dirt(&load::read(&log)?, due) {
        return Ok(Outcome::Void(why));
    }
    eprintln!("baseline: {due} requests, all 200, none over 1 s; the update starts");
    let mut faults = Faults::new(&lab.cache, &variant.faults);
    faults.update_begins()?;
    workload::update(&lab.cache, version + 1)?;
    let servers = follow(lab, &mut faults, &mut tracer)?;
    let exit_code = tracer.wait()?;
    std::thread::sleep(Duration::from_secs(2));
    load.end()?;
    let files = witnesses.end(&folder, since)?;
    let recording = match options.tracer {
        Some(_) => None,
        None => Some(keep_recording(&folder)?),
    };
    workload::settle(&lab.cache, "serv", variant.replicas)?;
    let variant = variant.name.clone();
    let facts = Facts { variant, exit_code, client, servers, host_ahead_ns };
    fs::write(folder.join(FACTS), serde_json::to_vec_pretty(&facts)?)?;
    Ok(Outcome::Counts(Box::new(Run { folder, facts, files, recording })))
}

/// The node's clock, Unix seconds, and how far this machine's is ahead of it, ns.
fn guest_clock() -> Result<(f64, i64)> {
    let unix_ns = || -> Result<i64> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(i64::try_from(now.as_nanos())?)
    };
    let before = unix_ns()?;
    let text = guest::shell("date +%s.%N")?;
    let middle = before + (unix_ns()? - before) / 2;
    let (seconds, fraction) = text.trim().split_once('.').context("`date` wrote no time")?;
    let guest_ns = seconds.parse::<i64>()? * 1_000_000_000 + fraction.parse::<i64>()?;
    Ok((text.trim().parse()?, middle - guest_ns))
}

/// Looks at the pods until the tracer has ended, does what is due to the node, and returns every address that a pod of
/// `serv` had.
fn follow(lab: &Lab, faults: &mut Faults<'_>, tracer: &mut Tracer) -> Result<BTreeSet<IpAddr>> {
    let mut addresses = BTreeSet::new();
    let end = Instant::now() + UPDATE;
    loop {
        let over = tracer.ended()?;
        let pods = workload::pods(&lab.cache, "serv")?;
        addresses.extend(pods.values().filter_map(|pod| pod.ip));
        if let Some(going) = pods.values().find(|pod| pod.deleting) {
            faults.pod_goes(going.ip);
        }
        faults.step()?;
        if over && faults.are_over() {
            return Ok(addresses);
        }
        ensure!(Instant::now() < end, "the update is not over after {} s", UPDATE.as_secs());
        // Each look costs a process; more of them would be felt by the emulated node.
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A controller manager that gathers changes of endpoints for a while; dropping it brings the usual one back.
struct SliceBatch<'a>(Option<&'a Lab>);

impl<'a> SliceBatch<'a> {
    fn of(lab: &'a Lab, seconds: u64) -> Result<Self> {
        if seconds == 0 {
            return Ok(Self(None));
        }
        control::manager(&lab.cache, seconds)?;
        Ok(Self(Some(lab)))
    }
}

impl Drop for SliceBatch<'_> {
    fn drop(&mut self) {
        if let Some(lab) = self.0
            && let Err(error) = control::manager(&lab.cache, 0)
        {
            eprintln!("error: failed to bring the controller manager back: {error:#}");
        }
    }
}

/// The program under test, in the guest. Dropping it ends it there.
struct Tracer {
    child: Child,
    status: Option<i32>,
}

impl Tracer {
    fn start(folder: &Path, options: &Options) -> Result<Self> {
        guest::shell(&format!("rm -rf {GUEST_FOLDER}; mkdir -p {GUEST_FOLDER}"))?;
        let mut command = match &options.tracer {
            Some(script) => {
                guest::command(&["env", &format!("RUN={GUEST_FOLDER}"), "sh", "-c", script])
            }
            None => watch(),
        };
        if !options.show {
            command.stdout(fs::File::create(folder.join("watch.txt"))?);
            command.stderr(fs::File::create(folder.join("watch.err"))?);
        }
        let child = command.stdin(Stdio::null()).spawn().context("failed to start the tracer")?;
        Ok(Self { child, status: None })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY;
        while guest::shell(&format!("test -e {GUEST_FOLDER}/ready")).is_err() {
            ensure!(!self.ended()?, "the tracer ended before it was ready, with {:?}", self.status);
            ensure!(Instant::now() < end, "the tracer is not ready after {} s", READY.as_secs());
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<bool> {
        if let Some(status) = self.child.try_wait()? {
            self.status = Some(status.code().unwrap_or(255));
        }
        Ok(self.status.is_some())
    }

    fn wait(&mut self) -> Result<i32> {
        Ok(self.child.wait()?.code().unwrap_or(255))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // The guest ends what ran there when the connection is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch() -> std::process::Command {
    let ready = format!("{GUEST_FOLDER}/ready");
    let recording = format!("{GUEST_FOLDER}/{RECORDING}");
    guest::command(&[
        ROLLOUT,
        "watch",
        "deployment/serv",
        "-n",
        "default",
        "--kubeconfig",
        "/lab/rollout.kubeconfig",
        "--node",
        NODE,
        "--ready-file",
        &ready,
        "--record",
        &recording,
        // F28: watches lag in an emulated guest.
        "--reorder-window",
        "3s",
        "--timeout",
        "5m",
    ])
}

fn keep_recording(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(RECORDING);
    guest::pull(&format!("{GUEST_FOLDER}/{RECORDING}"), &path)?;
    Ok(path)
}
