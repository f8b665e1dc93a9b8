//! Runs commands in the lab's guest. Comes in: connections of the command channel. Goes out: what the commands
//! write, and their exit codes. When a connection breaks, its command is ended: SIGINT, SIGTERM, SIGKILL.
//! Usage: `lab-agent PORT`.

#[path = "../lab/channel.rs"]
mod channel;

use channel::Kind;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Signals for a command whose caller is gone, and the time that each may take to work.
const LADDER: [(Signal, u64); 3] = [(Signal::INT, 5), (Signal::TERM, 5), (Signal::KILL, 0)];

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|word| word.parse::<u16>().ok());
    let Some(port) = port else {
        eprintln!("usage: lab-agent PORT");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: failed to listen on port {port}: {error}");
            return ExitCode::from(2);
        }
    };
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            if let Err(error) = serve(&stream) {
                eprintln!("error: {error}");
            }
        });
    }
    ExitCode::SUCCESS
}

type Shared = Arc<Mutex<TcpStream>>;

fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut from = stream.try_clone()?;
    let to: Shared = Arc::new(Mutex::new(stream.try_clone()?));
    let Some((Kind::Command, words)) = channel::read(&mut from)? else {
        return Err(io::Error::other("the connection did not begin with a command"));
    };
    let mut child = match spawn(&words) {
        Ok(child) => child,
        Err(error) => {
            send(&to, Kind::Error, format!("error: failed to start: {error}\n").as_bytes())?;
            return send(&to, Kind::Exit, &127_i32.to_be_bytes());
        }
    };
    let ended = Arc::new(AtomicBool::new(false));
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let input = child.stdin.take();
    let over = Arc::clone(&ended);
    std::thread::spawn(move || {
        feed(&mut from, input);
        end(group, &over);
    });
    let out = copy(child.stdout.take(), Kind::Output, &to);
    let err = copy(child.stderr.take(), Kind::Error, &to);
    let status = child.wait()?;
    // Once waited for, the group's id may belong to somebody else.
    ended.store(true, Ordering::SeqCst);
    for thread in [out, err] {
        // A reader that panicked has nothing more to send.
        let _ = thread.join();
    }
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(255);
    send(&to, Kind::Exit, &code.to_be_bytes())
}

fn spawn(words: &[u8]) -> io::Result<Child> {
    let words: Vec<String> = serde_json::from_slice(words)?;
    let (program, arguments) =
        words.split_first().ok_or_else(|| io::Error::other("an empty command"))?;
    Command::new(program)
        .args(arguments)
        .env("HOME", "/root")
        .env("PATH", "/lab:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/root")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Passes input on until the connection ends.
fn feed(from: &mut TcpStream, mut input: Option<impl Write>) {
    while let Ok(Some((kind, bytes))) = channel::read(from) {
        if kind != Kind::Input {
            return;
        }
        let accepted = input.as_mut().is_some_and(|pipe| pipe.write_all(&bytes).is_ok());
        if bytes.is_empty() || !accepted {
            input = None;
        }
    }
}

/// Ends a command that nobody listens to any more.
fn end(group: Option<Pid>, ended: &AtomicBool) {
    for (signal, seconds) in LADDER {
        let Some(group) = group.filter(|_| !ended.load(Ordering::SeqCst)) else { return };
        // The group may be gone by now, which is what is wanted.
        let _ = kill_process_group(group, signal);
        for _ in 0..seconds * 20 {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn copy(
    from: Option<impl Read + Send + 'static>,
    kind: Kind,
    to: &Shared,
) -> std::thread::JoinHandle<()> {
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; channel::LARGEST];
        while let Ok(count) = from.read(&mut buffer) {
            let part = buffer.get(..count).unwrap_or_default();
            if part.is_empty() || send(&to, kind, part).is_err() {
                return;
            }
        }
    })
}

fn send(to: &Shared, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
    channel::write(&mut *to, kind, bytes)
}
