//! Whose records: patient ids from flags and files, and the pass that finds the cohort.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use fhirehose_core::ids::IdSet;
use fhirehose_core::profile::Level;
use fhirehose_core::search::kind::date;
use fhirehose_native::cohort::{CohortRequest, FoundCohort};

use crate::args::{CohortArgs, RequestArgs};
use crate::messages::{self, Faults};
use crate::summary::counted;

/// Most bad ids that are told one by one.
const MOST_TOLD: u64 = 20;

/// What is asked for, or `None` where everybody's records are. What is wrong goes into `faults`.
pub(crate) fn asked_for(
    args: &CohortArgs,
    request: &RequestArgs,
    now: &str,
    reads_stdin: bool,
    faults: &mut Faults,
) -> Option<CohortRequest> {
    let by_id = !args.patient.is_empty() || args.patients.is_some();
    if !by_id && args.group.is_none() {
        let given = [("--exclusive", args.exclusive), ("--lenient", args.lenient)];
        for (flag, _) in given.iter().filter(|(_, is_given)| *is_given) {
            faults.usage(format_args!("{flag}: needs --patient, --patients or --group"));
        }
        return None;
    }
    if let Some(group) = &args.group
        && !is_id(group)
    {
        faults.usage(format_args!(
            "--group: `{group}` is no id; expected 1 to 64 of A-Z a-z 0-9 - ."
        ));
    }
    let base = request.fhir_base.as_deref().map(|base| base.trim_end_matches('/'));
    let patients = by_id.then(|| Arc::new(patients(args, base, reads_stdin, faults)));
    let at = request.transaction_time.as_deref().unwrap_or(now);
    Some(CohortRequest {
        patients,
        group: args.group.clone(),
        exclusive: args.exclusive,
        // A malformed time is told with the other problems of the request.
        at: date::read_instant(&at.replace(' ', "+")).unwrap_or_default(),
        base: base.map(str::to_owned),
        lenient: args.lenient,
        most: crate::request::profile(request).most_patients(),
    })
}

/// The level that an export of the cohort is at, or of everything. `None`: the list is empty, which has been told.
pub(crate) fn level(asked: Option<&CohortRequest>) -> Option<Level> {
    let Some(asked) = asked else {
        return Some(Level::System);
    };
    match &asked.patients {
        Some(ids) if ids.is_empty() => None,
        _ if asked.group.is_some() => Some(Level::Group),
        _ => Some(Level::Patient),
    }
}

/// Tells who was left out.
pub(crate) fn tell(found: &FoundCohort, has_files: bool) {
    let group = found.cohort.group.as_deref().unwrap_or_default();
    if !found.left_out.is_empty() {
        messages::note(format_args!(
            "note: members of Group `{group}` that do not count: {}",
            found.left_out
        ));
    }
    for missing in &found.missing_groups {
        messages::note(format_args!(
            "note: Group `{missing}`, a member of Group `{group}`, is not in the input"
        ));
    }
    let names = if has_files {
        "; error/ names each"
    } else {
        "; an export into a folder names each"
    };
    let told = [
        (found.unknown, ["was", "were"], "asked for and not in the input", names),
        (
            found.strangers.len(),
            ["was", "were"],
            "asked for and not in the group",
            names,
        ),
        (
            found.differing,
            ["occurs", "occur"],
            "more than once, with different content",
            "",
        ),
    ];
    for (count, [one, many], what, names) in told.iter().filter(|(count, ..)| *count > 0) {
        let patients = counted(*count as u64, "patient");
        let verb = if *count == 1 { one } else { many };
        messages::note(format_args!("note: {patients} {verb} {what}{names}"));
    }
}

pub(crate) fn patients(args: &CohortArgs, base: Option<&str>, reads_stdin: bool, faults: &mut Faults) -> IdSet {
    let mut ids = IdSet::default();
    let mut bad = 0;
    for text in args.patient.iter().flat_map(|text| text.split(',')) {
        add(&mut ids, text, base, &"--patient", &mut bad, faults);
    }
    if let Some(path) = &args.patients {
        let mut index = 0;
        let read = read(path, reads_stdin, |line| {
            index += 1;
            // Some editors put a byte order mark first.
            let line = if index == 1 {
                line.trim_start_matches('\u{feff}')
            } else {
                line
            };
            if !line.trim().is_empty() {
                add(&mut ids, line, base, &Place(path, index), &mut bad, faults);
            }
        });
        if let Err(text) = read {
            faults.io(text);
        }
    }
    if bad > MOST_TOLD {
        faults.usage(format_args!("{} more that are no patient ids", bad - MOST_TOLD));
    }
    ids.shrink();
    if ids.has_overflowed() {
        faults.usage("more patients than a list can hold");
    }
    if ids.is_empty() && faults.is_empty() {
        faults.usage("the list of patients is empty; an empty list never means everybody");
    }
    ids
}

fn add(ids: &mut IdSet, text: &str, base: Option<&str>, place: &dyn Display, bad: &mut u64, faults: &mut Faults) {
    let text = text.trim();
    let own = base
        .and_then(|base| text.strip_prefix(base)?.strip_prefix('/'))
        .unwrap_or(text);
    let id = own.strip_prefix("Patient/").unwrap_or(own);
    if is_id(id) {
        ids.insert(id.as_bytes());
        return;
    }
    *bad += 1;
    if *bad <= MOST_TOLD {
        faults.usage(format_args!(
            "{place}: no patient id; expected an id or Patient/id, of A-Z a-z 0-9 - . and at most 64"
        ));
    }
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A line of a file, for messages.
struct Place<'p>(&'p Path, u64);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.0.display(), self.1)
    }
}

/// Calls `each` with every line. Millions of them need not lie in memory at once.
fn read(path: &Path, stdin_is_taken: bool, mut each: impl FnMut(&str)) -> Result<(), String> {
    let told = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut lines: Box<dyn BufRead> = if path.as_os_str() != "-" {
        Box::new(BufReader::new(std::fs::File::open(path).map_err(told)?))
    } else if stdin_is_taken {
        return Err("--patients -: standard input is an input already".to_owned());
    } else {
        Box::new(std::io::stdin().lock())
    };
    let mut line = String::new();
    while lines.read_line(&mut line).map_err(told)? > 0 {
        each(&line);
        line.clear();
    }
    Ok(())
}
