//! Polls the guest's IPVS table and clocks: an independent witness of what kube-proxy did. Comes in: the virtual
//! server, the pause between polls. Goes out: a JSON line for each poll: `monotonic_ns`, `unix_ns` (both read
//! just before), `destinations` (weight by address). Ends when its standard input does.
//! Usage: `poll ADDRESS:PORT MILLISECONDS`.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, json};
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    let [server, pause] = words.as_slice() else {
        return Err("usage: poll ADDRESS:PORT MILLISECONDS".into());
    };
    let pause = Duration::from_millis(pause.parse()?);
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        // Nothing is expected on it: whatever ends it ends the poll.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        told.store(true, Ordering::SeqCst);
    });
    while !stop.load(Ordering::SeqCst) {
        let (monotonic_ns, unix_ns) = (clock(ClockId::Monotonic), clock(ClockId::Realtime));
        let output = Command::new("ipvsadm").args(["-Ln", "-t", server]).output()?;
        let destinations = destinations(&String::from_utf8_lossy(&output.stdout));
        let line = json!({
            "monotonic_ns": monotonic_ns,
            "unix_ns": unix_ns,
            "destinations": destinations,
        });
        writeln!(io::stdout().lock(), "{line}")?;
        std::thread::sleep(pause);
    }
    Ok(())
}

fn clock(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Weight by address, from lines `-> ADDRESS FORWARD WEIGHT …`; the head has words where those have numbers.
fn destinations(text: &str) -> Map<String, serde_json::Value> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.trim().strip_prefix("-> ")?.split_whitespace();
            let (address, weight) = (words.next()?, words.nth(1)?.parse::<u32>().ok()?);
            Some((address.to_owned(), weight.into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_and_weights_are_read() {
        let text = "Prot LocalAddress:Port Scheduler Flags\n\
            \x20 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
            TCP  10.101.102.33:8000 rr\n\
            \x20 -> 10.102.0.5:8000              Masq    0      0          3\n\
            \x20 -> 10.102.0.6:8000              Masq    1      1          0\n";
        let expected = json!({"10.102.0.5:8000": 0, "10.102.0.6:8000": 1});
        assert_eq!(serde_json::Value::from(destinations(text)), expected);
        assert!(destinations("").is_empty());
    }
}
