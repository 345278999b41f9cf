//! `fhirehose man`: a manual page, for `man -l -` or a package.

use clap::CommandFactory;

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use crate::messages::Faults;

/// Prints the page.
pub(super) fn run(args: &ManArgs) -> Exit {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = &args.command {
        let Some(found) = command.find_subcommand(name).filter(|found| found.get_name() != "help") else {
            let mut faults = Faults::default();
            let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            let help = fhirehose_core::problem::did_you_mean(name, names.iter().copied());
            let help = help.unwrap_or_else(|| format!("expected one of {}", names.join(", ")));
            faults.usage(format_args!("no command `{name}`; {help}"));
            return faults.tell();
        };
        command = found.clone();
    }
    let mut page = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(command)
        .source(concat!("fhirehose ", env!("CARGO_PKG_VERSION")))
        .manual("fhirehose manual")
        .render(&mut page);
    crate::print::print(&page)
}
