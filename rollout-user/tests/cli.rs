//! The command line as a user meets it: help, arguments, files, colours. In: arguments. Out: text and exit code.

#[path = "cli/arguments.rs"]
mod arguments;
#[path = "cli/colour.rs"]
mod colour;
#[path = "support/command.rs"]
mod command;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/generated.rs"]
mod generated;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/pipeline.rs"]
mod pipeline;
#[path = "cli/replay.rs"]
mod replay;
#[path = "cli/screen.rs"]
mod screen;
#[path = "cli/transcript.rs"]
mod transcript;
