//! `rollout man`: man pages, one for the program and one for each command, made from the definition of the command line.
//! In: a folder. Out: the pages in it.

use crate::cli::{Cli, Man};
use crate::error::HintExt;
use anyhow::Context;
use clap::{Command, CommandFactory};
use std::process::ExitCode;

/// Writes the pages and prints their names.
///
/// # Errors
/// When the folder cannot be made, or a page cannot be written.
pub fn run(args: &Man) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).hint(
        format!("cannot make the folder `{}`", folder.display()),
        "give a folder that may be written to, such as `~/.local/share/man/man1`",
    )?;
    for (name, page) in pages()? {
        let path = folder.join(name);
        std::fs::write(&path, page)
            .with_context(|| format!("cannot write the man page `{}`", path.display()))?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Every page with its file name.
///
/// # Errors
/// When a page cannot be rendered, which no definition of ours causes.
pub fn pages() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut root = Cli::command();
    root.build();
    let version = root.get_version().unwrap_or_default().to_owned();
    let commands: Vec<Command> =
        root.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let mut pages = vec![page(root, "rollout", &version)?];
    for command in commands {
        let name = format!("rollout-{}", command.get_name());
        // Its synopsis calls it as a user does; its page is named with a dash, as man pages are.
        let command = command.display_name(name.clone());
        pages.push(page(command, &name, &version)?);
    }
    Ok(pages)
}

fn page(command: Command, name: &str, version: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let man = clap_mangen::Man::new(command)
        .title(name.to_uppercase())
        .section("1")
        .source(format!("rollout {version}"))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("cannot render the man page of `{name}`"))?;
    Ok((format!("{name}.1"), text))
}
