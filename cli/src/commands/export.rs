//! `fhirehose export`: from the flags to a job, and from its end to an exit code.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fhirehose_core::manifest::kick_off_url;
use fhirehose_core::membership::Membership;
use fhirehose_core::plan::Plan;
use fhirehose_core::problem::Problems;
use fhirehose_core::request::Request;
use fhirehose_native::Exported;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::cohort::CohortRequest;
use fhirehose_native::folder::MANIFEST;
use fhirehose_native::inputs::{self, InputPlace, InputsErrorKind};
use fhirehose_native::job::{FolderOutput, Job, JobError, Organize, Output, Progress};

use crate::args::{ExportArgs, ReportArg};
use crate::cohort;
use crate::exit::{self, Exit};
use crate::export_summary;
use crate::messages::{self, Faults};
use crate::overlap::overlap;
use crate::progress::Display;
use crate::request;
use crate::signals;
use crate::summary::Facts;
use crate::threads;

/// What a thread reads at once. Larger blocks do not fit into a core's cache, smaller ones cost more turns.
pub(super) const CHUNK: usize = 256 << 10;

/// How long a job that is asked to stop may take before the process ends without it.
const GRACE: Duration = Duration::from_millis(500);

/// Exports.
pub(super) fn run(args: &ExportArgs) -> Exit {
    let now = request::now();
    let job = match prepare(args, &now) {
        Ok(job) => job,
        Err(faults) => return faults.tell(),
    };
    let cancel = Cancel::default();
    let progress = Arc::new(Progress::default());
    // Before lines leave by standard output everything is read for the cohort.
    let passes = if job.cohort.is_some() && matches!(job.output, Output::Stdout) {
        2
    } else {
        1
    };
    let display =
        is_shown(&job).then(|| Display::start(progress.clone(), total(&job.inputs).map(|bytes| bytes * passes)));
    let (running, ended) = mpsc::channel();
    if let Err(error) = end_at_signals(cancel.clone(), ended, display.as_ref()) {
        messages::error(format_args!("cannot listen to signals: {error}"));
        return Exit::Io;
    }
    let begun = Instant::now();
    let result = fhirehose_native::run(&job, &progress, &cancel);
    let took = begun.elapsed();
    drop(running);
    drop(display);
    match result {
        Ok(exported) => {
            let has_files = !matches!(job.output, Output::Stdout);
            exported.cohort.iter().for_each(|found| cohort::tell(found, has_files));
            let facts = Facts {
                output: args.output.display().to_string(),
                manifest: match &job.output {
                    Output::Folder(folder) => Some(folder.path.join(MANIFEST).display().to_string()),
                    Output::Stdout => None,
                },
                transaction_time: transaction_time(args, &now),
                stored: exported.stored,
                threads: job.threads,
                took,
            };
            tell(args, &job, &exported, &facts)
        }
        Err(error) => failed(&error),
    }
}

/// Everything that has to be right before the first byte is read, or everything that is not.
fn prepare(args: &ExportArgs, now: &str) -> Result<Job, Faults> {
    let mut faults = Faults::default();
    let to_stdout = args.output.as_os_str() == "-";
    let compression = args.files.compression(&mut faults);
    let threads = threads::decide(args.threads, args.memory, args.checks.max_line).unwrap_or_else(|text| {
        faults.usage(text);
        1
    });
    if to_stdout {
        refuse_without_files(args, &mut faults);
    }
    let places = places(&args.inputs, &mut faults);
    if !to_stdout && let Some(text) = overlap(&args.output, &args.inputs, &places) {
        faults.usage(text);
    }
    let reads_stdin = places.contains(&InputPlace::Stdin);
    let asked = cohort::asked_for(&args.cohort, &args.request, now, reads_stdin, &mut faults);
    let provisional = asked.as_ref().map(CohortRequest::provisional);
    let level = cohort::level(asked.as_ref());
    let compiled = request::compile(&args.request, &args.checks, level, provisional, now, &mut faults);
    if let Some((_, plan)) = &compiled
        && (asked.is_some() || !plan.stages().is_empty())
    {
        refuse_pipes(&places, &mut faults);
    }
    let (Some((request, plan)), true) = (compiled, faults.is_empty()) else {
        return Err(faults);
    };
    let output = if to_stdout {
        Output::Stdout
    } else {
        let organize = match organize(args, &request, &plan, threads) {
            Ok(organize) => organize,
            Err(problems) => {
                faults.problems(None, problems);
                return Err(faults);
            }
        };
        Output::Folder(folder(args, &request, organize, now))
    };
    Ok(Job {
        request,
        plan,
        cohort: asked,
        inputs: places,
        output,
        limits: args.files.limits(),
        compression,
        threads,
        chunk: CHUNK,
    })
}

/// How the output is organized, if it is.
fn organize(args: &ExportArgs, request: &Request, plan: &Plan, threads: usize) -> Result<Option<Organize>, Problems> {
    if !plan.is_organized() {
        return Ok(None);
    }
    Ok(Some(Organize {
        memory: threads::left_to_sort(args.memory, threads, args.checks.max_line),
        membership: Membership::new(request, plan.registry())?,
    }))
}

