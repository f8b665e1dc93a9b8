//! Rules about layers: which part may import what (the invariants in docs/architecture.md).
//! Comes in: a file. Goes out: the lines that reach across a border.

use super::source::{Problem, Source};

/// Words that a layer must not use, and why.
struct Border {
    /// Whether the border concerns a file of `rollout-user/src`, by its path there.
    concerns: fn(&str) -> bool,
    words: &'static [&'static str],
    reason: &'static str,
}

const BORDERS: &[Border] = &[
    Border {
        concerns: is_pure,
        words: &[
            "tokio::",
            "kube::",
            "aya::",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "File::open",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "Instant",
            "SystemTime",
            "Timestamp::now",
            "Zoned::now",
            "clock_gettime",
        ],
        reason: "attribution, analysis and event stream are pure: records in, findings out",
    },
    Border {
        concerns: |path| !is_in(path, "probe"),
        words: &["aya::", "aya_obj::", "aya_log::"],
        reason: "only `probe` knows aya",
    },
    Border {
        concerns: |path| !is_in(path, "cluster"),
        words: &["kube::"],
        reason: "only `cluster` knows the Kubernetes client",
    },
    Border {
        concerns: |path| !is_in(path, "decode") && !is_in(path, "probe"),
        words: &["rollout_ebpf::"],
        reason: "wire records do not leave `decode` and `probe`",
    },
];

/// Imports and paths stay inside the borders of their layer. Tests may cross them.
pub fn imports_only_what_its_layer_may(source: &Source) -> Vec<Problem> {
    let Some(path) = source.path.strip_prefix("rollout-user/src/").filter(|_| source.is_rust())
    else {
        return Vec::new();
    };
    if path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for border in BORDERS.iter().filter(|border| (border.concerns)(path)) {
        for (line, code) in source.code() {
            for word in border.words.iter().filter(|word| has_word(code, word)) {
                let word = word.trim_end_matches(':');
                problems.push(Source::problem(line, format!("`{word}` here: {}", border.reason)));
            }
        }
    }
    problems
}

/// `unsafe` is where the kernel is spoken to, with its reason beside it (which clippy checks).
pub fn is_unsafe_only_at_the_edge(source: &Source) -> Vec<Problem> {
    let path = source.path.as_str();
    let edge = |path: &str| is_in(path, "probe") || is_in(path, "tables");
    let allowed = path.starts_with("rollout-ebpf/")
        || path.strip_prefix("rollout-user/src/").is_some_and(edge)
        || path.starts_with("rollout-user/tests/");
    if allowed || !source.is_rust() {
        return Vec::new();
    }
    let lines = source.code().filter(|(_, code)| {
        ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| has_word(code, word))
    });
    lines
        .map(|(line, _)| Source::problem(line, "unsafe code outside `probe` and `tables`"))
        .collect()
}

fn is_pure(path: &str) -> bool {
    ["attribute", "analyse", "stream", "top"].iter().any(|layer| is_in(path, layer))
}

/// Whether `path` is the module `name` or inside it.
fn is_in(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Whether `word` is in `code` and is not the end or the start of a longer name, nor the start of a text.
fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |it: char| it.is_alphanumeric() || it == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let open_end = !word.ends_with(part_of_name);
        !before.is_some_and(|it| part_of_name(it) || it == '"')
            && (open_end || !after.is_some_and(part_of_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        let source = Source { path: format!("rollout-user/src/{path}"), text: text.into() };
        imports_only_what_its_layer_may(&source).len()
    }

    #[test]
    fn pure_layers_use_no_clock_file_socket_or_runtime() {
        for line in [
            "use tokio::sync::mpsc;",
            "use std::fs;",
            "use std::time::{Duration, Instant};",
            "let now = SystemTime::now();",
            "use std::net::TcpStream;",
            "let now = jiff::Timestamp::now();",
        ] {
            assert_eq!(problems("analyse/window.rs", line), 1, "{line}");
            assert_eq!(problems("attribute.rs", line), 1, "{line}");
            assert_eq!(problems("stream/waiting.rs", line), 1, "{line}");
            assert_eq!(problems("top/draw/head.rs", line), 1, "{line}");
            assert_eq!(problems("live.rs", line), 0, "{line}");
        }
        for line in ["use std::net::IpAddr;", "use std::time::Duration;", "// no Instant here"] {
            assert_eq!(problems("analyse/window.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn aya_kube_and_wire_records_stay_at_home() {
        assert_eq!(problems("command/trace.rs", "use aya::Ebpf;"), 1);
        assert_eq!(problems("probe/load.rs", "use aya::Ebpf;"), 0);
        assert_eq!(problems("command/watch.rs", "use kube::Client;"), 1);
        assert_eq!(problems("cluster/watch.rs", "use kube::Client;"), 0);
        assert_eq!(problems("record.rs", "use rollout_ebpf::Header;"), 1);
        assert_eq!(problems("decode.rs", "use rollout_ebpf::Header;"), 0);
        assert_eq!(problems("probes.rs", "use aya::Ebpf;"), 1);
    }

    #[test]
    fn longer_names_and_tests_are_fine() {
        assert_eq!(problems("analyse/a.rs", "use crate::mykube::a;\nlet InstantReplay = 1;"), 0);
        let tests = "//! A.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(problems("analyse/a.rs", tests), 0);
    }

    #[test]
    fn unsafe_code_stays_at_the_edge() {
        let at = |path: &str| {
            let text = "let a = unsafe { b() };".into();
            is_unsafe_only_at_the_edge(&Source { path: path.into(), text }).len()
        };
        assert_eq!(at("rollout-user/src/recording.rs"), 1);
        assert_eq!(at("xtask/src/cache.rs"), 1);
        assert_eq!(at("rollout-user/src/tables/netns.rs"), 0);
        assert_eq!(at("rollout-user/src/probe.rs"), 0);
        assert_eq!(at("rollout-ebpf/src/main.rs"), 0);
    }
}
