//! The lab's web server behind the proxy: answers every request with its version. Told to stop, it is graceful:
//! it accepts what the kernel has already accepted for it, closes, answers what it has begun, and exits. Closing
//! with connections in the backlog would reset them (F7).
//!
//! Settings are environment variables: `VERSION`, `PORT`; `LINGER_MS`: goes on for so long after it was told to stop;
//! `STALL_MS`: accepts nothing for so long before it ends, as a server does that hangs in its shutdown;
//! `BACKLOG`: connections that the kernel may accept ahead; `ON_TERM`: `exit` ends at once, `ignore` goes on until it is
//! killed; `LATE_ANSWER_MS`: requests that begin after it was told to stop are not read for so long; `HEALTH_PORT`: answers there from
//! the start; `KEEP_ALIVE_MS`: keeps a connection open for so long after an answer; `LISTEN_LATE_MS`: listens on `PORT` so much later; `SLOW_START_MS`: for so long it accepts one connection each
//! half second.

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

/// A client that says nothing for this long is dropped.
const SILENCE: Duration = Duration::from_secs(10);
/// Between two connections while it starts slowly.
const SLOW: Duration = Duration::from_millis(500);
static STOPPING: AtomicBool = AtomicBool::new(false);
static TOLD: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn run() -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    let port = u16::try_from(number("PORT", 8000)).map_err(io::Error::other)?;
    answer_health()?;
    std::thread::sleep(Duration::from_millis(number("LISTEN_LATE_MS", 0)));
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    let backlog = i32::try_from(number("BACKLOG", 128)).map_err(io::Error::other)?;
    rustix::net::listen(&listener, backlog)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            TOLD.store(true, Ordering::SeqCst);
            match std::env::var("ON_TERM").as_deref() {
                Ok("exit") => std::process::exit(0),
                Ok("ignore") => return,
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(number("LINGER_MS", 0)));
            STOPPING.store(true, Ordering::SeqCst);
            // Wakes the accepting thread; this connection is never answered.
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        }
    });
    let (begun, rest) = mpsc::channel();
    let slow_until = Instant::now() + Duration::from_millis(number("SLOW_START_MS", 0));
    while !STOPPING.load(Ordering::SeqCst) {
        let (stream, peer) = listener.accept()?;
        answer_apart(stream, peer, &begun);
        if Instant::now() < slow_until {
            std::thread::sleep(SLOW);
        }
    }
    std::thread::sleep(Duration::from_millis(number("STALL_MS", 0)));
    listener.set_nonblocking(true)?;
    while let Ok((stream, peer)) = listener.accept() {
        stream.set_nonblocking(false)?;
        answer_apart(stream, peer, &begun);
    }
    drop(listener);
    println!("closed");
    drop(begun);
    let end = Instant::now() + SILENCE;
    // Ends when every thread has dropped its sender.
    while rest.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    println!("drained");
    Ok(())
}

/// Says on a port of its own that the process runs, whatever becomes of the other one.
fn answer_health() -> io::Result<()> {
    let port = u16::try_from(number("HEALTH_PORT", 0)).map_err(io::Error::other)?;
    if port == 0 {
        return Ok(());
    }
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(peer) = stream.peer_addr() {
                // A prober that goes away in the middle asks again.
                let _ = answer(stream, peer);
            }
        }
    });
    Ok(())
}

fn answer_apart(stream: TcpStream, peer: SocketAddr, begun: &Sender<()>) {
    let begun = begun.clone();
    std::thread::spawn(move || {
        // A client that goes away in the middle is its own loss.
        let _ = answer(stream, peer);
        drop(begun);
    });
}

fn answer(mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    // Before anything is read: a connection that is closed with unread data ends with RST, as one of a server does that
    // is killed while its requests wait.
    if TOLD.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(number("LATE_ANSWER_MS", 0)));
    }
    let keep = number("KEEP_ALIVE_MS", 0);
    stream.set_read_timeout(Some(SILENCE))?;
    while read_request(&mut stream)? {
        respond(&mut stream, peer, keep > 0)?;
        if keep == 0 {
            break;
        }
        stream.set_read_timeout(Some(Duration::from_millis(keep)))?;
    }
    Ok(())
}

/// Reads one request; false where the client has closed.
fn read_request(stream: &mut TcpStream) -> io::Result<bool> {
    let mut request = Vec::new();
    let mut part = [0; 2048];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16384 {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Ok(false);
        }
        request.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    Ok(true)
}

fn respond(stream: &mut TcpStream, peer: SocketAddr, keep: bool) -> io::Result<()> {
    let version = std::env::var("VERSION").unwrap_or_default();
    let body = format!("{version}\n");
    let length = body.len();
    let connection = if keep { "keep-alive" } else { "close" };
    // The proxy logs the peer: it ties a request to the connection that carried it.
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Peer: {peer}\r\nConnection: {connection}\r\n\r\n{body}"
    )
}
