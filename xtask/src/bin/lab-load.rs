//! Steady load from outside the lab's cluster. Sends request after request at a fixed rate, each on a connection
//! of its own, and logs every one as a JSON line: `n`, `sent_ns` (CLOCK_REALTIME), `latency_ns`, `status` and
//! `version` or `error`. Ends when its standard input does, after the last answer.
//! Usage: `lab-load ADDRESS REQUESTS_PER_SECOND FILE`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A request that takes longer is given up. It is longer than the proxy's own limits.
const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [address, rate, file] = words.as_slice() else {
        return Err("usage: lab-load ADDRESS REQUESTS_PER_SECOND FILE".into());
    };
    let address: SocketAddr = address.parse()?;
    let pause = Duration::try_from_secs_f64(1.0 / rate.parse::<f64>()?)?;
    let log = Arc::new(Mutex::new(File::create(file)?));
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        // Nothing is expected on it: whatever ends it ends the load.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        told.store(true, Ordering::SeqCst);
    });
    let mut open = Vec::new();
    let mut next = Instant::now();
    let mut n = 0_u64;
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        next += pause;
        n += 1;
        let log = Arc::clone(&log);
        open.push(std::thread::Builder::new().stack_size(128 * 1024).spawn(move || {
            let line = request(address, n);
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(log, "{line}")
        })?);
        open.retain(|thread| !thread.is_finished());
    }
    for thread in open {
        thread.join().map_err(|_| "a request panicked")??;
    }
    Ok(())
}

fn request(address: SocketAddr, n: u64) -> serde_json::Value {
    let sent = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = Instant::now();
    let result = exchange(address, n);
    let latency_ns = start.elapsed().as_nanos();
    let mut line = serde_json::json!({
        "n": n,
        "sent_ns": u64::try_from(sent.as_nanos()).unwrap_or(u64::MAX),
        "latency_ns": u64::try_from(latency_ns).unwrap_or(u64::MAX),
    });
    match result {
        Ok((status, version)) => {
            line["status"] = status.into();
            line["version"] = version.into();
        }
        Err(error) => line["error"] = error.to_string().into(),
    }
    line
}

fn exchange(address: SocketAddr, n: u64) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET /?n={n} HTTP/1.0\r\nHost: gateway\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no HTTP answer"))?;
    let mut rest = String::new();
    reader.read_to_string(&mut rest)?;
    let body = rest.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let version = if status == 200 { body.trim().to_owned() } else { String::new() };
    Ok((status, version))
}
