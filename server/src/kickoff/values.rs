//! The texts of parameters into values: lists taken apart, instants, booleans and numbers read.

use std::collections::HashSet;

use fhirehose_core::problem::{Problem, did_you_mean};
use fhirehose_core::profile::{Answer, Parameter};
use fhirehose_core::search::kind::date::read_instant;
use fhirehose_core::search::query;

use super::Reading;
use super::decide::{Lenient, Situation, bad_value_of};
use super::fault::{Fault, Note, Place};
use super::given::Given;
use super::patient;
use crate::profile::{Commas, MOST_ITEMS, MOST_LIST_BYTES, MOST_SEARCH_PARAMETERS};

/// The items of a list, each once, each with its place.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) items: Vec<String>,
    places: Vec<Place>,
}

impl List {
    /// Where an item stands in the request.
    pub(super) fn place(&self, text: &str) -> Option<&Place> {
        let index = self.items.iter().position(|item| item == text)?;
        self.places.get(index)
    }

    /// Takes an item out, if it is there.
    pub(super) fn remove(&mut self, text: &str) -> bool {
        let index = self.items.iter().position(|item| item == text);
        if let Some(index) = index {
            self.items.remove(index);
            self.places.remove(index);
        }
        index.is_some()
    }
}

/// The listed patients.
#[derive(Debug, Default)]
pub(super) struct Patients {
    /// Ids, each once; `None`: none is listed.
    pub(super) ids: Option<Vec<String>>,
    /// Some reference was none; that has been told.
    pub(super) has_bad: bool,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) types: List,
    pub(super) type_filters: List,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) elements: List,
    pub(super) associated_data: List,
    pub(super) organize_by: List,
    pub(super) patients: Patients,
    pub(super) partial_manifests: bool,
    pub(super) minimum_file_size: Option<u64>,
    pub(super) maximum_file_size: Option<u64>,
    /// Places of `_since` and `_until`, for what only both together tell.
    pub(super) window: Option<Place>,
}

/// Reads everything that has been given.
pub(super) fn read(given: Vec<Given>, reading: &mut Reading<'_>) -> Draft {
    let mut draft = Draft::default();
    let mut lists: [(Parameter, Vec<Given>); 6] = LISTS.map(|parameter| (parameter, Vec::new()));
    for given in given {
        if let Some((_, list)) = lists.iter_mut().find(|(parameter, _)| *parameter == given.parameter) {
            list.push(given);
        } else {
            single(given, &mut draft, reading);
        }
    }
    for (parameter, given) in lists {
        if given.is_empty() {
            continue;
        }
        match parameter {
            Parameter::Patient => draft.patients = patients(&given, reading),
            Parameter::TypeFilter => draft.type_filters = list(parameter, &given, reading),
            Parameter::Type => draft.types = list(parameter, &given, reading),
            Parameter::Elements => draft.elements = list(parameter, &given, reading),
            Parameter::IncludeAssociatedData => draft.associated_data = list(parameter, &given, reading),
            _ => draft.organize_by = list(parameter, &given, reading),
        }
    }
    one_organizer(&mut draft, reading);
    file_sizes(&mut draft, reading);
    draft
}

/// The parameters that are lists.
const LISTS: [Parameter; 6] = [
    Parameter::Type,
    Parameter::TypeFilter,
    Parameter::Elements,
    Parameter::IncludeAssociatedData,
    Parameter::OrganizeOutputBy,
    Parameter::Patient,
];

fn single(given: Given, draft: &mut Draft, reading: &mut Reading<'_>) {
    match given.parameter {
        Parameter::OutputFormat => output_format(&given, reading),
        Parameter::Since => {
            draft.since = instant(&given, reading).filter(|since| has_come(since, &given, reading));
        }
        Parameter::Until => {
            draft.until = instant(&given, reading);
            draft.window = Some(given.place);
        }
        Parameter::AllowPartialManifests => match given.text.trim() {
            "true" => draft.partial_manifests = true,
            "false" => draft.partial_manifests = false,
            _ => bad(&given, "expected `true` or `false`", None, reading),
        },
        Parameter::MinimumFileSize => draft.minimum_file_size = size(&given, reading),
        Parameter::MaximumFileSize => draft.maximum_file_size = size(&given, reading),
        // The lists have been told apart before.
        _ => {}
    }
}

