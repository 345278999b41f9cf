//! Runs a pull, or looks at one, or ends one.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};
use fhirehose_pull::{Progress, Pull, PullError, PullErrorKind, Stop};

use super::args::PullArgs;
use super::resolve::{Purpose, resolve};
use super::saved::Saved;
use super::summary;
use crate::args::{Cli, Command, ReportArg};
use crate::commands::usage;
use crate::exit::Exit;
use crate::messages::{self, Faults};
use crate::signals;

/// Pulls.
pub(crate) fn run(args: PullArgs) -> Exit {
    log(args.verbose);
    if let Some(out) = &args.status {
        return status(out, args.report);
    }
    let gone_on = args.resume.clone().or_else(|| args.cancel.clone());
    let result = match gone_on {
        Some(out) => remembered(args.resume.is_some(), &out),
        None => new(&args).map(|pull| (args.report, pull)),
    };
    match result {
        Ok((report, pull)) => go(&pull, report, args.cancel.is_some()),
        Err(exit) => exit,
    }
}

fn new(args: &PullArgs) -> Result<Pull, Exit> {
    let mut faults = Faults::default();
    let saved = Saved::now(args).unwrap_or_else(|text| {
        faults.usage(text);
        String::new()
    });
    let out = args.output.clone().unwrap_or_default();
    resolve(args, Purpose::Begin { saved, out }, &mut faults).ok_or_else(|| faults.tell())
}

/// The pull that was begun in a folder, by the command line that it was begun with, and what was given now besides.
fn remembered(is_resumed: bool, out: &Path) -> Result<(ReportArg, Pull), Exit> {
    let told = |text: String| {
        let mut faults = Faults::default();
        faults.usage(text);
        faults.tell()
    };
    let fixed = fixed_flags();
    if !fixed.is_empty() {
        let text = "what is asked for and kept was said when the pull was begun, and cannot be changed any more";
        return Err(told(format!("{}: {text}", fixed.join(", "))));
    }
    let out = std::path::absolute(out).map_err(|error| told(format!("{}: {error}", out.display())))?;
    if is_resumed && fhirehose_pull::is_complete(&out) {
        messages::note(format_args!(
            "{} is complete: there is nothing to go on with",
            out.display()
        ));
        return Err(Exit::Done);
    }
    let text = fhirehose_pull::saved(&out).map_err(|error| told(error.to_string()))?;
    let saved = Saved::read(&text).map_err(told)?;
    let matches = Cli::command().try_get_matches_from(saved.with(&given_now()));
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    let Command::Pull(mut args) = cli.map_err(|error| usage(&error))?.command else {
        return Err(told("what was remembered of the pull is damaged".into()));
    };
    args.fetch.detach = false;
    // Paths are meant from where they were given.
    std::env::set_current_dir(saved.folder())
        .map_err(|error| told(format!("the folder that the pull was begun in is gone: {error}")))?;
    saved.same_files().map_err(told)?;
    let mut faults = Faults::default();
    // One that was killed before it had asked anybody anything begins anew.
    let purpose = if fhirehose_pull::has_begun(&out).map_err(|error| told(error.to_string()))? {
        let patients = fhirehose_pull::patients(&out).map_err(|error| told(error.to_string()))?;
        Purpose::GoOn { out, patients }
    } else {
        Purpose::Begin { saved: text, out }
    };
    let pull = resolve(&args, purpose, &mut faults);
    pull.map(|pull| (args.report, pull)).ok_or_else(|| faults.tell())
}

/// What was given besides `--resume OUT` and `--cancel OUT`. Paths are made absolute: those of before are meant from where the
/// pull was begun.
fn given_now() -> Vec<String> {
    let mut given = Vec::new();
    // The folder alone may have a name that is no text.
    let mut arguments = std::env::args_os()
        .skip(2)
        .map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, value) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument.clone(), None),
        };
        let mut value_of = || value.clone().or_else(|| arguments.next()).unwrap_or_default();
        match flag.as_str() {
            "--resume" | "--cancel" => drop(value_of()),
            "--key" | "--bearer-file" | "--ca" => given.push(format!("{flag}={}", absolute(&value_of()))),
            "--basic" => {
                let value = value_of();
                let (user, file) = value.split_once(':').unwrap_or((&value, ""));
                given.push(format!("{flag}={user}:{}", absolute(file)));
            }
            _ => given.push(argument),
        }
    }
    given
}

