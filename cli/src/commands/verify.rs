//! `fhirehose verify`: an export held against its manifest.

use std::fmt::Write;
use std::io::{ErrorKind, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fhirehose_core::client::manifest::Severity;
use fhirehose_core::quote::Tree;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::folder::MANIFEST;
use fhirehose_native::job::Progress;
use fhirehose_native::verify::{Dangling, Finding, Spot, Task, Verified, VerifyError, verify};

use super::export::{CHUNK, end_at_signals, failed};
use crate::args::{ReportArg, VerifyArgs, Version};
use crate::exit::Exit;
use crate::messages::{self, Faults};
use crate::print::print;
use crate::progress::Display;
use crate::summary::{Align, Table, counted, grouped};
use crate::threads;

/// What memory is planned for where nobody says it.
const MEMORY: u64 = 1 << 30;

/// Verifies.
pub(super) fn run(args: &VerifyArgs) -> Exit {
    let task = match prepare(args) {
        Ok(task) => task,
        Err(faults) => return faults.tell(),
    };
    let cancel = Cancel::default();
    let progress = Arc::new(Progress::default());
    let is_shown = std::io::stderr().is_terminal();
    let display = is_shown.then(|| Display::reading(progress.clone()));
    let (running, ended) = mpsc::channel();
    if let Err(error) = end_at_signals(cancel.clone(), ended, display.as_ref()) {
        messages::error(format_args!("cannot listen to signals: {error}"));
        return Exit::Io;
    }
    let begun = Instant::now();
    let result = verify(&task, &progress, &cancel);
    let took = begun.elapsed();
    drop(running);
    drop(display);
    let verified = match result {
        Ok(verified) => verified,
        Err(VerifyError::Job(error)) => return failed(&error),
        Err(VerifyError::Unreadable(path, error)) if path == task.manifest && error.kind() == ErrorKind::NotFound => {
            let place = args.output.display();
            messages::error(format_args!(
                "{place}: there is no {MANIFEST} in it; another is named by --manifest"
            ));
            return Exit::Io;
        }
        Err(error) => {
            messages::error(error);
            return Exit::Io;
        }
    };
    let told = match args.report {
        ReportArg::Text => for_people(&args.output, &verified, took),
        ReportArg::Json => for_programs(&verified, took),
    };
    match print(told.as_bytes()) {
        Exit::Done if !verified.is_well() => Exit::BadRecords,
        exit => exit,
    }
}

fn prepare(args: &VerifyArgs) -> Result<Task, Faults> {
    let mut faults = Faults::default();
    let memory = Some(args.memory.unwrap_or(MEMORY));
    // Where nobody says how much, threads are not fewer for it.
    let threads = threads::decide(args.threads, args.memory, args.max_line).unwrap_or_else(|text| {
        faults.usage(text);
        1
    });
    if args.output.as_os_str() == "-" {
        faults.usage("expected the folder of an export, found -");
    } else if !args.output.is_dir() {
        faults.io(format_args!(
            "{}: expected the folder of an export",
            args.output.display()
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Task {
        folder: args.output.clone(),
        manifest: args.manifest.clone().unwrap_or_else(|| args.output.join(MANIFEST)),
        registry: match args.fhir_version {
            Version::R4 => Registry::r4(),
            Version::R4B => Registry::r4b(),
            Version::R5 => Registry::r5(),
        },
        references: args.references,
        threads,
        memory: usize::try_from(threads::left_to_sort(memory, threads, args.max_line)).unwrap_or(usize::MAX),
        max_line: args.max_line,
        chunk: CHUNK,
    })
}

fn count(verified: &Verified, severity: Severity) -> u64 {
    let is = |finding: &&Finding| finding.severity == severity;
    let dangling = if severity == Severity::Warning {
        verified.dangling.len()
    } else {
        0
    };
    (verified.findings.iter().filter(is).count() + dangling) as u64
}

fn for_people(folder: &Path, verified: &Verified, took: Duration) -> String {
    let mut out = String::new();
    for finding in &verified.findings {
        finding_for_people(finding, &mut out);
    }
    if !verified.dangling.is_empty() {
        out.push_str(&dangling_for_people(&verified.dangling));
    }
    let counts = [
        counted(count(verified, Severity::Error), "error"),
        counted(count(verified, Severity::Warning), "warning"),
        counted(count(verified, Severity::Note), "note"),
    ];
    let mut row = |name: &str, text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<12}{text}");
    };
    let verdict = if verified.is_well() {
        "all is well"
    } else {
        "not all is well"
    };
    row(
        "verified",
        format!("{}: {verdict}; {}", folder.display(), counts.join(", ")),
    );
    let files = counted(verified.files as u64, "file");
    row(
        "read",
        format!(
            "{files}, {}, {}",
            counted(verified.lines, "line"),
            counted(verified.bytes, "byte")
        ),
    );
    row("resources", grouped(verified.resources));
    if verified.deletions > 0 {
        row("deletions", grouped(verified.deletions));
    }
    if let Some(sums) = verified.sums {
        row("checksums", format!("{} right", grouped(sums)));
    }
    if let Some(written) = verified.written {
        let nowhere: u64 = verified.dangling.iter().map(|dangling| dangling.count).sum();
        let text = format!(
            "{} to resources by Type/id, {} of them lead nowhere; {} absolute, {} others",
            grouped(written.relative),
            grouped(nowhere),
            grouped(written.absolute),
            grouped(written.others)
        );
        row("references", text);
    }
    let rate = verified.bytes as f64 / took.as_secs_f64().max(1e-9) / 1e6;
    row("took", format!("{:.1} s, {rate:.0} MB/s", took.as_secs_f64()));
    out
}

fn finding_for_people(finding: &Finding, out: &mut String) {
    let file = finding
        .file
        .as_ref()
        .map(|file| format!("{file}: "))
        .unwrap_or_default();
    let times = match finding.count {
        1 => String::new(),
        count => format!(" ({} times)", grouped(count)),
    };
    let _ = writeln!(
        out,
        "{}[{}]: {file}{}{times}",
        finding.severity, finding.rule, finding.message
    );
    for spot in &finding.places {
        let _ = writeln!(out, "    {spot}");
    }
    let told = finding.places.len() as u64;
    if told > 0 && finding.count > told {
        let _ = writeln!(out, "    …");
    }
}

fn dangling_for_people(dangling: &[Dangling]) -> String {
    let mut table = Table::new(&[
        ("from", Align::Left),
        ("to", Align::Left),
        ("lead nowhere", Align::Right),
        ("first at", Align::Left),
    ]);
    for Dangling {
        from,
        to,
        count,
        places,
    } in dangling
    {
        let first = places.first().map(Spot::to_string).unwrap_or_default();
        table.row([from.clone(), to.clone(), grouped(*count), first]);
    }
    format!("warning[dangling]: references to resources that are not in the export\n{table}\n")
}

fn for_programs(verified: &Verified, took: Duration) -> String {
    let spots = |spots: &[Spot]| {
        let spot = |spot: &Spot| {
            Tree::Object(vec![
                ("file", Tree::text(spot.file.as_str())),
                ("line", Tree::Number(spot.at.line)),
                ("column", Tree::Number(spot.at.column)),
            ])
        };
        Tree::List(spots.iter().map(spot).collect())
    };
    let findings = verified.findings.iter().map(|finding| {
        Tree::Object(vec![
            ("severity", Tree::text(finding.severity.to_string())),
            ("rule", Tree::text(finding.rule)),
            ("file", Tree::maybe(finding.file.as_deref())),
            ("count", Tree::Number(finding.count)),
            ("message", Tree::text(finding.message.as_str())),
            ("places", spots(&finding.places)),
        ])
    });
    let findings = findings.collect();
    let dangling = verified.dangling.iter().map(|dangling| {
        Tree::Object(vec![
            ("from", Tree::text(dangling.from.as_str())),
            ("to", Tree::text(dangling.to.as_str())),
            ("count", Tree::Number(dangling.count)),
            ("places", spots(&dangling.places)),
        ])
    });
    let references = match verified.written {
        None => Tree::Null,
        Some(written) => Tree::Object(vec![
            ("relative", Tree::Number(written.relative)),
            ("absolute", Tree::Number(written.absolute)),
            ("others", Tree::Number(written.others)),
            ("dangling", Tree::List(dangling.collect())),
        ]),
    };
    Tree::Object(vec![
        ("well", Tree::Boolean(verified.is_well())),
        ("generation", Tree::text(verified.generation.to_string())),
        ("files", Tree::Number(verified.files as u64)),
        ("lines", Tree::Number(verified.lines)),
        ("resources", Tree::Number(verified.resources)),
        ("deletions", Tree::Number(verified.deletions)),
        ("bytes", Tree::Number(verified.bytes)),
        ("storedBytes", Tree::Number(verified.stored)),
        ("checksums", verified.sums.map_or(Tree::Null, Tree::Number)),
        ("errors", Tree::Number(count(verified, Severity::Error))),
        ("warnings", Tree::Number(count(verified, Severity::Warning))),
        ("notes", Tree::Number(count(verified, Severity::Note))),
        ("milliseconds", Tree::Number(took.as_millis() as u64)),
        ("findings", Tree::List(findings)),
        ("references", references),
    ])
    .pretty()
}
