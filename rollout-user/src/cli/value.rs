//! Values on the command line: durations, sizes, workloads. Pure parsers whose errors say what is accepted.

use crate::record::meta::Target;
use std::time::Duration;

/// Parses `500ms`, `30s`, `5m`, `1h30m`.
///
/// # Errors
/// When the text is no duration, or a negative one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| "give a time such as `500ms`, `30s` or `5m`".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".to_owned())
}

/// Parses `4096`, `64KiB`, `8MiB`, `1GiB` to bytes.
///
/// # Errors
/// When the text is no size, or too large for 64 bits.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    units
        .iter()
        .find_map(|(unit, factor)| {
            let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(*factor)
        })
        .ok_or_else(|| "give a size in bytes, or such as `64KiB`, `8MiB` or `1GiB`".to_owned())
}

/// A workload without its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Workload {
    /// The workload in a namespace.
    pub fn in_namespace(&self, namespace: &str) -> Target {
        Target { kind: self.kind.clone(), namespace: namespace.to_owned(), name: self.name.clone() }
    }
}

/// Parses `deployment/NAME`, `statefulset/NAME` and `daemonset/NAME`, with kubectl's short names.
///
/// # Errors
/// When the kind is not supported or the name is missing.
pub fn workload(text: &str) -> Result<Workload, String> {
    let form = "give the workload as `deployment/NAME`, `statefulset/NAME` or `daemonset/NAME`";
    let (word, name) = text.split_once('/').ok_or(form)?;
    let Some(kind) = Target::kind_of(word) else {
        return Err(format!(
            "workloads of kind `{}` cannot be watched; {form}",
            word.escape_debug()
        ));
    };
    if name.is_empty() || name.contains('/') {
        return Err(form.to_owned());
    }
    Ok(Workload { kind: kind.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for bad in ["", "5", "-5s", "fast", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("8MiB"), Ok(8 << 20));
        for bad in ["", "MiB", "-1", "1TB", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn workloads() {
        for (good, kind) in [
            ("deployment/serv", "Deployment"),
            ("deploy/serv", "Deployment"),
            ("sts/serv", "StatefulSet"),
            ("daemonset.apps/serv", "DaemonSet"),
        ] {
            let serv = Workload { kind: kind.into(), name: "serv".into() };
            assert_eq!(workload(good), Ok(serv));
        }
        for bad in ["serv", "deployment/", "cronjob/x", "deployment/a/b", "\u{1b}[31m/x"] {
            let error = workload(bad).expect_err(bad);
            assert!(!error.contains('\u{1b}'));
        }
    }
}