/// A value that is wrong, whatever the table makes of it.
fn bad(given: &Given, message: &str, help: Option<String>, reading: &mut Reading<'_>) {
    let problem = Problem::whole(given.parameter.name(), &given.text, message).with_help(help);
    let situation = bad_value_of(given.parameter);
    let fault = Fault::new(situation, reading.setting.profile, problem, given.place.clone());
    reading.judge(fault);
}

const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// The three spellings, in any case; a `+` may have become a blank on its way (C1, C2).
fn output_format(given: &Given, reading: &mut Reading<'_>) {
    let text = given.text.trim().to_ascii_lowercase().replace(' ', "+");
    if !FORMATS.contains(&text.as_str()) {
        let message = "files are NDJSON only; expected application/fhir+ndjson, application/ndjson or ndjson";
        bad(given, message, did_you_mean(&given.text, FORMATS), reading);
    }
}

/// An instant, with the `+` of its offset if that became a blank on its way.
fn instant(given: &Given, reading: &mut Reading<'_>) -> Option<String> {
    let text = given.text.trim();
    let mended = match text.rsplit_once(' ') {
        Some((before, offset)) => format!("{before}+{offset}"),
        None => text.to_owned(),
    };
    if read_instant(&mended).is_some() {
        return Some(mended);
    }
    let message = "malformed instant; expected yyyy-mm-ddThh:mm:ss[.f] with Z or an offset, as in 2024-05-01T00:00:00Z";
    bad(given, message, None, reading);
    None
}

/// Whether `_since` lies behind us, or may lie ahead.
fn has_come(since: &str, given: &Given, reading: &mut Reading<'_>) -> bool {
    let now = reading.setting.now;
    let is_future = read_instant(now).is_some_and(|now| read_instant(since).is_some_and(|since| since > now));
    if !is_future {
        return true;
    }
    let message = format!("lies in the future; here it is {now}");
    let problem = Problem::whole(given.parameter.name(), &given.text, message);
    let profile = reading.setting.profile;
    let fault = Fault::new(Situation::FutureSince, profile, problem, given.place.clone());
    reading.judge(fault) == Lenient::Keep
}

/// A positive integer.
fn size(given: &Given, reading: &mut Reading<'_>) -> Option<u64> {
    let text = given.text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = text.parse().ok().filter(|size| is_number && *size > 0);
    if size.is_none() {
        bad(given, "expected a number of bytes, at least 1", None, reading);
    }
    size
}

/// The largest size has to be above the least.
fn file_sizes(draft: &mut Draft, reading: &mut Reading<'_>) {
    let (Some(least), Some(most)) = (draft.minimum_file_size, draft.maximum_file_size) else {
        return;
    };
    if most > least {
        return;
    }
    let name = Parameter::MaximumFileSize.name();
    let message = format!("not above {}, which is {least}", Parameter::MinimumFileSize.name());
    let problem = Problem::whole(name, &most.to_string(), message);
    let place = Place::Query(name.to_owned());
    let fault = Fault::new(Situation::BadHint, reading.setting.profile, problem, place);
    if reading.judge(fault) == Lenient::Drop {
        (draft.minimum_file_size, draft.maximum_file_size) = (None, None);
    }
}

