//! The ways by which users reached the workload, where there are several.
//!
//! In: `ways_in`. Out: a line.

use super::words::number;
use crate::analyse::report::Report;
use crate::analyse::report::way_in::WayIn;
use crate::present::escape::name;

/// Ways that are named.
const NAMED: usize = 6;

/// What each Service and port had; `None` where there was but one way.
pub fn line(report: &Report) -> Option<String> {
    if report.ways_in.len() < 2 {
        return None;
    }
    let mut parts: Vec<String> = report.ways_in.iter().take(NAMED).map(words).collect();
    let more = report.ways_in.len().saturating_sub(NAMED);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    Some(format!("during the update: {}", parts.join("; ")))
}

fn words(way: &WayIn) -> String {
    let to = match (way.to_service, way.service.is_empty()) {
        (true, false) => format!("Service {}:{}", name(&way.service), way.port),
        (true, true) => format!("a Service's port {}", way.port),
        (false, _) => format!("pod addresses, port {}", way.port),
    };
    let mut text = format!("{to}: {}", number(way.attempts, "attempt"));
    if way.failed > 0 {
        text.push_str(&format!(", {} failed", way.failed));
    }
    if way.slowed > 0 {
        text.push_str(&format!(", {} slowed", way.slowed));
    }
    text
}
