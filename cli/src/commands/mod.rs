//! One module a command.

mod completions;
mod diff;
mod explain;
mod export;
mod man;
mod manifest;
mod merge;
mod params;
mod snapshot;
mod synth;
mod verify;

use crate::args::Command;
use crate::exit::Exit;

/// Does what was asked.
pub(crate) fn run(command: Command) -> Exit {
    match command {
        Command::Export(args) => export::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Params(args) => params::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Manifest(args) => manifest::run(&args),
        Command::Serve(args) => crate::serve::run(&args),
        Command::Client(args) => crate::serve::client(&args),
        Command::Pull(args) => crate::pull::run(*args),
        Command::Synth(args) => synth::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Tells what is wrong with the command line, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    // A reader that has gone has read enough.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
