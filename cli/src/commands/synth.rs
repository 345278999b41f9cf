//! `fhirehose synth`: synthetic patients into a folder.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhirehose_synth::{DirSink, Generator, Options, Profile, Totals};

use crate::args::SynthArgs;
use crate::exit::Exit;
use crate::messages::{self, Faults};
use crate::signals;
use crate::summary::{Align, Table, grouped};

/// Unfinished files stand here, inside the folder.
const PARTIAL: &str = ".fhirehose-synth-partial";

/// Why there are no files.
enum Failure {
    Io(String),
    Interrupted,
}

/// Writes the patients and tells how many lines there are of each type.
pub(super) fn run(args: &SynthArgs) -> Exit {
    let mut faults = Faults::default();
    if args.output.as_os_str() == "-" {
        faults.usage("synth writes one file a type, so it needs a folder: -o DIR");
        return faults.tell();
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    if let Err(error) = signals::on_stop(move || flag.store(true, Ordering::Relaxed)) {
        messages::error(format_args!("cannot listen to signals: {error}"));
        return Exit::Io;
    }
    match write(args, &stopped) {
        Ok(totals) => {
            messages::note(table(&totals).trim_end());
            Exit::Done
        }
        Err(Failure::Interrupted) => {
            messages::interrupted();
            Exit::Interrupted
        }
        Err(Failure::Io(text)) => {
            messages::error(text);
            Exit::Io
        }
    }
}

/// Writes all files apart, and gives them their names when they are complete.
fn write(args: &SynthArgs, stopped: &AtomicBool) -> Result<Totals, Failure> {
    let folder = &args.output;
    let failed = |doing: &str, path: &Path| {
        let place = format!("cannot {doing} {}", path.display());
        move |error: io::Error| Failure::Io(format!("{place}: {error}"))
    };
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let mut entries = fs::read_dir(folder).map_err(failed("read", folder))?;
    if !args.force && entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != PARTIAL)) {
        let text = format!(
            "cannot use {}: the folder is not empty; `--force` replaces files in it",
            folder.display()
        );
        return Err(Failure::Io(text));
    }
    let partial = folder.join(PARTIAL);
    let written = generate(args, &partial, stopped).and_then(|totals| {
        for entry in fs::read_dir(&partial).map_err(failed("read", &partial))?.flatten() {
            let path = folder.join(entry.file_name());
            fs::rename(entry.path(), &path).map_err(failed("rename a finished file to", &path))?;
        }
        Ok(totals)
    });
    // After a success it is empty; after a failure what is left can only be removed by hand.
    let _ = fs::remove_dir_all(&partial);
    written
}

fn generate(args: &SynthArgs, partial: &Path, stopped: &AtomicBool) -> Result<Totals, Failure> {
    let failed = |error: io::Error| Failure::Io(format!("cannot write {}: {error}", args.output.display()));
    let mut options = Options::new(args.patients.get(), args.seed);
    if args.regular {
        options.profile = Profile::Regular;
    }
    let mut sink = DirSink::create(partial).map_err(failed)?;
    let mut generator = Generator::new(&options);
    for index in 0..options.patients {
        if stopped.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        generator.patient(index, &mut sink).map_err(failed)?;
    }
    sink.finish().map_err(failed)?;
    Ok(generator.totals().clone())
}

fn table(totals: &Totals) -> String {
    let mut table = Table::new(&[("type", Align::Left), ("resources", Align::Right)]);
    let mut counts: Vec<_> = totals.iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_unstable();
    for (name, count) in counts {
        table.row([name.to_owned(), grouped(count)]);
    }
    table.total(["total".to_owned(), grouped(totals.lines())]);
    format!("{table}\n{} bytes", grouped(totals.bytes()))
}
