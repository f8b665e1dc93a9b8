//! The lab as a whole: up, down, its state. Goes out: a cluster whose one node is ready and runs the experiment's
//! two Deployments, or nothing at all.

use super::image::Image;
use super::machine::{self, Accelerator};
use super::place::{self, GUEST_IP, NODE};
use super::programs::Programs;
use super::{control, keys, kubectl, process, remote, seed};
use crate::cache::Cache;
use crate::exec;
use crate::setup::{self, kubernetes};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What set-up has to provide.
pub const STEPS: &[&str] = &["packages", "kubernetes", "qemu", "guest-image"];
/// How long the node may take to get ready after it answers.
const NODE_LIMIT: Duration = Duration::from_secs(180);

/// One calm line on what is being done.
pub fn say(text: &str) {
    eprintln!("lab: {text}");
}

/// Brings the lab up, or leaves a healthy one as it is.
///
/// # Errors
/// When set-up fails or a part does not get ready in time; what is up stays up, to be looked into.
pub fn up() -> Result<()> {
    let cache = setup::ensure(STEPS)?;
    let _lock = lock(&cache)?;
    if is_healthy() {
        say("is up and healthy, reused");
        return Ok(());
    }
    let start = Instant::now();
    remove()?;
    say("building its programs");
    let programs = Programs::build()?;
    place::make()?;
    fs::copy(programs.path("load")?, place::file("load"))?;
    let components = kubernetes::folder(&cache)?;
    fs::write(place::file("config/components"), components.display().to_string())?;
    keys::make()?;
    namespace()?;
    let image = Image::find(&cache)?;
    let accelerator = Accelerator::choose(&cache, &image)?;
    let seed = seed::write(&programs, &image.file("gateway.tar"))?;
    say(&format!("starting the guest ({accelerator:?})"));
    machine::start(&cache, &image, &seed, accelerator)?;
    say("starting the control plane (usually 5 s)");
    control::start(&components)?;
    kubectl::apply(include_str!("../../lab/access.yaml"))?;
    say("waiting for the guest (usually 15 s)");
    machine::answers()?;
    set_clock()?;
    say("waiting for the node (usually 30 s)");
    node_ready()?;
    check_guest()?;
    say(&format!("is up after {:.0} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// Takes the lab down; nothing is left of it but the cache and recordings.
///
/// # Errors
/// When a process does not end or a folder cannot be removed.
pub fn down() -> Result<()> {
    let cache = Cache::open()?;
    let _lock = lock(&cache)?;
    remove()?;
    say("is down");
    Ok(())
}

/// Every part answers.
pub fn is_healthy() -> bool {
    let processes = process::recorded().unwrap_or_default();
    processes.len() == 5
        && processes.iter().all(process::Process::runs)
        && machine::is_up()
        && is_node_ready()
}

/// Prints each part and its state; returns whether all is well.
///
/// # Errors
/// When a record is damaged.
pub fn status() -> Result<bool> {
    let processes = process::recorded()?;
    if processes.is_empty() {
        println!("the lab is down");
        return Ok(false);
    }
    for process in &processes {
        let word = if process.runs() { "runs" } else { "ended" };
        println!("{:<24} {word} (process {})", process.name, process.pid);
    }
    println!("{:<24} {}", "command channel", if machine::is_up() { "answers" } else { "silent" });
    match kubectl::output(&["get", "nodes,pods", "--all-namespaces", "--output=wide"]) {
        Ok(text) => print!("{text}"),
        Err(error) => println!("{:<24} {error:#}", "API server"),
    }
    Ok(is_healthy())
}

/// One command at a time changes the lab. The lock lies in the cache, as the lab's folder comes and goes.
fn lock(cache: &Cache) -> Result<fs::File> {
    let path = cache.root().join(format!(".{}.lock", place::name()));
    let file =
        fs::File::create(&path).with_context(|| format!("failed to make `{}`", path.display()))?;
    file.lock().with_context(|| format!("failed to lock `{}`", path.display()))?;
    Ok(file)
}

fn namespace() -> Result<()> {
    exec::output(Command::new("ip").args(["netns", "add", &place::name()]))?;
    let ip = |words: &[&str]| {
        exec::output(Command::new("ip").args(["-n", &place::name()]).args(words)).map(drop)
    };
    ip(&["link", "set", "lo", "up"])?;
    // The API server reaches kubelet by the node's own address, which QEMU forwards. The source has to be a loopback
    // address, which QEMU replaces: the guest would drop packets that come from its own address.
    let node = format!("{GUEST_IP}/32");
    ip(&["route", "add", "local", &node, "dev", "lo", "src", "127.0.0.1", "table", "local"])?;
    let links = exec::output(Command::new("ip").args(["-n", &place::name(), "-o", "link"]))?;
    let foreign = links.lines().find(|line| line.contains("LOWER_UP") && !line.contains(": lo:"));
    ensure!(foreign.is_none(), "the namespace has an uplink: {}", foreign.unwrap_or_default());
    Ok(())
}

fn remove() -> Result<()> {
    let mut processes = process::recorded()?;
    // The guest first: its parts call the control plane. Then in the reverse order of their start.
    processes.sort_by_key(|process| process.name == "guest");
    for process in processes.iter().rev() {
        process.end()?;
    }
    if Path::new("/run/netns").join(place::name()).exists() {
        end_inside()?;
        exec::output(Command::new("ip").args(["netns", "delete", &place::name()]))?;
    }
    match fs::remove_dir_all(place::folder()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", place::folder().display()))
        }
        _ => Ok(()),
    }
}

/// Ends what runs in the namespace without a record: a start that was broken off, or a kubectl of a lost terminal.
fn end_inside() -> Result<()> {
    for signal in [Signal::TERM, Signal::KILL] {
        for _ in 0..50 {
            let text = exec::output(Command::new("ip").args(["netns", "pids", &place::name()]))?;
            let processes: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if processes.is_empty() {
                return Ok(());
            }
            for process in processes.into_iter().filter_map(Pid::from_raw) {
                // It may have ended by now, which is what is wanted.
                let _ = kill_process(process, signal);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    bail!("processes in the namespace `{}` do not end", place::name())
}

/// Sets the guest's clock to this machine's, as a virtual one starts with whole seconds.
fn set_clock() -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let time = format!("@{}.{:09}", now.as_secs(), now.subsec_nanos());
    remote::text(&["date", "--set", &time]).map(drop)
}

fn is_node_ready() -> bool {
    let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    kubectl::output(&["get", "node", NODE, "--output", path]).is_ok_and(|text| text == "True")
}

fn node_ready() -> Result<()> {
    let end = Instant::now() + NODE_LIMIT;
    while !is_node_ready() {
        ensure!(
            Instant::now() < end,
            "the node is not ready after {} s: see `cargo xtask lab logs kubelet`",
            NODE_LIMIT.as_secs()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// What the experiment takes for granted (F26): replies between pods of one bridge pass IPVS.
fn check_guest() -> Result<()> {
    let bridge = remote::text(&["cat", "/proc/sys/net/bridge/bridge-nf-call-iptables"])?;
    ensure!(bridge == "1", "bridge-nf-call-iptables is `{bridge}` in the guest, not 1");
    Ok(())
}
