//! Durations in words, for sentences of the report.
//!
//! In: nanoseconds. Out: about three digits and a unit.

/// A duration with about three digits: `40.1 ms`, `1.02 s`, `3 min 20 s`.
pub fn duration(ns: u64) -> String {
    let tenths = |unit: u64| (ns / unit, ns % unit * 10 / unit);
    match ns {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..100_000_000 => {
            let (whole, part) = tenths(1_000_000);
            format!("{whole}.{part} ms")
        }
        100_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        1_000_000_000..10_000_000_000 => {
            format!("{}.{:02} s", ns / 1_000_000_000, ns % 1_000_000_000 / 10_000_000)
        }
        10_000_000_000..100_000_000_000 => {
            let (whole, part) = tenths(1_000_000_000);
            format!("{whole}.{part} s")
        }
        _ => format!("{} min {} s", ns / 60_000_000_000, ns / 1_000_000_000 % 60),
    }
}
