//! `rollout top` on a terminal of its own: what it shows, and that the terminal is given back whatever ends it.
//! Comes in: connects, keys, signals. Goes out: what the terminal was written, and its settings afterwards.

use super::harness::rollout;
use super::space::Space;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Nothing else on the machine uses it; no port that a client is given, or it would meet itself.
const PORT: u16 = 27_125;
const PATIENCE: Duration = Duration::from_secs(60);
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// A terminal with the program on it.
struct Terminal {
    master: File,
    slave: File,
    child: Child,
    written: Receiver<Vec<u8>>,
    text: String,
    before: Termios,
}

impl Terminal {
    fn start() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let master = File::from(master);
        set_size(&master, 80, 24);
        let before = tcgetattr(&slave).unwrap();
        let copy = || slave.try_clone().unwrap();
        let child = Command::new(rollout())
            .args(["top", "--no-cluster", "--refresh", "100ms", "--port", &PORT.to_string()])
            .stdin(copy())
            .stdout(copy())
            .stderr(copy())
            .spawn()
            .unwrap();
        let (sender, written) = channel();
        let mut reader = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose other end is closed answers with EIO.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { master, slave, child, written, text: String::new(), before }
    }

    fn wait(&mut self, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.text.contains(what) {
            assert!(Instant::now() < end, "no `{what}` in {:?}", self.text);
            self.read(Duration::from_millis(50));
        }
    }

    fn read(&mut self, wait: Duration) {
        if let Ok(bytes) = self.written.recv_timeout(wait) {
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Until it has ended and all is read.
    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end: {:?}", self.text);
            self.read(Duration::from_millis(50));
        };
        self.read(Duration::from_millis(200));
        while let Ok(bytes) = self.written.try_recv() {
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
        status
    }

    fn assert_given_back(&self, how: &str) {
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(format!("{:?}", self.before), format!("{after:?}"), "after {how}");
        let (_, last) = self.text.rsplit_once(LEAVE).expect(how);
        assert!(!last.contains("\x1b[?1049h"), "after {how}: {last:?}");
        assert!(last.contains("\r\n"), "lines end as they should after {how}: {last:?}");
        assert!(self.text.contains(SHOW_CURSOR), "after {how}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless an assertion failed.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn set_size(master: &File, columns: u16, lines: u16) {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).unwrap();
}

pub fn a_full_screen_shows_events_follows_its_size_and_ends_with_q() {
    let _space = Space::enter();
    let mut terminal = Terminal::start();
    terminal.wait("EVENTS");
    assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
    terminal.wait("ECONNREFUSED");
    terminal.text.clear();
    set_size(&terminal.master, 30, 5);
    terminal.signal(Signal::WINCH);
    terminal.wait("small:");
    set_size(&terminal.master, 100, 30);
    terminal.signal(Signal::WINCH);
    terminal.wait("ECONNREFUSED");
    terminal.press("p");
    terminal.wait("PAUSED,");
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0), "{:?}", terminal.text);
    terminal.assert_given_back("q");
    let (_, last) = terminal.text.rsplit_once(LEAVE).unwrap();
    assert!(last.contains("none lost"), "it tells what was lost at the end: {last:?}");
}

pub fn whatever_ends_it_the_terminal_is_given_back() {
    let _space = Space::enter();
    let signals = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
    for signal in signals.map(Some).into_iter().chain([None]) {
        let mut terminal = Terminal::start();
        terminal.wait("EVENTS");
        match signal {
            Some(signal) => terminal.signal(signal),
            None => terminal.press("\x03"),
        }
        assert_eq!(terminal.end().code(), Some(0), "{signal:?}: {:?}", terminal.text);
        terminal.assert_given_back(&format!("{signal:?}"));
    }
}

/// A terminal that takes nothing more holds neither the trace up nor its end.
pub fn a_terminal_that_is_not_read_does_not_keep_it_from_ending() {
    let _space = Space::enter();
    let mut terminal = Terminal::start();
    terminal.wait("EVENTS");
    // From here on nobody reads: the reader's next piece finds no receiver.
    let (_, nothing) = channel();
    drop(std::mem::replace(&mut terminal.written, nothing));
    // Each size is a picture of its own, of which the kernel's buffer holds only a few.
    for lines in 100..140 {
        set_size(&terminal.master, 300, lines);
        terminal.signal(Signal::WINCH);
        assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
        std::thread::sleep(Duration::from_millis(50));
    }
    let begun = Instant::now();
    terminal.signal(Signal::TERM);
    terminal.end();
    assert!(begun.elapsed() < PATIENCE / 2);
    let after = tcgetattr(&terminal.slave).unwrap();
    assert_eq!(format!("{:?}", terminal.before), format!("{after:?}"));
}
