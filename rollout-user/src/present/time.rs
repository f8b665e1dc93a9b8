//! Times and durations for people: RFC 3339 with milliseconds, offsets, durations with three digits.
//!
//! In: nanoseconds. Out: short text of stable width where columns need it.

use crate::analyse::report::Moment;
pub use crate::analyse::report::duration::duration;
use jiff::Timestamp;

/// RFC 3339 in UTC with milliseconds, rounded down; `None` where the wall clock is not known or out of range.
pub fn rfc3339(moment: &Moment) -> Option<String> {
    let time = Timestamp::from_nanosecond(i128::from(moment.unix_ns?)).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// The wall clock, else the monotonic one (`@12.345 s`).
pub fn absolute(moment: &Moment) -> String {
    rfc3339(moment).unwrap_or_else(|| format!("@{}", seconds(i128::from(moment.time_ns), false)))
}

/// Offset from the update's start (`+3.098 s`), else the wall clock.
pub fn offset(moment: &Moment) -> String {
    match moment.offset_ns {
        Some(ns) => seconds(i128::from(ns), true),
        None => absolute(moment),
    }
}

/// Seconds with milliseconds, rounded down.
fn seconds(ns: i128, signed: bool) -> String {
    let ms = ns.div_euclid(1_000_000);
    let sign = match (ms < 0, signed) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    format!("{sign}{}.{:03} s", ms.abs() / 1000, ms.abs() % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        let at = |unix_ns| Moment { time_ns: 1_234_567_890, unix_ns, offset_ns: Some(-1_500_001) };
        assert_eq!(absolute(&at(Some(1_700_000_000_123_456_789))), "2023-11-14T22:13:20.123Z");
        assert_eq!(absolute(&at(None)), "@1.234 s");
        assert_eq!(absolute(&at(Some(-1))), "1969-12-31T23:59:59.999Z");
        assert_eq!(offset(&at(None)), "-0.002 s");
    }

    #[test]
    fn durations_have_about_three_digits() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ns"),
            (40_123, "40 µs"),
            (40_123_000, "40.1 ms"),
            (112_999_999, "112 ms"),
            (1_021_000_000, "1.02 s"),
            (28_250_000_000, "28.2 s"),
            (200_000_000_000, "3 min 20 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
    }
}
