//! Plays records up to a moment and takes a picture. In: records, keys, a size. Out: text of the screen.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use rollout::record::Record;
use rollout::recording::read::Reader;
use rollout::top::draw::{Look, draw};
use rollout::top::state::{Setting, Top};
use rollout::top::ui::{Key, Outcome, Ui};
use rollout::top::view::View;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const SECOND_NS: u64 = 1_000_000_000;
/// As the command has it by default.
pub const WINDOW_NS: u64 = SECOND_NS / 2;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The records of a made update.
pub fn scenario(name: &str) -> Vec<Record> {
    let text = std::fs::read_to_string(file(&format!("scenarios/{name}.jsonl"))).expect("a file");
    let mut records: Vec<Record> =
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    // As they would have arrived.
    records.sort_by_key(|record| (record.time_ns, record.id));
    records
}

/// The records of a real update.
pub fn recording(name: &str) -> Vec<Record> {
    let path = file(&format!("recordings/{name}.jsonl.zst"));
    Reader::open(&path).expect("a recording").collect()
}

pub fn setting() -> Setting {
    let cluster = Some("lab".to_owned());
    Setting { cluster, reorder_window_ns: WINDOW_NS, ..Setting::default() }
}

/// What was known so long after the first record.
pub struct Moment {
    pub top: Top,
    pub now_ns: u64,
}

impl Moment {
    /// Gives the records of that time, a second at once, as a running screen takes them.
    pub fn of(records: &[Record], after_ns: u64, setting: Setting) -> Moment {
        let begun_ns = records.first().expect("a record").time_ns;
        let mut moment = Moment { top: Top::new(setting), now_ns: begun_ns };
        moment.go_on(records, after_ns);
        moment
    }

    /// Gives those of the time that follows.
    pub fn go_on(&mut self, records: &[Record], for_ns: u64) {
        let (from_ns, until_ns) = (self.now_ns, self.now_ns + for_ns);
        let first = records.first().expect("a record").id;
        let mut refreshed_ns = from_ns;
        for record in records {
            let is_new =
                record.time_ns > from_ns || (record.id == first && from_ns == record.time_ns);
            if !is_new || record.time_ns > until_ns {
                continue;
            }
            if record.time_ns >= refreshed_ns + SECOND_NS {
                refreshed_ns = record.time_ns;
                self.top.advance(refreshed_ns, 0);
                self.top.view(refreshed_ns);
            }
            self.top.observe(&Arc::new(record.clone()));
        }
        self.now_ns = until_ns;
        self.top.advance(until_ns, 0);
    }

    pub fn view(&mut self) -> View {
        self.top.view(self.now_ns)
    }

    /// The screen after these keys.
    pub fn screen(&mut self, keys: &[Key], size: (u16, u16)) -> String {
        let mut ui = Ui::default();
        press(&mut ui, keys);
        text(&picture(&self.view(), &mut ui, false, size))
    }
}

pub fn press(ui: &mut Ui, keys: &[Key]) {
    for key in keys {
        assert_eq!(ui.press(*key), Outcome::Stay);
    }
}

/// The cells of a screen.
pub fn picture(view: &View, ui: &mut Ui, color: bool, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let look = Look { color };
    let drawn = terminal.draw(|frame| draw(view, ui, look, frame.area(), frame.buffer_mut()));
    drawn.expect("a picture");
    terminal.backend().buffer().clone()
}

/// Its characters.
pub fn text(picture: &Buffer) -> String {
    let width = usize::from(picture.area.width).max(1);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    };
    picture.content.chunks(width).map(line).collect()
}

/// Compares with `tests/snapshots/NAME.snap`.
pub fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
