//! The real `rollout` where something is wrong: no type information, no right, a hook that is missing, a clock that is
//! stepped, a burst that does not fit. Comes in: the binary. Goes out: exit codes, what it says, what it leaves behind.

use super::backlog;
use super::connects::start_connect;
use super::harness;
use super::space::{Space, kernel_counter};
use rollout::record::meta::{Phase, Stage};
use rollout::record::{Body, Record};
use rollout::recording::read::Reader;
use rollout::tables::netns::Namespace;
use serde_json::Value;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Nothing in the tests takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// `nobody`.
const UNPRIVILEGED: u32 = 65534;
const PORT: u16 = 17_124;
const BURST: u64 = 300;

/// Files of one run; gone when the test ends.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// `rollout trace` without a cluster.
fn trace(arguments: &[&str]) -> Command {
    let mut command = Command::new(harness::rollout());
    command.args(["trace", "--no-cluster"]).args(arguments);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It could not run: exit code 2, one error, one hint, and no file.
fn could_not_run(mut command: Command, folder: &Folder, error: &str, hint: &str) {
    let (ready, recording) = (folder.file("ready"), folder.file("recording"));
    let output =
        command.arg("--ready-file").arg(&ready).arg("--record").arg(&recording).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let line = |start: &str| said.lines().find(|line| line.starts_with(start)).unwrap_or(&said);
    assert!(line("error: ").contains(error), "{said}");
    assert!(line("hint: ").contains(hint), "{said}");
    assert!(!ready.exists(), "it was never ready");
    assert!(!recording.exists(), "a recording of nothing is left");
}

pub fn without_type_information_it_says_what_kernel_it_needs() {
    let folder = Folder::new();
    let mut command = trace(&["--duration", "1s"]);
    // SAFETY: system calls only; the mounts are the child's own.
    unsafe {
        command.pre_exec(|| {
            let failed = |result: i32| {
                if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            };
            failed(libc::unshare(libc::CLONE_NEWNS))?;
            let (none, flags) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            failed(libc::mount(none, c"/".as_ptr(), none, flags, none.cast()))?;
            let (kind, place) = (c"tmpfs".as_ptr(), c"/sys/kernel/btf".as_ptr());
            failed(libc::mount(kind, place, kind, 0, none.cast()))
        });
    }
    could_not_run(command, &folder, "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF");
}

pub fn without_a_right_it_says_which_ones_it_needs() {
    let folder = Folder::new();
    std::os::unix::fs::chown(folder.0.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
    let mut command = trace(&["--duration", "1s"]);
    command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    could_not_run(command, &folder, "cannot load the eBPF object", "CAP_BPF");
}

/// A trace that is under way.
struct Run {
    child: Child,
    folder: Folder,
}

/// What is left of it.
struct Ended {
    /// Its last line on standard output.
    end: Value,
    records: Vec<Record>,
    folder: Folder,
}

impl Run {
    /// Starts it and waits until it says that it is ready.
    fn start(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let (ready, recording) = (folder.file("ready"), folder.file("recording"));
        let mut command = trace(arguments);
        command
            .args(["-o", "json", "--record-min-free", "0", "--ready-file"])
            .arg(&ready)
            .arg("--record")
            .arg(&recording);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let end = Instant::now() + PATIENCE;
        while !ready.exists() {
            assert!(Instant::now() < end, "it is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, folder }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: signals a child of this process that was not waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Ends it as Ctrl-C does.
    fn finish(self) -> Ended {
        self.signal(libc::SIGINT);
        let output = self.child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        let end = serde_json::from_str(printed.lines().last().expect("an end")).unwrap();
        let records = Reader::open(&self.folder.file("recording")).unwrap().collect();
        Ended { end, records, folder: self.folder }
    }
}

pub fn a_missing_hook_is_said_by_fact_at_the_end() {
    let _space = Space::enter();
    // There is no raw tracepoint for ICMPv6.
    let run = Run::start(&["--force-hook", "icmp6_sent=raw_tracepoint"]);
    let Ended { end, records, .. } = run.finish();
    assert_eq!(end["end"]["blind"]["icmp6_sent"], "ICMPv6 errors sent are not seen");
    let hooks = records.iter().find_map(|record| match &record.body {
        Body::Hooks(hooks) => hooks.facts.get("icmp6_sent"),
        _ => None,
    });
    let hook = hooks.expect("a statement about hooks");
    assert!(hook.attached.is_none() && !hook.refused.is_empty(), "{hook:?}");
}

/// Where no function can be hooked, counters are polled, and drops before Ctrl-C are told by the last reading.
pub fn f08_without_a_hook_full_accept_queues_are_counted() {
    // There is no raw tracepoint for it. Its listener is in the node's own namespace, which is polled like a pod's.
    let run = Run::start(&["--force-hook", "backlog_full=raw_tracepoint"]);
    let server = backlog::server("127.0.0.1:0", 1);
    let destination = server.local_addr().unwrap();
    let _waiting = backlog::fill(destination, 2);
    let drops = || kernel_counter("ListenOverflows");
    let before = drops();
    let _client = start_connect(destination);
    while drops() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    let Ended { end, records, .. } = run.finish();
    let hook = records.iter().find_map(|record| match &record.body {
        Body::Hooks(hooks) => hooks.facts.get("backlog_full"),
        _ => None,
    });
    assert_eq!(hook.unwrap().attached.as_deref(), Some("polling ListenOverflows"));
    assert!(end["end"]["blind"]["backlog_full"].as_str().unwrap().contains("which connections"));
    let node = Namespace::current().unwrap().inum();
    let counted = records.iter().find_map(|record| match &record.body {
        Body::ListenCounters(it) if it.netns.inum == node => Some((record, it)),
        _ => None,
    });
    let (record, counters) = counted.expect("counters");
    assert!(counters.overflows > 0 && counters.drops >= counters.overflows, "{counters:?}");
    assert!(counters.since_ns < record.time_ns);
    let ended = records
        .iter()
        .find(|record| matches!(record.body, Body::Phase(Phase::CutShort { .. } | Phase::Ended)));
    assert!(record.id < ended.expect("an end").id, "before the end is said");
}

fn clock(records: &[Record]) -> Vec<i128> {
    let offset = |record: &Record| match &record.body {
        Body::Clock(clock) => Some(i128::from(clock.unix_ns) - i128::from(record.time_ns)),
        _ => None,
    };
    records.iter().filter_map(offset).collect()
}

/// The clock of a guest is stepped by an hour: events keep their order and distance, and the step is in the recording.
pub fn a_stepped_clock_moves_no_event_and_is_recorded() {
    const STEP: i64 = 3600;
    let space = Space::enter();
    let run = Run::start(&[]);
    let dial = || assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
    dial();
    let mut now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec += STEP;
    rustix::time::clock_settime(rustix::time::ClockId::Realtime, now).unwrap();
    dial();
    // The clocks are paired once a second.
    std::thread::sleep(Duration::from_secs(3));
    now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec -= STEP;
    let records = run.finish().records;
    rustix::time::clock_settime(rustix::time::ClockId::Realtime, now).unwrap();
    let offsets = clock(&records);
    let moved = offsets.iter().max().unwrap() - offsets.iter().min().unwrap();
    let step = i128::from(STEP) * 1_000_000_000;
    assert!((moved - step).abs() < 1_000_000_000, "{offsets:?}");
    let dialled: Vec<_> = records
        .iter()
        .filter(|record| matches!(&record.body, Body::Connect(it) if it.netns.inum == space.inum))
        .map(|record| record.time_ns)
        .collect();
    let [first, second] = dialled.as_slice() else { panic!("{dialled:?}") };
    let apart = Duration::from_nanos(second - first);
    assert!(apart < PATIENCE, "{apart:?}");
}

/// Connects that all succeed, each closed by the server first: three events each, all told when this returns.
fn burst() {
    let server = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    let accept = std::thread::spawn(move || {
        for _ in 0..BURST {
            drop(server.accept().unwrap());
        }
    });
    for _ in 0..BURST {
        let mut client = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    accept.join().unwrap();
}

/// What does not fit is counted exactly, and nobody calls that a clean update.
pub fn a_burst_into_a_small_ring_ends_with_exit_code_3() {
    let _space = Space::enter();
    let port = PORT.to_string();
    let run = Run::start(&["--ring-size", "4KiB", "--port", &port]);
    // Nobody reads meanwhile, however fast the reader is.
    run.signal(libc::SIGSTOP);
    burst();
    run.signal(libc::SIGCONT);
    let Ended { end, records, folder } = run.finish();
    let told = records.iter().filter(|record| match &record.body {
        Body::Connect(it) => it.flow.destination.port() == PORT,
        Body::Established(it) => it.flow.destination.port() == PORT,
        Body::Closed(it) => it.flow.destination.port() == PORT,
        _ => false,
    });
    let lost = |record: &Record| match &record.body {
        Body::Loss(it) if it.stage == Stage::Ring => match it.program.as_str() {
            "outcome" | "connect" => it.count,
            _ => 0,
        },
        _ => 0,
    };
    let lost: u64 = records.iter().map(lost).sum();
    assert_eq!(told.count() as u64 + lost, 3 * BURST, "delivered + lost = done");
    assert!(lost > 0, "everything fitted");
    let named = end["end"]["lost"].as_object().unwrap().values().filter_map(Value::as_u64);
    assert!(named.sum::<u64>() >= lost, "{end}");
    let mut explain = Command::new(harness::rollout());
    let output =
        explain.args(["explain", "-o", "json"]).arg(folder.file("recording")).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", report["verdict"]);
    assert!(report["verdict"]["doubts"].to_string().contains("lost"), "{}", report["verdict"]);
}