/// Takes a list apart. One that says nothing is no list.
fn list(parameter: Parameter, given: &[Given], reading: &mut Reading<'_>) -> List {
    let name = parameter.name();
    let is_filters = parameter == Parameter::TypeFilter;
    let bytes: usize = given.iter().map(|given| given.text.len()).sum();
    if bytes > MOST_LIST_BYTES {
        too_much(
            given,
            format!("{bytes} bytes; at most {MOST_LIST_BYTES} are taken"),
            reading,
        );
        return List::default();
    }
    let mut list = List::default();
    let mut seen = HashSet::new();
    for given in given {
        let ranges = if is_filters {
            query::split_filters(&given.text, |name| reading.setting.registry.is_type(name))
        } else {
            query::split(&given.text, ',')
        };
        let items: Vec<&str> = ranges.into_iter().map(|range| given.text[range].trim()).collect();
        if items.len() > 1 && reading.setting.profile.commas == Commas::Retired {
            reading.note(retired(name));
        }
        for item in items.into_iter().filter(|item| !item.is_empty()) {
            if seen.insert(item.to_owned()) {
                list.items.push(item.to_owned());
                list.places.push(given.place.clone());
            }
        }
    }
    if list.items.is_empty() {
        nothing(parameter, given, reading);
    }
    let pairs: usize = list.items.iter().map(|item| 1 + item.matches('&').count()).sum();
    if is_filters && pairs > MOST_SEARCH_PARAMETERS {
        let message = format!("{pairs} search parameters; at most {MOST_SEARCH_PARAMETERS} are taken");
        too_much(given, message, reading);
        return List::default();
    }
    if list.items.len() > MOST_ITEMS {
        let message = format!("{} values; at most {MOST_ITEMS} are taken", list.items.len());
        too_much(given, message, reading);
        return List::default();
    }
    list
}

/// A list without items. An empty list of types would mean every type if it were dropped, so it is not.
fn nothing(parameter: Parameter, given: &[Given], reading: &mut Reading<'_>) {
    let situation = match parameter {
        Parameter::Type => Situation::NoTypeLeft,
        other => bad_value_of(other),
    };
    let problem = Problem::whole(parameter.name(), "", "the value is empty; leave it out or give a value");
    let place = given.first().map_or(Place::Path, |given| given.place.clone());
    let fault = Fault::new(situation, reading.setting.profile, problem, place);
    reading.judge(fault);
}

/// What is too long is refused, however lenient the client is, and not looked into.
fn too_much(given: &[Given], message: String, reading: &mut Reading<'_>) {
    let answer = Answer {
        status: 400,
        code: "too-costly",
    };
    let Some(first) = given.first() else { return };
    let problem = Problem::whole(first.parameter.name(), "", message);
    let situation = bad_value_of(first.parameter);
    let fault = Fault::answered(situation, answer, problem, first.place.clone());
    reading.faults.push(fault);
}

fn retired(name: &str) -> Note {
    Note {
        parameter: name.to_owned(),
        code: "informational".to_owned(),
        is_warning: false,
        diagnostics: format!(
            "{name}: the guide's fourth generation has no comma lists; the list was taken apart here, but give the \
             parameter again for each value"
        ),
    }
}

/// A manifest is organized by one type.
fn one_organizer(draft: &mut Draft, reading: &mut Reading<'_>) {
    while let [_, .., last] = draft.organize_by.items.as_slice() {
        let last = last.clone();
        let message = "output is organized by one type, and another is asked for before this";
        let problem = Problem::whole(Parameter::OrganizeOutputBy.name(), &last, message);
        let place = draft.organize_by.place(&last).cloned().unwrap_or(Place::Path);
        let situation = Situation::UnsupportedOrganizeBy;
        reading.judge(Fault::new(situation, reading.setting.profile, problem, place));
        draft.organize_by.remove(&last);
    }
}

/// The listed patients. Bad references are told one by one.
fn patients(given: &[Given], reading: &mut Reading<'_>) -> Patients {
    let bases: Vec<&str> = [Some(reading.setting.public_base), reading.setting.data_base]
        .into_iter()
        .flatten()
        .collect();
    let mut seen = HashSet::with_capacity(given.len());
    let mut ids = Vec::with_capacity(given.len());
    let mut has_bad = false;
    for given in given {
        match patient::id(&given.text, &bases) {
            Ok(id) => {
                if seen.insert(id) {
                    ids.push(id.to_owned());
                }
            }
            Err(message) => {
                has_bad = true;
                bad(given, message, None, reading);
            }
        }
    }
    Patients {
        ids: Some(ids),
        has_bad,
    }
}
