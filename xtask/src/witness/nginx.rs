//! nginx's log: each request that was not 200 or took over a second matches one traced attempt, and the other way round.
//!
//! In: the access log, one JSON object a line: `msec` (end of the request, Unix seconds), `request_time`, `status`,
//! `upstream_connect_time` (`-` where there was none), `upstream_peer` (the client's end as the server saw it).
//! Out: statements.

use super::statement::Comparison;
use super::syns::{Said, SaidAttempt};
use anyhow::Context;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;

/// nginx's times are milliseconds, its clock reads are cached for one event loop, and its end of a request comes later.
/// An emulated guest may be descheduled in between.
const SLACK_NS: i64 = 200_000_000;
const SLOW_SECONDS: f64 = 1.0;

#[derive(Debug, Clone, PartialEq)]
struct Request {
    begin_ns: i64,
    end_ns: i64,
    troubled: bool,
    /// Nothing was established: not 200, and no answer.
    refused: bool,
    /// No connection was made, or not within a second: the attempt must have gone badly.
    connect_troubled: bool,
    /// The client's end of the connection, as the server saw it.
    peer: Option<SocketAddr>,
}

/// Reads the log and states whether both sides match.
///
/// # Errors
/// When the log cannot be read.
pub fn compare(comparison: &mut Comparison, said: &Said, path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut requests: Vec<Request> = text.lines().filter_map(request).collect();
    requests.sort_by_key(|request| request.begin_ns);
    let (from, to) = (said.span.0 + 1_000_000_000, said.span.1 - 1_000_000_000);
    let inside = |begin: i64, end: i64| begin >= from && end <= to;
    let mut free: Vec<&SaidAttempt> = said.attempts.iter().collect();
    // Answered requests name their connection; the others have to make do with what is left.
    let (answered, silent): (Vec<&Request>, Vec<_>) =
        requests.iter().partition(|request| request.peer.is_some());
    let (mut troubled, mut matched) = (0, 0);
    for request in answered.into_iter().chain(silent) {
        let attempt = best(request, &free).map(|index| free.remove(index));
        if request.troubled && inside(request.begin_ns, request.end_ns) {
            troubled += 1;
            let fits = |attempt: &SaidAttempt| attempt.troubled || !request.connect_troubled;
            matched += usize::from(attempt.is_some_and(fits));
        }
    }
    let left: Vec<_> = free
        .iter()
        .filter(|attempt| attempt.troubled && inside(attempt.unix_ns, end_of(attempt)))
        .collect();
    comparison.state(
        "nginx: requests not 200 or over 1 s, each with its attempt",
        format!("{troubled} requests"),
        format!("{matched} matched"),
        matched == troubled,
    );
    comparison.equal("failed or slowed attempts that nginx does not know", 0, left.len());
    Ok(())
}

fn request(line: &str) -> Option<Request> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| match value.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let (end, took) = (number("msec")?, number("request_time")?);
    let status = number("status")? as u64;
    Some(Request {
        begin_ns: ((end - took) * 1e9) as i64,
        end_ns: (end * 1e9) as i64,
        troubled: status != 200 || took > SLOW_SECONDS,
        refused: status != 200 && number("upstream_connect_time").is_none(),
        connect_troubled: match number("upstream_connect_time") {
            Some(took) => took > SLOW_SECONDS,
            None => status != 200,
        },
        peer: value["upstream_peer"].as_str().and_then(|peer| peer.parse().ok()),
    })
}

fn end_of(attempt: &SaidAttempt) -> i64 {
    attempt.unix_ns + attempt.latency_ns.unwrap_or(0) as i64
}

/// The attempt inside the request with the client address that the server saw. Where it never answered: the earliest
/// that is left, which keeps requests and attempts in the same order; for one that came to nothing, a troubled one.
fn best(request: &Request, free: &[&SaidAttempt]) -> Option<usize> {
    free.iter()
        .enumerate()
        .filter(|(_, attempt)| request.peer.is_none() || attempt.client == request.peer)
        .filter(|(_, attempt)| {
            attempt.unix_ns >= request.begin_ns - SLACK_NS
                && end_of(attempt) <= request.end_ns + SLACK_NS
        })
        .min_by_key(|(_, attempt)| (request.refused && !attempt.troubled, attempt.unix_ns))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(unix_ms: i64, latency_ms: u64, troubled: bool) -> SaidAttempt {
        SaidAttempt {
            client: None,
            destination: "10.101.0.1:8000".parse().expect("an address"),
            unix_ns: unix_ms * 1_000_000,
            latency_ns: Some(latency_ms * 1_000_000),
            troubled,
            syns: Vec::new(),
        }
    }

    fn statements(attempts: Vec<SaidAttempt>, log: &str) -> anyhow::Result<Vec<bool>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("log");
        std::fs::write(&path, log)?;
        let said = Said { attempts, span: (0, 100_000_000_000) };
        let mut comparison = Comparison::default();
        compare(&mut comparison, &said, &path)?;
        Ok(comparison.statements.iter().map(|statement| statement.holds).collect())
    }

    const SLOW: &str = r#"{"msec":"12.100","request_time":"2.050","status":"200","upstream_connect_time":"2.040"}"#;
    const BAD: &str =
        r#"{"msec":"20.000","request_time":"0.004","status":"502","upstream_connect_time":"-"}"#;
    const GOOD: &str = r#"{"msec":"11.000","request_time":"0.004","status":"200","upstream_connect_time":"0.001"}"#;

    #[test]
    fn both_sides_must_match() -> anyhow::Result<()> {
        let log = [SLOW, BAD, GOOD].join("\n");
        let slow = || attempt(10_052, 2_041, true);
        let bad = || attempt(19_997, 1, true);
        let good = || attempt(10_997, 1, false);
        assert_eq!(statements(vec![slow(), bad(), good()], &log)?, [true, true]);
        assert_eq!(statements(vec![slow(), good()], &log)?, [false, true]);
        let mut other = slow();
        other.client = Some("10.0.0.9:4000".parse()?);
        let named = SLOW.replace('}', r#","upstream_peer":"10.0.0.9:4001"}"#);
        assert_eq!(statements(vec![other.clone()], &named)?, [false, false]);
        other.client = Some("10.0.0.9:4001".parse()?);
        assert_eq!(statements(vec![other], &named)?, [true, true]);
        let more = attempt(30_000, 1, true);
        assert_eq!(statements(vec![slow(), bad(), good(), more], &log)?, [true, false]);
        Ok(())
    }
}
