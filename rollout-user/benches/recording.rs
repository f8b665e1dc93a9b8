//! Prints how fast a recording is written and read, and how large it is, for one million events.
//!
//! In: nothing; the events are generated. Out: three lines. Run it with `cargo xtask bench recording`.

use anyhow::Context;
use rollout::record::kernel::{BackendChosen, Chooser, Connect, Established, Flow, Netns};
use rollout::record::meta::{FORMAT_VERSION, Header, LeftOut};
use rollout::record::{Body, Record};
use rollout::recording::read::Reader;
use rollout::recording::space::Limits;
use rollout::recording::write::Writer;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

const EVENTS: u64 = 1_000_000;
/// One connection each 300 µs: about 3,300 a second, three events each.
const STEP_NS: u64 = 100_000;

fn address(index: u64, port: u16) -> SocketAddr {
    let [.., high, low] = index.to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 102, high, low)), port)
}

/// A connection through a Service: connect, backend choice, established; ports and pods vary as they do in life.
fn event(id: u64) -> Record {
    let connection = id / 3;
    let client = address(connection % 40, 0).ip();
    let flow = Flow {
        source: Some(client),
        source_port: Some(32_768 + (connection % 28_000) as u16),
        destination: address(0xf000 + connection % 5, 8000),
    };
    let netns = Netns { inum: 4_026_532_000 + (connection % 40) as u32, cookie: connection % 40 };
    let body = match id % 3 {
        0 => Body::Connect(Connect {
            attempt: connection + 1,
            flow,
            netns,
            cgroup: 5000 + connection % 40,
            pid: 1000 + (connection % 40) as u32,
            comm: "nginx".into(),
        }),
        1 => Body::BackendChosen(BackendChosen {
            flow,
            backend: address(0x100 + connection % 12, 8000),
            weight: Some(1),
            by: Chooser::Ipvs,
            netns: Netns { inum: 4_026_531_840, cookie: 1 },
        }),
        _ => {
            // Latencies spread over a millisecond without a random source.
            let latency_ns = 40_000 + connection.wrapping_mul(2_654_435_761) % 1_000_000;
            Body::Established(Established { attempt: connection + 1, flow, latency_ns })
        }
    };
    Record { id: id + 2, time_ns: id * STEP_NS, body }
}

fn main() -> anyhow::Result<()> {
    // `cargo test` runs benchmarks too; there is nothing to assert here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let dir = tempfile::tempdir().context("cannot make a folder")?;
    let path = dir.path().join("recording.zst");
    let mut writer = Writer::create(&path, Limits { max_bytes: u64::MAX, min_free_percent: 0 })?;
    let header = Body::Header(Header {
        format: FORMAT_VERSION,
        version: env!("CARGO_PKG_VERSION").into(),
        node: "bench".into(),
        boot_id: String::new(),
        kernel: String::new(),
        target: None,
        reorder_window_ns: 0,
        left_out: LeftOut::default(),
    });
    writer.write(&Record { id: 1, time_ns: 0, body: header }, 0);

    let begin = Instant::now();
    for id in 0..EVENTS {
        let record = event(id);
        writer.write(&record, record.time_ns);
    }
    let summary = writer.finish();
    let written = begin.elapsed();

    let begin = Instant::now();
    let count = Reader::open(&path)?.count() as u64;
    let read = begin.elapsed();
    anyhow::ensure!(count == EVENTS + 1, "{count} records were read, {} written", EVENTS + 1);

    let rate = |time: std::time::Duration| EVENTS as f64 / time.as_secs_f64();
    println!("recording of {EVENTS} events, one core, rollout {}", env!("CARGO_PKG_VERSION"));
    println!("write: {:.0} events/s", rate(written));
    println!("read:  {:.0} events/s", rate(read));
    println!("size:  {:.1} bytes/event", summary.bytes as f64 / EVENTS as f64);
    Ok(())
}
