//! Recordings survive what happens to files: cuts, damage, full disks, other versions, and `kill -9`.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use rollout::record::meta::{FORMAT_VERSION, Header, LeftOut, Loss, Phase, Stage};
use rollout::record::{Body, Record};
use rollout::recording::read::{Ending, Reader};
use rollout::recording::space::Limits;
use rollout::recording::write::{Summary, Writer};
use std::path::Path;

const SECOND: u64 = 1_000_000_000;
const ROOMY: Limits = Limits { max_bytes: 1 << 30, min_free_percent: 0 };

fn header(format: u32) -> Record {
    let body = Body::Header(Header {
        format,
        version: "9.9.9".into(),
        node: "node1".into(),
        boot_id: "boot".into(),
        kernel: "6.12".into(),
        target: None,
        reorder_window_ns: 0,
        left_out: LeftOut::default(),
    });
    Record { id: 1, time_ns: 0, body }
}

/// A header and `count` records, one every tenth of a second, so ten to a frame.
fn fill(path: &Path, count: u64, limits: Limits) -> Writer {
    let mut writer = Writer::create(path, limits).unwrap();
    writer.write(&header(FORMAT_VERSION), 0);
    for id in 2..count + 2 {
        let time_ns = id * SECOND / 10;
        writer.write(&Record { id, time_ns, body: Body::Phase(Phase::Watching) }, time_ns);
    }
    writer
}

fn write(path: &Path, count: u64, limits: Limits) -> Summary {
    fill(path, count, limits).finish()
}

fn read(path: &Path) -> (Vec<Record>, Ending) {
    let mut reader = Reader::open(path).unwrap();
    let records: Vec<_> = reader.by_ref().collect();
    (records, reader.ending().clone())
}

fn losses(records: &[Record]) -> Vec<&Loss> {
    records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Loss(loss) => Some(loss),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let summary = write(&path, 100, ROOMY);
    let (records, ending) = read(&path);
    assert_eq!(ending, Ending::Whole);
    assert_eq!((records.len(), summary.records), (101, 101));
    assert_eq!(summary.bytes, std::fs::metadata(&path).unwrap().len());
    assert!(records.windows(2).all(|pair| pair[0].id + 1 == pair[1].id));
}

#[test]
fn plain_zstd_reads_it_as_json_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    write(&path, 50, ROOMY);
    let text = zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
    let lines: Vec<serde_json::Value> = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 51);
    assert_eq!(lines[0]["body"]["header"]["node"], "node1");
}

#[test]
fn a_file_cut_at_any_byte_is_read_up_to_the_damage_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    write(&path, 40, ROOMY);
    let whole = std::fs::read(&path).unwrap();
    let (all, _) = read(&path);
    let mut damaged = 0;
    for length in 1..whole.len() {
        let cut = dir.path().join("cut.zst");
        std::fs::write(&cut, &whole[..length]).unwrap();
        let Ok(mut reader) = Reader::open(&cut) else { continue };
        let records: Vec<_> = reader.by_ref().collect();
        let kept = records.iter().filter(|r| !matches!(r.body, Body::Loss(_))).count();
        assert_eq!(records[..kept], all[..kept], "cut at {length}");
        match reader.ending() {
            Ending::Whole => assert!(losses(&records).is_empty(), "cut at {length}"),
            Ending::Damaged { offset, .. } => {
                damaged += 1;
                assert!(*offset < length as u64, "cut at {length}");
                assert_eq!(losses(&records)[0].stage, Stage::Read);
            }
        }
    }
    assert!(damaged > 0);
}

#[test]
fn a_flipped_byte_is_found_by_the_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    write(&path, 40, ROOMY);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let (records, ending) = read(&path);
    assert!(matches!(ending, Ending::Damaged { frame: 4.., .. }), "{ending:?}");
    assert_eq!(losses(&records).len(), 1);
}

#[test]
fn without_finish_only_the_unwritten_second_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    // As after `kill -9`: no destructor runs.
    std::mem::forget(fill(&path, 99, ROOMY));
    let (records, ending) = read(&path);
    assert_eq!(ending, Ending::Whole);
    assert!(100 - records.len() <= 11, "{} of 100 were kept", records.len());
}

#[test]
fn at_the_cap_recording_stops_and_the_file_says_how_much_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let summary = write(&path, 200_000, Limits { max_bytes: 66_000, min_free_percent: 0 });
    assert!(summary.stopped.as_ref().is_some_and(|why| why.contains("cap")), "{summary:?}");
    let (records, ending) = read(&path);
    assert_eq!(ending, Ending::Whole);
    let losses = losses(&records);
    assert_eq!((losses.len(), losses[0].stage), (1, Stage::Recording));
    assert_eq!(losses[0].count + records.len() as u64 - 1, 200_001);
}

#[test]
fn a_recording_that_could_not_hold_its_first_frame_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let limits = Limits { max_bytes: 1 << 30, min_free_percent: 100 };
    let Err(error) = Writer::create(&path, limits) else { panic!("it was accepted") };
    let text = rollout::error::render(&error);
    assert!(text.contains("are left to others"), "{text}");
    assert!(text.contains("hint: record elsewhere"), "{text}");
}

#[test]
fn a_full_disk_ends_the_recording_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let run = |command: &mut std::process::Command| command.status().unwrap().success();
    let mounted = run(std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"])
        .arg(&mount));
    assert!(mounted, "mounting a small tmpfs needs root");
    let path = mount.join("a.zst");
    let result = std::panic::catch_unwind(|| (write(&path, 40_000, ROOMY), read(&path)));
    assert!(run(std::process::Command::new("umount").arg(&mount)));
    let (summary, (records, ending)) = result.unwrap();
    assert!(summary.stopped.as_ref().is_some_and(|why| why.contains("space")), "{summary:?}");
    assert_eq!(ending, Ending::Whole);
    let losses = losses(&records);
    assert_eq!((losses.len(), losses[0].stage), (1, Stage::Recording));
    assert_eq!(losses[0].count + records.len() as u64 - 1, 40_001);
}

#[test]
fn a_newer_format_is_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let mut writer = Writer::create(&path, ROOMY).unwrap();
    writer.write(&header(FORMAT_VERSION + 1), 0);
    writer.finish();
    let Err(error) = Reader::open(&path) else { panic!("a newer format was accepted") };
    let text = rollout::error::render(&error);
    assert!(text.contains("has format 2"), "{text}");
    assert!(text.contains("hint: read it with rollout 9.9.9"), "{text}");
}

#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let foreign = zstd::encode_all(&b"{}\n"[..], 1).unwrap();
    for bytes in [&b""[..], b"hello\n", &foreign] {
        std::fs::write(&path, bytes).unwrap();
        let Err(error) = Reader::open(&path) else { panic!("{bytes:?} was accepted") };
        assert!(format!("{error:#}").contains("is not a recording"), "{error:#}");
    }
}

#[test]
fn lines_of_unknown_kinds_are_counted_and_lower_certainty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let first = serde_json::to_string(&header(FORMAT_VERSION)).unwrap();
    let lines =
        format!("{first}\n{{\"id\":2,\"time_ns\":6,\"body\":{{\"warp\":{{}}}}}}\nno json\n");
    std::fs::write(&path, zstd::encode_all(lines.as_bytes(), 1).unwrap()).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let records: Vec<_> = reader.by_ref().collect();
    assert_eq!(reader.unreadable(), 2);
    assert_eq!(losses(&records)[0].count, 2);
}
