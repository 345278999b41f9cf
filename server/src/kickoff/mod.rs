//! The kick-off of an export: one reader for every door, both methods and all profiles.
//!
//! [`read`] turns a [`Call`] into a [`Kickoff`], which is all that a job has to remember, or into a [`Refusal`] that tells
//! everything that is wrong at once. What becomes of what is wrong stands in one table, [`decide`]. The request has been
//! compiled when it is taken: what depends on the data alone ([`found`]) is all that is left to be asked.

mod body;
mod compile;
pub mod decide;
mod fault;
pub mod found;
mod given;
pub mod headers;
mod patient;
mod query;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use fhirehose_core::ids::IdSet;
use fhirehose_core::problem::Problem;
use fhirehose_core::profile::Level;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::code_list::CodeList;
use fhirehose_core::search::table::Registry;
use serde::{Deserialize, Serialize};

use crate::profile::{Guide, Method, Route, ServerProfile};
use decide::{Lenient, Situation};
pub use fault::{Fault, Note, Place, Refusal};

/// Where an export is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// `$export`
    System,
    /// `Patient/$export`
    Patient,
    /// `Group/{id}/$export`, with the id as the path has it, decoded.
    Group(String),
}

impl Door {
    /// Its level.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Door::System => Level::System,
            Door::Patient => Level::Patient,
            Door::Group(_) => Level::Group,
        }
    }

    fn path(&self) -> String {
        match self {
            Door::System => "$export".to_owned(),
            Door::Patient => "Patient/$export".to_owned(),
            Door::Group(id) => format!("Group/{id}/$export"),
        }
    }
}

/// A kick-off as it came over the wire.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// GET or POST; of others the routes tell.
    pub method: Method,
    /// Where.
    pub door: Door,
    /// What follows the `?`, not decoded.
    pub query: Option<&'a str>,
    /// All headers, in their order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// What a kick-off is read by.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What is offered.
    pub profile: &'static ServerProfile,
    /// The search parameters of the data's FHIR version.
    pub registry: &'a Registry,
    /// The FHIR base that clients see.
    pub public_base: &'a str,
    /// The FHIR base that absolute references in the data have, if it is another.
    pub data_base: Option<&'a str>,
    /// Code lists for `:in` and `:not-in`, by the URL of the value set.
    pub value_sets: &'a HashMap<String, Arc<CodeList>>,
    /// Take a missing `Accept`, and a missing `Prefer: respond-async`, for what they should be.
    pub assume_async: bool,
    /// The clock: an instant.
    pub now: &'a str,
}

/// A kick-off that is taken: plain data, which is all that its job has to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kickoff {
    /// Where it was asked for.
    pub door: Door,
    /// The URL as it was called, for the manifest's `request`.
    pub url: String,
    /// The shape of its answers.
    pub guide: Guide,
    /// `_type`, one type an item; empty: every type of the profile.
    pub types: Vec<String>,
    /// `_typeFilter`, one filter an item.
    pub type_filters: Vec<String>,
    /// `_since`
    pub since: Option<String>,
    /// `_until`
    pub until: Option<String>,
    /// `_elements`, one entry an item.
    pub elements: Vec<String>,
    /// `includeAssociatedData`, one value an item.
    pub associated_data: Vec<String>,
    /// `organizeOutputBy`
    pub organize_by: Option<String>,
    /// Ids of the listed patients, each once; `None`: there is no list. Never an empty one.
    pub patients: Option<Vec<String>>,
    /// `allowPartialManifests`
    pub partial_manifests: bool,
    /// `_minimumFileSize`
    pub minimum_file_size: Option<u64>,
    /// `_maximumFileSize`
    pub maximum_file_size: Option<u64>,
    /// `Prefer: separate-export-status`, where it is honoured.
    pub separate_status: bool,
    /// Listed patients who are not there are left out and told; otherwise they are an error.
    pub forgives_unknown_patients: bool,
    /// What was ignored or noticed, for the manifest's error files.
    pub notes: Vec<Note>,
}

impl Kickoff {
    /// The group, at its level.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match &self.door {
            Door::Group(id) => Some(id),
            _ => None,
        }
    }

    /// The cohort as far as the kick-off says; `None` at system level. At patient level without a list, and of a group, its
    /// patients have yet to be found.
    #[must_use]
    pub fn cohort(&self) -> Option<Cohort> {
        let mut ids = IdSet::default();
        ids.extend(self.patients.iter().flatten().map(String::as_bytes));
        (self.door != Door::System).then(|| Cohort {
            patients: Arc::new(ids),
            exclusive: false,
            group: self.group().map(str::to_owned),
        })
    }

    /// The request for the engine. `cohort` is what [`Kickoff::cohort`] turned out to be. Whether `now` bounds the export
    /// too ([`Request::transaction_time`]) is the caller's to say.
    #[must_use]
    pub fn request(&self, cohort: Option<Cohort>, setting: &Setting<'_>) -> Request {
        let types = if self.types.is_empty() {
            let names = setting.profile.rules.default_types(Some(self.door.level()));
            names.into_iter().map(str::to_owned).collect()
        } else {
            self.types.clone()
        };
        Request {
            types,
            type_filters: self.type_filters.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            now: Some(setting.now.to_owned()),
            elements: self.elements.clone(),
            organize_by: self.organize_by.clone(),
            fhir_base: Some(setting.data_base.unwrap_or(setting.public_base).to_owned()),
            value_sets: setting.value_sets.clone(),
            cohort,
            associated_data: self.associated_data.clone(),
            ..Request::default()
        }
    }
}

/// What has been found while a kick-off is read.
struct Reading<'s> {
    setting: &'s Setting<'s>,
    is_lenient: bool,
    faults: Vec<Fault>,
    notes: Vec<Note>,
}

