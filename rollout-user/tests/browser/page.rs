//! What the page has to be, asked in the browser.

use crate::devtools::Browser;
use base64::prelude::{BASE64_STANDARD, Engine};
use rollout::analyse::{Explainer, explain};
use rollout::present::html;
use rollout::record::{Body, Record};
use rollout::recording::read::Reader;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const PHONE: u32 = 400;
const DESK: u32 = 1200;

fn scenario(name: &str) -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenarios/{name}.jsonl"));
    let text = fs::read_to_string(path).expect("a scenario");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

fn recorded(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let path = folder.join(name).with_extension("jsonl.zst");
    let mut explanation = Explainer::new(None);
    Reader::open(&path).expect("a recording").for_each(|record| explanation.observe(&record));
    let mut explanation = explanation.observed();
    Reader::open(&path).expect("a recording").for_each(|record| explanation.event(&record));
    html::render(&explanation.report())
}

/// Pages of stored updates, in a folder that lasts as long as they are looked at.
fn pages() -> (tempfile::TempDir, Vec<(&'static str, PathBuf)>) {
    let folder = tempfile::tempdir().expect("a folder");
    let real = ["gap", "linger", "plain", "stalled"].map(|name| (name, recorded(name)));
    let made = ["blog", "clean", "cut_short", "listener_first", "rolled_back"];
    let made = made.map(|name| (name, html::render(&explain(&scenario(name)))));
    let keep = |(name, page): (&'static str, String)| {
        let path = folder.path().join(format!("{name}{}.html", page.len()));
        fs::write(&path, page).expect("a file");
        (name, path)
    };
    let pages = real.into_iter().chain(made).map(keep).collect();
    (folder, pages)
}

pub fn nothing_is_wider_than_the_window(browser: &mut Browser) {
    let (_folder, pages) = pages();
    for (name, page) in &pages {
        for (width, medium) in [(PHONE, "screen"), (DESK, "screen"), (700, "print")] {
            browser.pretend(medium, "light");
            browser.show(page, width);
            // Long names show the worst when everything is unfolded.
            browser.value("document.querySelectorAll('details').forEach(one => one.open = true)");
            let wide = browser.number("document.documentElement.scrollWidth");
            assert!(
                wide <= f64::from(width),
                "{name} is {wide} wide in a window of {width}, {medium}"
            );
        }
    }
}

pub fn the_style_sheet_passes_the_policy(browser: &mut Browser) {
    let (_folder, pages) = pages();
    browser.show(&pages[0].1, DESK);
    assert_eq!(browser.number("document.styleSheets.length"), 1.0);
    assert_eq!(
        browser.value("getComputedStyle(document.querySelector('header')).borderTopLeftRadius"),
        "10px"
    );
    // What the policy does not know does not apply.
    let other = "{ const style = document.createElement('style'); style.textContent = 'h1 { color: rgb(1, 2, 3) }'; \
                 document.head.append(style); getComputedStyle(document.querySelector('h1')).color }";
    assert_ne!(browser.value(other), "rgb(1, 2, 3)");
}

pub fn marks_and_words_of_the_picture_are_inside_it(browser: &mut Browser) {
    let (_folder, pages) = pages();
    for (name, page) in &pages {
        browser.show(page, DESK);
        let lanes = browser.number("document.querySelectorAll('svg text.name').length");
        assert!(lanes >= 1.0, "{name}");
        let count = |class: &str| format!("document.querySelectorAll('svg rect.{class}').length");
        assert!(browser.number(&count("answered")) >= 3.0, "{name}");
        if *name == "stalled" {
            assert!(browser.number(&count("silent")) > 20.0, "{name}");
            assert!(browser.number(&count("shade")) == 3.0, "{name}");
        }
        let outside = "[...document.querySelectorAll('svg text, svg rect')].filter(one => { \
                       const box = one.getBBox(), view = one.ownerSVGElement.viewBox.baseVal; \
                       return box.x < -2 || box.y < -2 || box.x + box.width > view.width + 8 || \
                       box.y + box.height > view.height + 2 || box.height <= 0; }).length";
        assert_eq!(browser.number(outside), 0.0, "{name}");
        let overlapping = "(() => { const rows = {}; for (const one of document.querySelectorAll('svg text.label')) { \
                           const box = one.getBBox(); (rows[Math.round(box.y)] ??= []).push([box.x, box.x + box.width]); } \
                           return Object.values(rows).map(row => row.sort((a, b) => a[0] - b[0])) \
                           .map(row => row.filter((box, i) => i > 0 && box[0] < row[i - 1][1] - 8).length) \
                           .reduce((a, b) => a + b, 0); })()";
        assert_eq!(browser.number(overlapping), 0.0, "{name}: names of steps lie over each other");
    }
}

pub fn text_can_be_read_light_and_dark(browser: &mut Browser) {
    let (_folder, pages) = pages();
    // Contrast as the Web Content Accessibility Guidelines reckon it, of an element's text against what is behind it.
    let contrast = "(one) => { const rgb = (text) => text.match(/[\\d.]+/g).map(Number); \
                    const light = (text) => { const [r, g, b] = rgb(text).map(v => { v /= 255; \
                    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; }; \
                    let behind = one; while (rgb(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement; \
                    const pair = [light(getComputedStyle(one).color), light(getComputedStyle(behind).backgroundColor)].sort((a, b) => b - a); \
                    return (pair[0] + 0.05) / (pair[1] + 0.05); }";
    let mut behind = Vec::new();
    for scheme in ["light", "dark"] {
        browser.pretend("screen", scheme);
        browser.show(&pages[0].1, DESK);
        for (of, least) in
            [("h1", 7.0), (".dim", 4.5), (".badge b", 4.5), ("summary", 4.5), ("footer p", 4.5)]
        {
            let asked = format!("({contrast})(document.querySelector('{of}'))");
            let found = browser.number(&asked);
            assert!(found >= least, "{of} has a contrast of {found}, {scheme}");
        }
        behind.push(browser.value("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(behind.first(), behind.last());
}

pub fn a_link_to_an_attempt_unfolds_it(browser: &mut Browser) {
    let (_folder, pages) = pages();
    let (_, page) = pages.iter().find(|(name, _)| *name == "plain").expect("the page");
    browser.show(page, DESK);
    let last = "[...document.querySelectorAll('.attempts > li')].at(-1)";
    assert_eq!(browser.value(&format!("{last}.closest('details').open")), false);
    browser.value(&format!("location.hash = {last}.id"));
    assert_eq!(browser.value(&format!("{last}.closest('details').open")), true);
    assert_eq!(browser.value(&format!("{last}.matches(':target')")), true);
}

pub fn it_is_a_picture_and_prints(browser: &mut Browser) {
    let (_folder, pages) = pages();
    let (_, page) = pages.iter().find(|(name, _)| *name == "stalled").expect("the page");
    browser.pretend("screen", "light");
    browser.show(page, DESK);
    let bytes = |answer: &serde_json::Value| {
        BASE64_STANDARD.decode(answer["data"].as_str().expect("data")).expect("base64")
    };
    let shot = browser.call("Page.captureScreenshot", json!({"format": "png"}));
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes(&shot)));
    let mut reader = decoder.read_info().expect("a picture");
    let mut pixels = vec![0; reader.output_buffer_size().expect("its size")];
    let frame = reader.next_frame(&mut pixels).expect("its pixels");
    assert_eq!((frame.width, frame.height), (DESK, 900));
    let size = frame.color_type.samples();
    let mut colours: BTreeMap<&[u8], usize> = BTreeMap::new();
    for pixel in pixels.chunks_exact(size) {
        *colours.entry(&pixel[..3]).or_default() += 1;
    }
    let most = colours.values().max().copied().unwrap_or(0);
    assert!(colours.len() > 100, "{} colours", colours.len());
    assert!(most * 100 < pixels.len() / size * 90, "nearly blank");
    // Marks of SYNs without an answer, and of those with one.
    for colour in [[0xd1, 0x34, 0x40], [0x2f, 0x7f, 0xd1]] {
        assert!(colours.get(&colour[..]).is_some_and(|count| *count > 200), "{colour:?}");
    }
    let paper = browser.call("Page.printToPDF", json!({}));
    assert!(bytes(&paper).starts_with(b"%PDF"));
}

pub fn no_script_of_a_name_runs(browser: &mut Browser) {
    let mut records = scenario("blog");
    let evil =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    for record in &mut records {
        match &mut record.body {
            Body::Header(header) => header.node = evil.into(),
            Body::Pod(seen) => seen.object.meta.name.insert_str(0, evil),
            Body::Connect(connect) => connect.comm = evil.into(),
            _ => {}
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evil.html");
    fs::write(&path, html::render(&explain(&records))).expect("a file");
    browser.show(&path, PHONE);
    assert_eq!(browser.number("document.scripts.length + document.images.length"), 0.0);
    assert_ne!(browser.value("document.title"), "owned");
    let wide = browser.number("document.documentElement.scrollWidth");
    assert!(wide <= f64::from(PHONE), "a long name makes the page {wide} wide");
    // Even a script that got in would not run.
    let smuggle = "{ const script = document.createElement('script'); script.textContent = 'document.title = \"owned\"'; \
                   document.body.append(script); document.title }";
    assert_ne!(browser.value(smuggle), "owned");
}
