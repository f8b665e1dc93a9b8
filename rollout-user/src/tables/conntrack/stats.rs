//! How full the connection table is, and what it refused.
//!
//! In: a network namespace. Out: `ConntrackStats` whenever a number differs from the reading before, the first included.

use super::settings;
use crate::record::Body;
use crate::record::meta::{Loss, Stage};
use crate::record::table::ConntrackStats;
use crate::tables::netns::Namespace;
use crate::tables::worker::Worker;
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

/// As the thread sees them that has entered a namespace.
const FILE: &str = "/proc/thread-self/net/stat/nf_conntrack";
const PROC: &str = "/proc";

/// Reads now, then every `interval`, and once more when the worker is dropped. Where conntrack is not loaded there is
/// nothing to tell until it is.
///
/// # Errors
/// When the namespace cannot be entered, or the kernel has conntrack but not its statistics.
pub fn follow(namespace: Namespace, interval: Duration, inlet: Inlet) -> Result<Worker> {
    let mut last = read(&namespace)?;
    last.iter().for_each(|stats| inlet.push_now(Body::ConntrackStats(stats.clone())));
    Worker::start("rollout-table", move |stop| {
        let mut read_ns = monotonic_ns();
        loop {
            let goes_on = stop.sleep(interval);
            let now_ns = monotonic_ns();
            match read(&namespace) {
                Ok(now) => {
                    if let Some(stats) = now.as_ref().filter(|_| now != last) {
                        inlet.push_now(Body::ConntrackStats(stats.clone()));
                    }
                    last = now;
                    read_ns = now_ns;
                }
                Err(_) => inlet.push_now(Body::Loss(Loss {
                    stage: Stage::Table,
                    program: "conntrack_stats".to_owned(),
                    count: 0,
                    since_ns: read_ns,
                })),
            }
            if !goes_on {
                return;
            }
        }
    })
}

/// One reading; `None` where conntrack is not loaded.
///
/// # Errors
/// As [`follow`].
pub fn read(namespace: &Namespace) -> Result<Option<ConntrackStats>> {
    let (settings, text) =
        namespace.enter(|| (settings::read(Path::new(PROC)), std::fs::read_to_string(FILE)))?;
    let (Some(count), Some(max)) = (settings.entries, settings.limit) else { return Ok(None) };
    let text = text.with_context(|| format!("cannot read `{FILE}`"))?;
    let sum = |column| total(&text, column).with_context(|| format!("no `{column}` in `{FILE}`"));
    Ok(Some(ConntrackStats {
        netns: namespace.identify(),
        count: count.into(),
        max: max.into(),
        insert_failed: sum("insert_failed")?,
        drop: sum("drop")?,
        early_drop: sum("early_drop")?,
    }))
}

/// Sum of a column over all CPUs: a line of names, then a line of hexadecimal numbers for each.
fn total(text: &str, column: &str) -> Option<u64> {
    let mut lines = text.lines();
    let index = lines.next()?.split_ascii_whitespace().position(|name| name == column)?;
    let mut sum = None;
    for line in lines {
        let word = line.split_ascii_whitespace().nth(index)?;
        let number = u64::from_str_radix(word, 16).ok()?;
        sum = Some(number.saturating_add(sum.unwrap_or(0)));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "entries  clashres found insert_failed drop early_drop\n\
                        0000000a  00000000 00000000 000000ff 00000001 00000000\n\
                        0000000a  00000000 00000000 00000001 00000002 00000010\n";

    #[test]
    fn columns_are_found_by_name_and_summed_over_cpus() {
        let found = ["insert_failed", "drop", "early_drop"].map(|name| total(TEXT, name));
        assert_eq!(found, [Some(0x100), Some(3), Some(16)]);
    }

    #[test]
    fn a_column_that_is_missing_or_cut_is_not_zero() {
        assert_eq!(total(TEXT, "search_restart"), None);
        assert_eq!(total("drop\n", "drop"), None);
        assert_eq!(total("found drop\n00 01\n00\n", "drop"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[drop0-9a-f \n]{0,80}") {
            let _ = total(&text, "drop");
        }
    }
}
