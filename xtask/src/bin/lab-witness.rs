//! Looks at the lab's node from outside `rollout`: `tcpdump` on every pod's veth as it appears, and `ipvsadm` after
//! each change of a Service's destinations. Goes out: files in a folder; the line `ready` once every veth that was
//! there is captured. Ends when its standard input does, after tcpdump has written its counts.
//! Usage: `lab-witness FOLDER SERVICE_IP:PORT`.
//!
//! Files: `VETH.pcap`, `VETH.txt` (what tcpdump said), `veths.jsonl` (`veth`, `address`), `ipvs.jsonl`
//! (`monotonic_ns`, `unix_ns`: both clocks just before; `destinations`: address to weight).

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// SYNs, their answers, and ICMP errors.
const FILTER: &str = "tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 or icmp";
const CNI_RESULTS: &str = "/var/lib/cni/results";
const TABLE: &str = "/proc/net/ip_vs";
const PAUSE: Duration = Duration::from_millis(20);
/// tcpdump says that it listens within this time.
const START: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [folder, service] = words.as_slice() else {
        return Err("usage: lab-witness FOLDER SERVICE_IP:PORT".into());
    };
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        // Nothing is expected on it: its end is the end.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        told.store(true, Ordering::SeqCst);
    });
    let mut captures = Captures::new(&folder)?;
    captures.look()?;
    captures.wait_until_listening()?;
    let mut balancer = Balancer::new(&folder, service)?;
    balancer.look()?;
    println!("ready");
    while !stop.load(Ordering::SeqCst) {
        captures.look()?;
        balancer.look()?;
        std::thread::sleep(PAUSE);
    }
    captures.end()
}

/// The captures, by veth.
struct Captures {
    folder: PathBuf,
    list: File,
    running: BTreeMap<String, Child>,
    /// Veths whose pod's address is not known yet.
    nameless: BTreeSet<String>,
}

impl Captures {
    fn new(folder: &Path) -> Result<Self> {
        let list = File::create(folder.join("veths.jsonl"))?;
        let (running, nameless) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { folder: folder.to_owned(), list, running, nameless })
    }

    /// Starts a capture on each new veth, and names those whose address has become known.
    fn look(&mut self) -> Result<()> {
        for entry in fs::read_dir("/sys/class/net")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("veth") && !self.running.contains_key(&name) && is_up(&name) {
                let child = self.capture(&name)?;
                self.running.insert(name.clone(), child);
                self.nameless.insert(name);
            }
        }
        if !self.nameless.is_empty() {
            for (veth, address) in addresses() {
                if self.nameless.remove(&veth) {
                    writeln!(self.list, "{}", json!({"veth": veth, "address": address}))?;
                }
            }
        }
        Ok(())
    }

    fn capture(&self, veth: &str) -> Result<Child> {
        let said = File::create(self.folder.join(format!("{veth}.txt")))?;
        let child = Command::new("tcpdump")
            .args(["-i", veth, "-n", "-U", "-B", "8192", "-s", "128", "-Z", "root", "-w"])
            .arg(self.folder.join(format!("{veth}.pcap")))
            .args(["--time-stamp-precision=nano", "--immediate-mode", FILTER])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()?;
        Ok(child)
    }

    fn wait_until_listening(&self) -> Result<()> {
        let end = Instant::now() + START;
        for veth in self.running.keys() {
            let said = self.folder.join(format!("{veth}.txt"));
            while !fs::read_to_string(&said)?.contains("listening on") {
                if Instant::now() > end {
                    return Err(format!("tcpdump does not listen on {veth}").into());
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        for child in self.running.values() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // Those whose veth is gone have ended by themselves; they are still ours to wait for.
                let _ = kill_process(pid, Signal::INT);
            }
        }
        for child in self.running.values_mut() {
            child.wait()?;
        }
        Ok(())
    }
}

/// Flag `IFF_UP`: tcpdump refuses an interface that is being set up; no packet passes it yet.
fn is_up(veth: &str) -> bool {
    let flags = fs::read_to_string(format!("/sys/class/net/{veth}/flags")).unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16);
    flags.is_ok_and(|flags| flags & 1 == 1)
}

