//! The gate of `docs/pipelines.md`, run as it is printed there, with a watch and a `kubectl` that only pretend.

use crate::files::{record, scenario};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A `watch` that leaves a recording, ready at once; all else is the real binary.
const WATCH: &str = r#"#!/bin/sh
if [ "$1" = watch ]; then
    [ -e "$FIXTURE" ] || exit 2
    : > ready
    cp "$FIXTURE" update.jsonl.zst
    exec "$ROLLOUT" explain update.jsonl.zst
fi
exec "$ROLLOUT" "$@"
"#;

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[test]
fn the_gate_ends_with_the_exit_code_and_leaves_its_files() {
    let page = include_str!("../../../docs/pipelines.md");
    let gate = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let gate = gate.expect("the script");
    for (name, code, files) in
        [("clean", 0, true), ("blog", 1, true), ("lost", 3, true), ("", 2, false)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        program(path, "gate.sh", gate);
        program(path, "rollout", WATCH);
        program(path, "kubectl", "#!/bin/sh\nexit 0\n");
        let fixture = match name {
            "" => path.join("missing"),
            name => record(path, "fixture", &scenario(name)),
        };
        let system = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["gate.sh", "shop", "web", "web=v2"])
            .current_dir(path)
            .env("PATH", format!("{}:{system}", path.display()))
            .env("FIXTURE", &fixture)
            .env("ROLLOUT", env!("CARGO_BIN_EXE_rollout"))
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        for file in ["rollout.xml", "rollout.json"] {
            assert_eq!(path.join(file).exists(), files, "{name}: {file}");
        }
        if files {
            let xml = fs::read_to_string(path.join("rollout.xml")).expect("JUnit");
            assert_eq!(xml.contains("<failure"), code != 0, "{name}");
        }
    }
}