fn absolute(path: &str) -> String {
    let whole = std::path::absolute(path).ok();
    whole
        .and_then(|path| path.to_str().map(str::to_owned))
        .unwrap_or_else(|| path.to_owned())
}

/// Flags that may be given to a pull under way: who asks, how fast, how long. All else decides what is asked for or kept.
const MAY_CHANGE: [&str; 22] = [
    "resume",
    "cancel",
    "client_id",
    "key",
    "key_id",
    "basic",
    "bearer_file",
    "token_url",
    "scope",
    "token_origin",
    "token_across_redirects",
    "insecure_http",
    "parallel",
    "timeout",
    "stall",
    "longest_wait",
    "attempts",
    "keep_job",
    "ca",
    "threads",
    "memory",
    "report",
];

/// Flags of now that a pull under way cannot take any more.
fn fixed_flags() -> Vec<String> {
    let matches = Cli::command().try_get_matches_from(std::env::args_os());
    let Some((_, given)) = matches.as_ref().ok().and_then(clap::ArgMatches::subcommand) else {
        return Vec::new();
    };
    let command = Cli::command();
    let pull = command.find_subcommand("pull");
    let arguments = pull.into_iter().flat_map(clap::Command::get_arguments);
    let is_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    let is_fixed = |id: &str| !MAY_CHANGE.contains(&id) && !["ignore_counts", "verbose"].contains(&id);
    arguments
        .filter(|argument| is_given(argument.get_id().as_str()) && is_fixed(argument.get_id().as_str()))
        .map(|argument| {
            argument
                .get_long()
                .map_or_else(|| argument.get_id().to_string(), |long| format!("--{long}"))
        })
        .collect()
}

fn go(pull: &Pull, report: ReportArg, cancels: bool) -> Exit {
    let progress = Arc::new(Progress::default());
    let stop = Stop::default();
    let at_signal = stop.clone();
    if let Err(error) = signals::on_stop(move || at_signal.stop()) {
        messages::error(format_args!("cannot listen to signals: {error}"));
        return Exit::Io;
    }
    let display = std::io::stderr()
        .is_terminal()
        .then(|| summary::display(progress.clone()));
    if cancels {
        let result = fhirehose_pull::cancel(pull, &progress, &stop);
        drop(display);
        return match result {
            Ok(()) => {
                messages::note("cancelled");
                Exit::Done
            }
            Err(error) => failed(&error, &pull.out),
        };
    }
    let result = fhirehose_pull::pull(pull, &progress, &stop);
    drop(display);
    match result {
        Ok(pulled) => summary::tell(&pulled, report, &pull.out),
        Err(error) => failed(&error, &pull.out),
    }
}

fn failed(error: &PullError, out: &Path) -> Exit {
    let exit = match error.kind() {
        PullErrorKind::Usage => Exit::Usage,
        PullErrorKind::Io => Exit::Io,
        PullErrorKind::BadLine => Exit::BadRecords,
        PullErrorKind::Interrupted => Exit::Interrupted,
    };
    if exit == Exit::Interrupted {
        messages::interrupted();
    } else {
        messages::error(error);
    }
    if error.is_resumable() {
        messages::note(format_args!(
            "fhirehose pull --resume {} goes on from here",
            out.display()
        ));
    }
    exit
}

fn status(out: &Path, report: ReportArg) -> Exit {
    match fhirehose_pull::status(out) {
        Ok(status) => summary::status(&status, report),
        Err(error) => {
            messages::error(&error);
            Exit::Usage
        }
    }
}

fn log(verbose: bool) {
    if verbose {
        // Of libraries only what went wrong: in their details they may quote what they were given.
        use tracing_subscriber::filter::Targets;
        use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
        use tracing_subscriber::util::SubscriberInitExt as _;
        let told = Targets::new()
            .with_default(tracing::Level::WARN)
            .with_target("fhirehose_pull", tracing::Level::DEBUG);
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_filter(told);
        // A second one in the process keeps the first.
        let _ = tracing_subscriber::Registry::default().with(layer).try_init();
    }
}