/// Veth and pod address, as the CNI plugins recorded them.
fn addresses() -> Vec<(String, String)> {
    let entries = fs::read_dir(CNI_RESULTS).into_iter().flatten().flatten();
    entries.filter_map(|entry| address(&fs::read(entry.path()).ok()?)).collect()
}

fn address(result: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(result).ok()?;
    let result = &value["result"];
    let names = result["interfaces"].as_array()?.iter().filter_map(|one| one["name"].as_str());
    let veth = names.into_iter().find(|name| name.starts_with("veth"))?;
    let address = result["ips"].get(0)?["address"].as_str()?.split('/').next()?;
    Some((veth.to_owned(), address.to_owned()))
}

/// The destinations of one Service.
struct Balancer {
    service: String,
    list: File,
    last: Option<String>,
}

impl Balancer {
    fn new(folder: &Path, service: &str) -> Result<Self> {
        let list = File::create(folder.join("ipvs.jsonl"))?;
        Ok(Self { service: service.to_owned(), list, last: None })
    }

    /// Asks `ipvsadm` when the kernel's table has changed.
    fn look(&mut self) -> Result<()> {
        let table = without_counters(&fs::read_to_string(TABLE).unwrap_or_default());
        if self.last.as_ref() == Some(&table) {
            return Ok(());
        }
        self.last = Some(table);
        let (monotonic_ns, unix_ns) = (clock(ClockId::Monotonic), clock(ClockId::Realtime));
        let output = Command::new("ipvsadm").arg("-Ln").output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let destinations = destinations(&String::from_utf8_lossy(&output.stdout), &self.service);
        let line = json!({
            "monotonic_ns": monotonic_ns,
            "unix_ns": unix_ns,
            "destinations": destinations,
        });
        writeln!(self.list, "{line}")?;
        Ok(())
    }
}

fn clock(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// `-> ADDRESS Masq WEIGHT ACTIVE INACTIVE` without the last two.
fn without_counters(table: &str) -> String {
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let kept = if words.first() == Some(&"->") { words.len().min(4) } else { words.len() };
        words.get(..kept).unwrap_or_default().join(" ")
    };
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn destinations(text: &str, service: &str) -> Map<String, Value> {
    let mut found = Map::new();
    let mut inside = false;
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["->", address, _, weight, ..] if inside => {
                if let Ok(weight) = weight.parse::<i64>() {
                    found.insert((*address).to_owned(), weight.into());
                }
            }
            ["TCP", address, ..] => inside = *address == service,
            ["UDP" | "SCTP" | "FWM", ..] => inside = false,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_and_only_its_weights_count() {
        let text = "IP Virtual Server version 1.2.1 (size=4096)\n\
            Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
            TCP  10.101.0.1:443 rr\n  -> 10.0.2.2:16443 Masq 1 0 0\n\
            TCP  10.101.102.33:8000 rr\n  -> 10.102.0.3:8000 Masq 0 1 9\n  -> 10.102.0.4:8000 Masq 1 2 3\n\
            UDP  10.101.0.10:53 rr\n  -> 10.102.0.9:53 Masq 1 0 0\n";
        let found = destinations(text, "10.101.102.33:8000");
        assert_eq!(Value::from(found), json!({"10.102.0.3:8000": 0, "10.102.0.4:8000": 1}));
    }

    #[test]
    fn counters_are_no_change() {
        let table =
            |active| format!("TCP  0A650001:01BB rr\n  -> 0A000202:403B Masq 1 {active} 0\n");
        assert_eq!(without_counters(&table(1)), without_counters(&table(7)));
        assert_ne!(
            without_counters(&table(1)),
            without_counters(&table(1).replace("Masq 1", "Masq 0"))
        );
    }

    #[test]
    fn a_pod_is_found_by_what_the_plugins_recorded() {
        let result = json!({"result": {
            "interfaces": [{"name": "cni0"}, {"name": "veth1a"}, {"name": "eth0", "sandbox": "/x"}],
            "ips": [{"address": "10.102.0.7/24", "gateway": "10.102.0.1"}]}});
        let found = address(result.to_string().as_bytes());
        assert_eq!(found, Some(("veth1a".to_owned(), "10.102.0.7".to_owned())));
        assert_eq!(address(b"{}"), None);
    }
}
