//! The real `rollout` killed, cut off from its API server, run by nobody, or told to leave something out.
//! Comes in: the binary. Goes out: what it still tells, and what it has recorded.

use super::harness::rollout;
use super::space::Space;
use rollout::record::{Body, Record};
use rollout::recording::read::Reader;
use serde_json::Value;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Nothing in the tests takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// `nobody`.
const UNPRIVILEGED: u32 = 65534;
/// Nothing listens there.
const FIRST: u16 = 17_125;
const SECOND: u16 = 17_126;
const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: t\n\
    clusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
    users: [{name: u, user: {token: t}}]\n\
    contexts: [{name: t, context: {cluster: c, user: u}}]\n";

fn refused(port: u16) {
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts it in a folder of its own and waits until it is ready.
fn start(folder: &Path, arguments: &[&str]) -> (Child, PathBuf) {
    let (ready, recording) = (folder.join("ready"), folder.join("recording"));
    let mut command = Command::new(rollout());
    command.args(["trace", "-o", "json", "--record-min-free", "0"]).args(arguments);
    command.arg("--ready-file").arg(&ready).arg("--record").arg(&recording);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("it is not ready", || ready.exists());
    (child, recording)
}

fn interrupt(child: Child) -> Output {
    // SAFETY: signals a child of this process that was not waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    child.wait_with_output().unwrap()
}

/// What can be read; nothing before the first frame is written.
fn records(recording: &Path) -> Vec<Record> {
    Reader::open(recording).map(Iterator::collect).unwrap_or_default()
}

fn dials(records: &[Record], port: u16, netns: u32) -> usize {
    let to = |body: &Body| match body {
        Body::Connect(it) => it.netns.inum == netns && it.flow.destination.port() == port,
        _ => false,
    };
    records.iter().filter(|record| to(&record.body)).count()
}

pub fn a_killed_recorder_leaves_all_that_was_written_before() {
    let space = Space::enter();
    let folder = tempfile::tempdir().unwrap();
    let (mut child, recording) = start(folder.path(), &["--no-cluster"]);
    refused(FIRST);
    // Written while it runs, with nobody asking for it.
    let written = || dials(&records(&recording), FIRST, space.inum) == 1;
    wait_for("it is not written while the run goes on", written);
    refused(SECOND);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(dials(&records(&recording), FIRST, space.inum), 1);
    assert!(dials(&records(&recording), SECOND, space.inum) <= 1);
    let mut explain = Command::new(rollout());
    let output = explain.args(["explain", "-o", "json"]).arg(&recording).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // A refused connect was seen: that is certain, whatever else is not.
    assert_eq!(output.status.code(), Some(1), "{}", report["verdict"]);
    assert!(report["verdict"]["doubts"].to_string().contains("no_end"), "{}", report["verdict"]);
}

pub fn without_an_api_server_in_reach_it_traces_and_says_what_is_missing() {
    let space = Space::enter();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, KUBECONFIG).unwrap();
    let (child, recording) = start(folder.path(), &["--kubeconfig", &config.display().to_string()]);
    refused(FIRST);
    let output = interrupt(child);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("note: no cluster: the API server `http://127.0.0.1:1/`"), "{said}");
    assert!(said.contains("hint: is the API server up"), "{said}");
    assert!(said.contains("note: events are not tagged"), "{said}");
    assert_eq!(dials(&records(&recording), FIRST, space.inum), 1);
    // What needs names is refused instead of being silently empty.
    let mut command = Command::new(rollout());
    let output = command
        .args(["trace", "--duration", "1s", "--exclude-namespace", "monitoring"])
        .arg("--kubeconfig")
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`--exclude-namespace` needs the cluster"), "{said}");
}

pub fn doctor_run_by_nobody_says_what_it_could_not_check() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, KUBECONFIG).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let mut command = Command::new(rollout());
    command.args(["doctor", "-o", "json", "--kubeconfig"]).arg(&config);
    let output = command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{found}");
    let checks = found["checks"].as_array().unwrap();
    let check = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("no `{name}` in {found}"))
    };
    let is = |name: &str, status: &str| {
        assert_eq!(check(name)["status"], status, "{}", check(name));
        assert!(!check(name)["remedy"].is_null(), "{}", check(name));
    };
    is("CAP_BPF", "fail");
    is("CAP_PERFMON", "fail");
    is("CAP_NET_ADMIN", "warn");
    is("hooks", "fail");
    is("API server", "fail");
    assert_eq!(check("permissions")["status"], "unknown", "{}", check("permissions"));
}

pub fn a_network_namespace_that_is_left_out_is_not_traced() {
    let wanted = Space::enter();
    let unwanted = Space::new();
    let folder = tempfile::tempdir().unwrap();
    let path = format!("/run/netns/{}", unwanted.name());
    let (child, recording) = start(folder.path(), &["--no-cluster", "--exclude-netns", &path]);
    refused(FIRST);
    unwanted.join();
    refused(FIRST);
    wanted.join();
    refused(SECOND);
    let output = interrupt(child);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let records = records(&recording);
    assert_eq!(dials(&records, FIRST, unwanted.inum), 0);
    assert_eq!(dials(&records, FIRST, wanted.inum), 1);
    assert_eq!(dials(&records, SECOND, wanted.inum), 1);
    let mut explain = Command::new(rollout());
    let output = explain.arg("explain").arg(&recording).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("left out by the user's wish"), "{report}");
}
