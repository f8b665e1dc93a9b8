//! The API server's clock against this node's: without it a timestamp of the API says little to a second.
//!
//! In: the `Date` of small answers, spread over a second. Out: bounds on how far the server is ahead.

use super::Timing;
use crate::record::meta::ServerClock;
use kube::client::Body;
use std::time::Duration;

/// Answers per measurement.
const SAMPLES: u32 = 12;
/// Between them: eleven pauses cover a little more than a second, so that one answer falls near its beginning.
const PAUSE: Duration = Duration::from_millis(93);
const SECOND_NS: i64 = 1_000_000_000;

/// One answer: this node's Unix time before and after it, and the server's whole second in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    asked_ns: i64,
    answered_ns: i64,
    server_second: i64,
}

impl Sample {
    /// The server's time lay in its second at some moment between question and answer.
    fn bounds(self) -> (i64, i64) {
        let second_ns = self.server_second.saturating_mul(SECOND_NS);
        let least = second_ns.saturating_sub(self.answered_ns);
        let most = second_ns.saturating_add(SECOND_NS).saturating_sub(self.asked_ns);
        (least, most)
    }
}

/// What all samples agree on. Where they do not (a step in between, several servers behind one address), everything
/// that any of them allows.
fn bounds(samples: &[Sample]) -> Option<ServerClock> {
    let all: Vec<(i64, i64)> = samples.iter().map(|sample| sample.bounds()).collect();
    let least = all.iter().map(|(least, _)| *least);
    let most = all.iter().map(|(_, most)| *most);
    let (inner_least, inner_most) = (least.clone().max()?, most.clone().min()?);
    let (at_least, at_most) = if inner_least <= inner_most {
        (inner_least, inner_most)
    } else {
        (least.min()?, most.max()?)
    };
    Some(ServerClock { ahead_at_least_ns: at_least, ahead_at_most_ns: at_most })
}

/// Measures; takes about a second. `None` where no answer has a readable date.
pub(crate) async fn measure(client: &kube::Client, timing: &Timing) -> Option<ServerClock> {
    let mut samples = Vec::new();
    for number in 0..SAMPLES {
        if number > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        samples.extend(sample(client, timing).await);
    }
    bounds(&samples)
}

async fn sample(client: &kube::Client, timing: &Timing) -> Option<Sample> {
    let request = http::Request::get("/version").body(Body::empty()).ok()?;
    let asked_ns = unix_ns();
    let answer = tokio::time::timeout(timing.answer, client.send(request)).await.ok()?.ok()?;
    let answered_ns = unix_ns();
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?.to_owned();
    // Read to the end, so that the connection can be used again.
    let _ = tokio::time::timeout(timing.answer, answer.into_body().collect_bytes()).await;
    let server_second = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&date).ok()?;
    Some(Sample { asked_ns, answered_ns, server_second: server_second.as_second() })
}

fn unix_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec.saturating_mul(SECOND_NS).saturating_add(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that is `ahead_ns` ahead, asked at `asked_ms` with 2 ms each way.
    fn asked(asked_ms: i64, ahead_ns: i64) -> Sample {
        let asked_ns = asked_ms * 1_000_000;
        let server_ns = asked_ns + 2_000_000 + ahead_ns;
        let server_second = server_ns.div_euclid(SECOND_NS);
        Sample { asked_ns, answered_ns: asked_ns + 4_000_000, server_second }
    }

    #[test]
    fn one_answer_says_it_to_a_second_and_many_to_a_fraction() {
        for ahead_ns in [0, 700_000_000, -700_000_000, 5_300_000_000, -90_000_000_001] {
            let samples: Vec<_> = (0..12).map(|n| asked(100_000 + n * 93, ahead_ns)).collect();
            for length in [1, 12] {
                let clock = bounds(&samples[..length]).unwrap();
                assert!((clock.ahead_at_least_ns..=clock.ahead_at_most_ns).contains(&ahead_ns));
                let width = clock.ahead_at_most_ns - clock.ahead_at_least_ns;
                let limit = if length == 1 { SECOND_NS + 4_000_000 } else { 101_000_000 };
                assert!(width <= limit, "{length} samples: {width}");
            }
        }
    }

    #[test]
    fn servers_that_disagree_widen_the_answer() {
        let clock = bounds(&[asked(100_000, 0), asked(100_100, 30_000_000_000)]).unwrap();
        assert!(clock.ahead_at_least_ns <= 0 && clock.ahead_at_most_ns >= 30_000_000_000);
    }

    #[test]
    fn no_answer_is_no_measurement() {
        assert_eq!(bounds(&[]), None);
    }

    #[test]
    fn absurd_dates_do_not_overflow() {
        let sample = Sample { asked_ns: i64::MAX, answered_ns: i64::MAX, server_second: i64::MIN };
        assert!(bounds(&[sample]).is_some());
    }
}