/// What can be read only once holds nothing for a second pass: without this, records would be missing.
fn refuse_pipes(places: &[InputPlace], faults: &mut Faults) {
    for place in places {
        let what = match place {
            InputPlace::Stdin => "standard input",
            InputPlace::File(path) if std::fs::metadata(path).is_ok_and(|data| !data.is_file()) => "a pipe",
            InputPlace::File(_) => continue,
        };
        faults.usage(format_args!(
            "{place}: the request takes several passes over the input, and {what} cannot be read twice"
        ));
    }
}

/// Flags about files and their manifest mean nothing where there are none.
fn refuse_without_files(args: &ExportArgs, faults: &mut Faults) {
    let given = [
        ("--max-resources", args.files.max_resources.is_some()),
        ("--max-bytes", args.files.max_bytes.is_some()),
        ("--base-url", args.files.base_url.is_some()),
        ("--organize-by", args.request.organize_by.is_some()),
        ("--force", args.force),
        ("--no-sync", args.no_sync),
    ];
    for (flag, _) in given.iter().filter(|(_, is_given)| *is_given) {
        faults.usage(format_args!("{flag}: -o - writes lines to standard output, no files"));
    }
}

fn places(named: &[OsString], faults: &mut Faults) -> Vec<InputPlace> {
    inputs::expand(named).unwrap_or_else(|errors| {
        for error in errors {
            match error.kind() {
                InputsErrorKind::Usage => faults.usage(error),
                InputsErrorKind::Io => faults.io(error),
            }
        }
        Vec::new()
    })
}

fn folder(args: &ExportArgs, request: &Request, organize: Option<Organize>, now: &str) -> FolderOutput {
    // The manifest repeats what was asked for, not the types that the profile put in.
    let as_asked = Request {
        types: args.request.types.clone(),
        ..request.clone()
    };
    FolderOutput {
        path: args.output.clone(),
        force: args.force,
        is_durable: !args.no_sync,
        manifest: args.files.manifest(
            transaction_time(args, now),
            kick_off_url(&as_asked, request.fhir_base.as_deref()),
        ),
        organize,
    }
}

/// As given, with the `+` that some client's form encoding made a blank; else now.
fn transaction_time(args: &ExportArgs, now: &str) -> String {
    let given = args.request.transaction_time.as_ref();
    given.map_or_else(|| now.to_owned(), |text| text.replace(' ', "+"))
}

/// On a terminal only, and not between lines that are shown there.
fn is_shown(job: &Job) -> bool {
    let lines_are_shown = matches!(job.output, Output::Stdout) && std::io::stdout().is_terminal();
    std::io::stderr().is_terminal() && !lines_are_shown
}

/// Bytes that there are to read, if every input is a file that says its length. Passes behind the main one read little.
pub(super) fn total(inputs: &[InputPlace]) -> Option<u64> {
    let size = |place: &InputPlace| match place {
        InputPlace::Stdin => None,
        InputPlace::File(path) => std::fs::metadata(path)
            .ok()
            .filter(|data| data.is_file())
            .map(|data| data.len()),
    };
    inputs.iter().map(size).sum()
}

/// Stops the job when somebody asks for it. A job that is complete stands.
///
/// The job is given a moment to end by itself, because no file is then made while others are removed. One that waits for
/// an input that never comes cannot: then the process ends here. `ended` is closed when the job has ended.
pub(super) fn end_at_signals(cancel: Cancel, ended: Receiver<()>, display: Option<&Display>) -> std::io::Result<()> {
    let bar = display.map(Display::bar);
    signals::on_stop(move || {
        cancel.stop();
        if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) && cancel.abort() {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            messages::interrupted();
            exit::now(Exit::Interrupted);
        }
    })
}

fn tell(args: &ExportArgs, job: &Job, exported: &Exported, facts: &Facts) -> Exit {
    let report = &exported.report;
    let is_wanted = |name: &str| job.plan.type_plans().any(|of_type| of_type.type_name == name);
    let told = match (args.report, &facts.manifest) {
        (ReportArg::Text, _) => {
            messages::note(export_summary::text(exported, facts, is_wanted).trim_end());
            Exit::Done
        }
        (ReportArg::Json, None) => {
            messages::note(export_summary::json(exported, facts).trim_end());
            Exit::Done
        }
        (ReportArg::Json, Some(_)) => crate::print::print(export_summary::json(exported, facts).as_bytes()),
    };
    if told == Exit::Done && report.bad_lines() > 0 {
        Exit::BadRecords
    } else {
        told
    }
}

/// Tells why there is no output.
pub(super) fn failed(error: &JobError) -> Exit {
    match error {
        JobError::ClosedPipe => Exit::Done,
        JobError::Interrupted => {
            messages::interrupted();
            Exit::Interrupted
        }
        JobError::Cohort(_) => {
            messages::error(error);
            Exit::Usage
        }
        JobError::BadLine(_) => {
            messages::error(format_args!("stopped at a bad line: {error}"));
            Exit::BadRecords
        }
        _ => {
            messages::error(error);
            Exit::Io
        }
    }
}
