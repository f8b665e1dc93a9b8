//! A reader of the output that has stopped: neither the ring's reader nor the recording waits for it.
//! Comes in: more events than a pipe holds. Goes out: a recording that has them all, and a run that ends in time.

use super::harness::rollout;
use super::space::Space;
use rollout::record::Body;
use rollout::recording::read::{Ending, Reader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing else on the machine uses it; no port that a client is given, or it would meet itself.
const PORT: u16 = 27_124;
const CONNECTS: usize = 2_000;

pub fn a_stopped_pager_stops_neither_the_trace_nor_its_recording() {
    let _space = Space::enter();
    let folder = tempfile::tempdir().unwrap();
    let (path, ready) = (folder.path().join("a.zst"), folder.path().join("ready"));
    let mut child = Command::new(rollout())
        .args(["trace", "--no-cluster", "-o", "json", "--record-min-free", "0"])
        .args(["--port", &PORT.to_string()])
        .arg("--record")
        .arg(&path)
        .arg("--ready-file")
        .arg(&ready)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !ready.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is never ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    for _ in 0..CONNECTS {
        assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
    }
    // Held, not read, until the run has ended.
    let unread = child.stdout.take();
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let output = child.wait_with_output().unwrap();
    drop(unread);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: standard output is not being read"), "{said}");

    let mut reader = Reader::open(&path).unwrap();
    let records: Vec<_> = reader.by_ref().collect();
    assert_eq!(*reader.ending(), Ending::Whole);
    let lost = records.iter().filter(|record| matches!(record.body, Body::Loss(_))).count();
    assert_eq!(lost, 0);
    let failed = |body: &Body| match body {
        Body::ConnectFailed(event) => event.flow.destination.port() == PORT,
        _ => false,
    };
    assert_eq!(records.iter().filter(|record| failed(&record.body)).count(), CONNECTS);
}
