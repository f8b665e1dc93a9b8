//! Bringing the lab up and taking it down. Comes in: the cache. Goes out: a healthy lab, or nothing at all.

use super::image::Image;
use super::place::{self, GUEST_IP, NODE};
use super::programs::Programs;
use super::{STEPS, control, guest, process, seed};
use crate::cache::Cache;
use crate::exec;
use crate::setup;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// A lab that is up.
pub struct Lab {
    /// The cache that it runs from.
    pub cache: Cache,
    /// The lab's own programs.
    pub programs: Programs,
    /// It was up before.
    pub found: bool,
}

/// Brings the lab up; uses the one that is up when it is healthy and made of the same programs.
///
/// # Errors
/// When set-up or a part of the lab fails.
pub fn up() -> Result<Lab> {
    let cache = setup::ensure(STEPS)?;
    let programs = Programs::build()?;
    if same_programs(&cache, &programs)? && healthy(&cache)? {
        eprintln!("the lab is up");
        return Ok(Lab { cache, programs, found: true });
    }
    down()?;
    let start = Instant::now();
    let said = |what: &str| eprintln!("[{:>5.1} s] {what}", start.elapsed().as_secs_f64());
    place::make()?;
    add_namespace()?;
    said("control plane starts (usually 6 s)");
    control::up(&cache)?;
    let image = Image::find(&cache)?;
    let seed = seed::write(&programs, &image)?;
    said("guest boots (usually 15 s)");
    guest::boot(&cache, &image, &seed)?;
    said("node starts (usually 25 s)");
    wait_for_node(&cache)?;
    check_bridge()?;
    fs::write(place::file("programs"), fingerprint(&cache, &programs)?)?;
    said("the lab is up");
    Ok(Lab { cache, programs, found: false })
}

/// Ends every recorded process and removes namespace and folder. Says nothing when there is nothing.
///
/// # Errors
/// When something does not end or cannot be removed.
pub fn down() -> Result<()> {
    for process in process::recorded()?.iter().rev() {
        process.end()?;
    }
    if namespace_exists()? {
        end_strays()?;
        exec::output(Command::new("ip").args(["netns", "delete", &place::name()]))?;
    }
    let folder = place::folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("failed to remove `{}`", folder.display()))?;
    }
    Ok(())
}

/// Prints what runs; exit code 1 when the lab is not healthy.
///
/// # Errors
/// When that cannot be found out.
pub fn status() -> Result<ExitCode> {
    let processes = process::recorded()?;
    if processes.is_empty() {
        println!("the lab is down");
        return Ok(ExitCode::FAILURE);
    }
    for process in &processes {
        println!("{:<24} {}", process.name, if process.runs() { "runs" } else { "ended" });
    }
    let cache = Cache::open()?;
    let api = control::ready(&cache)?;
    println!("{:<24} {}", "API server", if api { "ready" } else { "not ready" });
    println!("{:<24} {}", "guest", if guest::answers() { "answers" } else { "does not answer" });
    let node = node_ready(&cache);
    println!("{:<24} {}", "node", if node { "ready" } else { "not ready" });
    Ok(if healthy(&cache)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn healthy(cache: &Cache) -> Result<bool> {
    let processes = process::recorded()?;
    Ok(!processes.is_empty()
        && processes.iter().all(process::Process::runs)
        && guest::answers()
        && control::ready(cache)?
        && node_ready(cache))
}

/// What a lab is made of: one that was made of something else is not used again.
fn fingerprint(cache: &Cache, programs: &Programs) -> Result<String> {
    let image = Image::find(cache)?;
    // This program by its link, not its path: a build may have put another one there while it runs.
    let parts = [image.file("complete"), PathBuf::from("/proc/self/exe")];
    let mut text = String::new();
    for path in parts.into_iter().chain(programs.all()) {
        let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{hash}  {name}\n"));
    }
    Ok(text)
}

fn same_programs(cache: &Cache, programs: &Programs) -> Result<bool> {
    let now = fingerprint(cache, programs)?;
    Ok(fs::read_to_string(place::file("programs")).is_ok_and(|was| was == now))
}

/// Ends what runs in the namespace without a record: a start that was broken off between the two, or the kubectl of
/// a lost terminal. The namespace is the lab's own, so all that is in it is the lab's.
fn end_strays() -> Result<()> {
    for signal in [Signal::TERM, Signal::KILL] {
        for _ in 0..50 {
            let text = exec::output(Command::new("ip").args(["netns", "pids", &place::name()]))?;
            let strays: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if strays.is_empty() {
                return Ok(());
            }
            for stray in strays.into_iter().filter_map(Pid::from_raw) {
                // It may have ended by now, which is what is wanted.
                let _ = kill_process(stray, signal);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    bail!("processes in the namespace `{}` do not end", place::name())
}

fn namespace_exists() -> Result<bool> {
    let text = exec::output(Command::new("ip").args(["netns", "list"]))?;
    Ok(text.lines().any(|line| line.split_whitespace().next() == Some(&place::name())))
}

/// Only a loopback: what the cluster has not programmed yet must not find a way out of this machine.
fn add_namespace() -> Result<()> {
    exec::output(Command::new("ip").args(["netns", "add", &place::name()]))?;
    let inside =
        |words: &[&str]| exec::output(Command::new("ip").args(["-n", &place::name()]).args(words));
    inside(&["link", "set", "lo", "up"])?;
    // The API server reaches kubelet at the node's address, which QEMU forwards. The source has to be a loopback
    // address, which QEMU replaces: the guest would drop packets that seem to come from itself.
    let node = format!("{GUEST_IP}/32");
    inside(&["route", "add", "local", &node, "dev", "lo", "src", "127.0.0.1", "table", "local"])?;
    let links = inside(&["-br", "link"])?;
    let others: Vec<_> =
        links.lines().filter(|line| line.contains("UP") && !line.starts_with("lo ")).collect();
    ensure!(others.is_empty(), "the namespace has more than a loopback: {}", others.join("; "));
    Ok(())
}

fn node_ready(cache: &Cache) -> bool {
    let path = "-o=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    let command = control::kubectl(cache);
    command.is_ok_and(|mut command| {
        exec::output(command.args(["get", "node", NODE, path])).is_ok_and(|text| text == "True")
    })
}

fn wait_for_node(cache: &Cache) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(180);
    while !node_ready(cache) {
        if Instant::now() > end {
            bail!("the node is not ready after 180 s: see cargo xtask lab logs kubelet");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// F26: without it, replies between pods of one bridge would bypass IPVS.
fn check_bridge() -> Result<()> {
    let value = guest::shell("cat /proc/sys/net/bridge/bridge-nf-call-iptables")?;
    ensure!(value.trim() == "1", "bridge-nf-call-iptables is `{}` in the guest", value.trim());
    Ok(())
}
