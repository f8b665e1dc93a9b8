//! Completion scripts and man pages: made from the definition of the command line, so that they cannot fall behind it.

use crate::command::rollout;
use crate::transcript::{check, transcript};
use clap::CommandFactory;
use rollout::cli::Cli;
use std::process::Command;

fn script(shell: &str) -> String {
    let output = rollout(&["completions", shell]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{shell}");
    String::from_utf8(output.stdout).expect("text")
}

/// Names of the commands, and their long flags that are not hidden.
fn flags() -> Vec<(String, Vec<String>)> {
    let flags = |command: &clap::Command| {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        shown.filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
    };
    let root = Cli::command();
    root.get_subcommands().map(|one| (one.get_name().to_owned(), flags(one))).collect()
}

#[test]
fn every_shell_is_told_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = script(shell);
        for (command, flags) in flags() {
            assert!(script.contains(&command), "{shell}: {command}");
            for flag in flags {
                let is_there =
                    script.contains(&format!("--{flag}")) || script.contains(&format!("-l {flag}"));
                assert!(is_there, "{shell}: {command} --{flag}");
            }
        }
    }
    check("cli_completions_fish", &script("fish"));
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let run = format!(
            "eval \"$1\"; COMP_WORDS=({}); COMP_CWORD={last}; _rollout rollout '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words[last],
            words[last - 1],
        );
        let output = Command::new("bash")
            .args(["-c", &run, "bash", &script("bash")])
            .output()
            .expect("bash is there");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(complete(&["rollout", "exp"]), "explain");
    assert_eq!(complete(&["rollout", "replay", "--ki"]), "--kind");
    assert_eq!(complete(&["rollout", "trace", "-o", "wi"]), "wide");
    assert_eq!(complete(&["rollout", "replay", "--kind", "listener_o"]), "listener_opened");
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man/man1");
    let pages = pages.to_str().expect("a path");
    let listed = transcript(&["man", pages]);
    let mut names = vec!["rollout.1".to_owned()];
    names.extend(flags().into_iter().map(|(command, _)| format!("rollout-{command}.1")));
    let mut text = String::new();
    for name in &names {
        let path = format!("{pages}/{name}");
        assert!(listed.contains(&path), "{listed}");
        let page = std::fs::read_to_string(&path).expect("a page");
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
        text.push_str(&page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
    assert_eq!(std::fs::read_dir(pages).expect("a folder").count(), names.len());
    check("cli_man", &text);
    let refused = transcript(&["man", "/proc/none"]);
    assert!(refused.contains("error: cannot make the folder `/proc/none`"), "{refused}");
    assert!(refused.contains("\nhint: ") && refused.ends_with("[exit 2]\n"), "{refused}");
}
