//! Runs the oracle over the data in `FHIREHOSE_DATA` and reports, per request, how many lines stay.

use fhirehose_core::search::table::Registry;
use fhirehose_tests::data;
use fhirehose_tests::requests::{Counted, RequestList};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nothing is left to do if even this cannot be written.
            let _ = writeln!(io::stderr(), "{problem}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> Result<(), String> {
    let folder = data::folder().ok_or("FHIREHOSE_DATA names no folder")?;
    let list = RequestList::base()?;
    let counted = Counted::over(&Registry::r4(), &list, &folder)?;
    let mut out = io::stdout().lock();
    let mut some = 0;
    for (request, count) in list.request.iter().zip(&counted) {
        let mark = if count.is_telling() { ' ' } else { '*' };
        some += usize::from(count.is_telling());
        writeln!(
            out,
            "{mark} {:>7} of {:>7}  {}",
            count.kept,
            count.seen,
            request.label()
        )
        .map_err(|error| error.to_string())?;
    }
    writeln!(
        out,
        "{some} of {} requests keep some lines and drop some",
        counted.len()
    )
    .map_err(|error| error.to_string())
}
