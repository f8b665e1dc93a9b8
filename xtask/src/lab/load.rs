//! Steady load from outside the cluster, and whether the time before the update was clean.
//! Comes in: a rate and a file. Goes out: a running generator, and the requests that it logged.

use super::place::{self, LOAD_PORT};
use super::programs::Programs;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A request that took longer makes a baseline dirty.
const SLOW_NS: u64 = 1_000_000_000;

/// A request as the generator logged it.
#[derive(Deserialize, Debug)]
pub struct Request {
    /// Counts from 1.
    pub n: u64,
    /// Until the whole answer, or the error.
    pub latency_ns: u64,
    /// HTTP status.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Request {
    /// Whether it was not answered with 200 within a second.
    pub fn is_bad(&self) -> bool {
        self.status != Some(200) || self.latency_ns > SLOW_NS
    }
}

/// The running generator. Dropping it ends it.
pub struct Load {
    child: Child,
    rate: f64,
    start: Instant,
}

impl Load {
    /// Starts it inside the namespace, towards the node port of `gateway`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(programs: &Programs, rate: f64, log: &Path) -> Result<Self> {
        let mut command = place::inside(programs.path("lab-load"));
        command.arg(format!("127.0.0.1:{LOAD_PORT}")).arg(rate.to_string()).arg(log);
        let child = command.stdin(Stdio::piped()).spawn().context("failed to start the load")?;
        Ok(Self { child, rate, start: Instant::now() })
    }

    /// How many requests must have been answered by now, at the latest those sent [`SLOW_NS`] ago.
    pub fn due(&self) -> u64 {
        let ago = self.start.elapsed().saturating_sub(Duration::from_nanos(SLOW_NS));
        // Half a second of grace for the generator's own start.
        ((ago.as_secs_f64() - 0.5).max(0.0) * self.rate) as u64
    }

    /// Tells it to stop and waits for the last answers.
    ///
    /// # Errors
    /// When it failed.
    pub fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the load ended with {status}");
        }
        Ok(())
    }
}

/// The requests logged so far; a line that is being written is left for later.
///
/// # Errors
/// When the log cannot be read.
pub fn read(log: &Path) -> Result<Vec<Request>> {
    let text = fs::read_to_string(log)?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).context("the load's log is damaged"))
        .collect()
}

/// What made a baseline dirty; `None`: every request that was due was answered with 200 within a second.
pub fn dirt(requests: &[Request], due: u64) -> Option<String> {
    let done = requests.iter().filter(|request| request.n <= due).count() as u64;
    let bad = requests.iter().filter(|one| one.is_bad());
    let bad: Vec<_> = bad.collect();
    if let Some(first) = bad.first() {
        let what = first.error.clone().unwrap_or_else(|| format!("status {:?}", first.status));
        let ms = first.latency_ns / 1_000_000;
        return Some(format!(
            "{} of {} requests were not fine, the first (n={}): {what} after {ms} ms",
            bad.len(),
            requests.len(),
            first.n
        ));
    }
    (done < due).then(|| format!("{} of {due} requests had no answer after a second", due - done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(n: u64, ms: u64, status: Option<u16>) -> Request {
        Request { n, latency_ns: ms * 1_000_000, status, error: None }
    }

    #[test]
    fn only_quick_answers_with_200_are_clean() {
        let good = || vec![request(2, 30, Some(200)), request(1, 999, Some(200))];
        assert_eq!(dirt(&good(), 2), None);
        for bad in [request(3, 1001, Some(200)), request(3, 5, Some(502)), request(3, 5, None)] {
            let mut requests = good();
            requests.push(bad);
            assert!(dirt(&requests, 2).is_some());
        }
    }

    #[test]
    fn requests_without_an_answer_are_not_clean() {
        assert!(dirt(&[request(1, 30, Some(200))], 2).is_some());
        assert!(dirt(&[], 1).is_some());
    }
}
