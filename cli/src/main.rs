//! The binary `fhirehose`. What can be asked of it stands in [`args`], what it answers in [`commands`].

mod args;
mod cohort;
mod commands;
mod exit;
mod export_summary;
mod files;
mod length;
mod messages;
mod overlap;
mod print;
mod progress;
mod pull;
mod request;
mod serve;
mod signals;
mod size;
mod snapshot_summary;
mod summary;
mod threads;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    messages::quiet_panics();
    signals::survive_limits();
    let exit = match args::Cli::try_parse() {
        Ok(cli) => std::panic::catch_unwind(|| commands::run(cli.command)).unwrap_or(exit::Exit::Io),
        Err(error) => commands::usage(&error),
    };
    exit.into()
}
