//! What `merge` and `diff` do alike: from the flags to a task, and from its end to an exit code.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use fhirehose_core::request::OnBad;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::folder::MANIFEST;
use fhirehose_native::inputs::{InputPlace, InputsErrorKind};
use fhirehose_native::job::{FolderOutput, JobError, Progress};
use fhirehose_native::snapshot::argument::{self, Argument, ArgumentError};
use fhirehose_native::snapshot::task::{Outcome, Task};

use super::export::{CHUNK, end_at_signals, failed, total};
use crate::args::{OnBadArg, ReportArg, SnapshotArgs, Version};
use crate::exit::Exit;
use crate::messages::{self, Faults};
use crate::overlap::overlap;
use crate::progress::Display;
use crate::request;
use crate::snapshot_summary;
use crate::summary::Facts;
use crate::threads;

/// What memory is planned for where nobody says it.
const MEMORY: u64 = 1 << 30;

/// What the two commands do differently.
pub(super) struct Command {
    /// Its name.
    pub(super) name: &'static str,
    /// Lines are compared byte for byte.
    pub(super) by_bytes: bool,
    /// The time of what comes out.
    pub(super) transaction_time: fn(&[Argument]) -> Option<&str>,
    /// Whether an argument is read a second time.
    pub(super) is_read_again: fn(usize) -> bool,
    /// Does it.
    pub(super) run: fn(&Task, &Progress, &Cancel) -> Result<Outcome, JobError>,
    /// The summary for people.
    pub(super) text: fn(&Outcome, &Facts) -> String,
}

/// Runs a command over these arguments.
pub(super) fn run(named: &[OsString], args: &SnapshotArgs, command: &Command) -> Exit {
    let task = match prepare(named, args, command) {
        Ok(task) => task,
        Err(faults) => return faults.tell(),
    };
    let cancel = Cancel::default();
    let progress = Arc::new(Progress::default());
    let size = |argument: &Argument| total(&argument.places().cloned().collect::<Vec<InputPlace>>()).unwrap_or(0);
    let sizes: Vec<u64> = task.arguments.iter().map(size).collect();
    let again = sizes
        .iter()
        .enumerate()
        .filter(|(index, _)| (command.is_read_again)(*index));
    let to_read = sizes.iter().sum::<u64>() + again.map(|(_, size)| size).sum::<u64>();
    let is_shown = std::io::stderr().is_terminal();
    let display = is_shown.then(|| Display::start(progress.clone(), Some(to_read)));
    let (running, ended) = mpsc::channel();
    if let Err(error) = end_at_signals(cancel.clone(), ended, display.as_ref()) {
        messages::error(format_args!("cannot listen to signals: {error}"));
        return Exit::Io;
    }
    let begun = Instant::now();
    let result = (command.run)(&task, &progress, &cancel);
    let took = begun.elapsed();
    drop(running);
    drop(display);
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => return failed(&error),
    };
    let facts = Facts {
        output: args.output.display().to_string(),
        manifest: Some(args.output.join(MANIFEST).display().to_string()),
        transaction_time: task.output.manifest.transaction_time.clone(),
        stored: sizes.iter().sum(),
        threads: task.threads,
        took,
    };
    tell(args, command, &outcome, &facts)
}

/// Everything that has to be right before the first byte is read, or everything that is not.
fn prepare(named: &[OsString], args: &SnapshotArgs, command: &Command) -> Result<Task, Faults> {
    let mut faults = Faults::default();
    if args.output.as_os_str() == "-" {
        faults.usage(format_args!(
            "{} writes files and a manifest, so it needs a folder: -o OUT",
            command.name
        ));
    }
    let compression = args.files.compression(&mut faults);
    let threads = threads::decide_beside_sorting(args.threads, args.memory, args.max_line).unwrap_or_else(|text| {
        faults.usage(text);
        1
    });
    let mut arguments = Vec::new();
    for name in named {
        match Argument::open(name) {
            Ok(argument) => arguments.push(argument),
            Err(errors) => add(errors, &mut faults),
        }
    }
    if let Err(errors) = argument::in_order(&arguments) {
        add(errors, &mut faults);
    }
    let places: Vec<InputPlace> = arguments.iter().flat_map(Argument::places).cloned().collect();
    if let Some(text) = overlap(&args.output, named, &places) {
        faults.usage(text);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let now = request::now();
    let transaction_time = (command.transaction_time)(&arguments).unwrap_or(&now).to_owned();
    Ok(Task {
        registry: match args.fhir_version {
            Version::R4 => Registry::r4(),
            Version::R4B => Registry::r4b(),
            Version::R5 => Registry::r5(),
        },
        output: FolderOutput {
            path: args.output.clone(),
            force: args.force,
            is_durable: true,
            manifest: args
                .files
                .manifest(transaction_time, requested(command.name, &arguments)),
            organize: None,
        },
        arguments,
        limits: args.files.limits(),
        compression,
        threads,
        chunk: CHUNK,
        max_line: args.max_line,
        memory: usize::try_from(args.memory.unwrap_or(MEMORY) / 4).unwrap_or(usize::MAX),
        on_bad: match args.on_bad {
            OnBadArg::Skip => OnBad::Skip,
            OnBadArg::Stop => OnBad::Stop,
        },
        by_bytes: command.by_bytes,
        fhir_base: args.fhir_base.clone(),
    })
}

fn add(errors: Vec<ArgumentError>, faults: &mut Faults) {
    for error in errors {
        match error.kind() {
            InputsErrorKind::Usage => faults.usage(error),
            InputsErrorKind::Io => faults.io(error),
        }
    }
}

/// For the manifest: no server was asked, so this says what was done.
fn requested(command: &str, arguments: &[Argument]) -> String {
    let names = arguments.iter().map(|argument| argument.name.as_str());
    let words: Vec<&str> = ["fhirehose", command].into_iter().chain(names).collect();
    words.join(" ")
}

fn tell(args: &SnapshotArgs, command: &Command, outcome: &Outcome, facts: &Facts) -> Exit {
    let told = match args.report {
        ReportArg::Text => {
            messages::note((command.text)(outcome, facts).trim_end());
            Exit::Done
        }
        ReportArg::Json => crate::print::print(snapshot_summary::json(outcome, facts).as_bytes()),
    };
    if told == Exit::Done && outcome.has_faults() {
        Exit::BadRecords
    } else {
        told
    }
}