/// Most notes of one kick-off; a client that has more of them does not read them either.
const MOST_NOTES: usize = 1000;

impl Reading<'_> {
    fn lenient(&self, situation: Situation) -> Lenient {
        if self.is_lenient {
            decide::lenient(situation, self.setting.profile)
        } else {
            Lenient::Refuse
        }
    }

    fn refuse(&mut self, situation: Situation, problem: Problem, place: Place) {
        let fault = Fault::new(situation, self.setting.profile, problem, place);
        self.faults.push(fault);
    }

    /// Does with a fault what the table says, and says what that was.
    fn judge(&mut self, fault: Fault) -> Lenient {
        let verdict = fault
            .situation
            .map_or(Lenient::Refuse, |situation| self.lenient(situation));
        match verdict {
            Lenient::Refuse => self.faults.push(fault),
            Lenient::Drop => self.note(Note::forgiven(&fault, "ignored")),
            Lenient::Keep => self.note(Note::forgiven(&fault, "done as asked")),
        }
        verdict
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }
}

/// Reads a kick-off. Everything that is wrong with it is told at once, unless it came to the wrong door.
pub fn read(call: &Call<'_>, setting: &Setting<'_>) -> Result<Kickoff, Refusal> {
    at_the_door(call, setting.profile)?;
    let preferences = headers::preferences(call.headers);
    let mut reading = Reading {
        setting,
        is_lenient: preferences.lenient,
        faults: Vec::new(),
        notes: Vec::new(),
    };
    let assume = setting.assume_async || !setting.profile.needs_respond_async;
    let asks = headers::asks_for_a_job(preferences, call.headers, assume);
    let accept = setting.profile.accept(Route::KickOff);
    let accept = accept.and_then(|rule| headers::accept(call.headers, rule, setting.assume_async));
    reading.faults.extend(accept.into_iter().chain(asks));
    let mut raw = query::read(call.query.unwrap_or_default(), setting.profile, &mut reading.faults);
    raw.extend(of_body(call, &mut reading));
    let given = given::look_up(raw, call, &mut reading);
    let mut draft = values::read(given, &mut reading);
    compile::check(&mut draft, call, &mut reading);
    if !reading.faults.is_empty() {
        return Err(Refusal {
            faults: reading.faults,
            allow: Vec::new(),
        });
    }
    Ok(Kickoff {
        door: call.door.clone(),
        url: url(call, setting.public_base),
        guide: setting.profile.guide,
        types: draft.types.items,
        type_filters: draft.type_filters.items,
        since: draft.since,
        until: draft.until,
        elements: draft.elements.items,
        associated_data: draft.associated_data.items,
        organize_by: draft.organize_by.items.into_iter().next(),
        patients: draft.patients.ids,
        partial_manifests: draft.partial_manifests,
        minimum_file_size: draft.minimum_file_size,
        maximum_file_size: draft.maximum_file_size,
        separate_status: preferences.separate_status && setting.profile.separate_status,
        forgives_unknown_patients: reading.lenient(Situation::UnknownPatient) == Lenient::Drop,
        notes: reading.notes,
    })
}

/// Whether there is such a door, and the method is one of its.
fn at_the_door(call: &Call<'_>, profile: &'static ServerProfile) -> Result<(), Refusal> {
    let told =
        |status, code, message: String| Fault::at(Place::Path, status, code, Problem::whole("path", "", message));
    let Some(door) = profile.door(call.door.level()) else {
        let paths = profile.doors.iter().map(|door| match door.level {
            Level::System => "$export",
            Level::Patient => "Patient/$export",
            Level::Group => "Group/{id}/$export",
        });
        let message = format!(
            "the {} profile has no export here, but at {}",
            profile.name,
            paths.collect::<Vec<_>>().join(" and ")
        );
        return Err(Refusal::one(told(404, "not-supported", message)));
    };
    if let Door::Group(id) = &call.door
        && !patient::is_id(id)
    {
        let message = "there is no such Group; an id is 1 to 64 of A-Z a-z 0-9 - .".to_owned();
        return Err(Refusal::one(told(404, "not-found", message)));
    }
    if !door.methods.contains(&call.method) {
        let allow: Vec<&str> = door.methods.iter().map(|method| method.name()).collect();
        let message = format!(
            "the {} profile takes {} here, not {}",
            profile.name,
            allow.join(" or "),
            call.method.name()
        );
        return Err(Refusal {
            allow,
            ..Refusal::one(told(405, "not-supported", message))
        });
    }
    Ok(())
}

/// The parameters of the body. A POST without one has none.
fn of_body<'a>(call: &Call<'a>, reading: &mut Reading<'_>) -> Vec<given::Raw<'a>> {
    if call.body.is_empty() {
        return Vec::new();
    }
    if call.method == Method::Get {
        let problem = Problem::whole("body", "", "a GET has no body; its parameters stand in the URL");
        reading.refuse(Situation::Unreadable, problem, Place::Body("Parameters".to_owned()));
        return Vec::new();
    }
    if let Some(fault) = headers::content_type(call.headers) {
        reading.faults.push(fault);
        return Vec::new();
    }
    body::read(call.body, reading.setting.profile, &mut reading.faults)
}

/// The URL that was called. What is no character of a URL is encoded, so that it can be told on.
fn url(call: &Call<'_>, base: &str) -> String {
    let mut url = format!("{}/{}", base.trim_end_matches('/'), call.door.path());
    if let Some(query) = call.query.filter(|query| !query.is_empty()) {
        url.push('?');
        for byte in query.bytes() {
            if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'#') {
                url.push(char::from(byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    url
}
