//! Kick-offs over every door, as a client sends them: what is taken, and what is refused with which status, name and place.

mod body;
mod corners;
mod doors;
mod limits;
mod oracle;
mod query;
mod rules;

use std::collections::HashMap;
use std::sync::LazyLock;

use fhirehose_core::search::table::Registry;
use fhirehose_server::kickoff::decide::Situation;
use fhirehose_server::kickoff::found::{self, Found};
use fhirehose_server::kickoff::{self, Call, Door, Kickoff, Refusal, Setting};
use fhirehose_server::profile::{Guide, IG, IG4, Method, ORACLE, ServerProfile};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::r4);

const BASE: &str = "https://example.org/fhir";
const NOW: &str = "2024-05-01T00:00:00Z";
const ACCEPT: (&str, &str) = ("Accept", "application/fhir+json");
const STRICT: (&str, &str) = ("Prefer", "respond-async");
const LENIENT: (&str, &str) = ("Prefer", "respond-async, handling=lenient");
const JSON: (&str, &str) = ("Content-Type", "application/fhir+json");

fn setting<'a>(
    profile: &'static ServerProfile,
    none: &'a HashMap<String, std::sync::Arc<fhirehose_core::search::code_list::CodeList>>,
) -> Setting<'a> {
    Setting {
        profile,
        registry: &REGISTRY,
        public_base: BASE,
        data_base: None,
        value_sets: none,
        assume_async: false,
        now: NOW,
    }
}

/// `GET Patient/$export?_type=Patient` and a body, with these headers.
fn sent(profile: &'static ServerProfile, line: &str, headers: &[(&str, &str)], body: &str) -> Result<Kickoff, Refusal> {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let door = match path.strip_suffix("$export").expect("an export") {
        "" => Door::System,
        "Patient/" => Door::Patient,
        group => Door::Group(group.trim_start_matches("Group/").trim_end_matches('/').to_owned()),
    };
    let call = Call {
        method: if method == "GET" { Method::Get } else { Method::Post },
        door,
        query,
        headers,
        body: body.as_bytes(),
    };
    kickoff::read(&call, &setting(profile, &HashMap::new()))
}

fn strictly(profile: &'static ServerProfile, line: &str, body: &str) -> Result<Kickoff, Refusal> {
    sent(profile, line, &[ACCEPT, STRICT, JSON], body)
}

fn leniently(profile: &'static ServerProfile, line: &str, body: &str) -> Result<Kickoff, Refusal> {
    sent(profile, line, &[ACCEPT, LENIENT, JSON], body)
}

/// Entries of a `Parameters` resource.
fn parameters(entries: &str) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{entries}]}}"#)
}

fn entry(name: &str, member: &str, value: &str) -> String {
    format!(r#"{{"name":"{name}","{member}":{value}}}"#)
}

fn patients(ids: &[&str]) -> String {
    let entries: Vec<String> = ids
        .iter()
        .map(|id| {
            entry(
                "patient",
                "valueReference",
                &format!(r#"{{"reference":"Patient/{id}"}}"#),
            )
        })
        .collect();
    entries.join(",")
}

/// Name, marked text, status and code of each fault.
fn told(refusal: &Refusal) -> Vec<(&str, &str, u16, &str)> {
    let of = |fault: &'_ kickoff::Fault| {
        let problem = &fault.problem;
        (problem.option, problem.span.clone(), fault.status, fault.code)
    };
    refusal
        .faults
        .iter()
        .map(|fault| {
            let (option, span, status, code) = of(fault);
            (option, &fault.problem.text[span], status, code)
        })
        .collect()
}

#[track_caller]
fn taken(result: Result<Kickoff, Refusal>, what: &str) -> Kickoff {
    result.unwrap_or_else(|refusal| panic!("{what}: {:#?}", refusal.faults))
}

#[track_caller]
fn refused(result: Result<Kickoff, Refusal>, what: &str) -> Refusal {
    match result {
        Ok(kickoff) => panic!("{what} was taken: {kickoff:#?}"),
        Err(refusal) => refusal,
    }
}

/// Each line is refused strictly, with one fault.
#[track_caller]
fn all_refused(profile: &'static ServerProfile, cases: &[(&str, &str, &str, u16, &str)]) {
    for (line, name, marked, status, code) in cases {
        let refusal = refused(strictly(profile, line, ""), line);
        assert_eq!(told(&refusal), [(*name, *marked, *status, *code)], "{line}");
        assert_eq!(refusal.status(), *status, "{line}");
    }
}

/// Each line is refused in the same way under lenient handling.
#[track_caller]
fn never_forgiven(profile: &'static ServerProfile, cases: &[(&str, u16)]) {
    for (line, status) in cases {
        for result in [strictly(profile, line, ""), leniently(profile, line, "")] {
            assert_eq!(refused(result, line).status(), *status, "{line}");
        }
    }
}

/// Each line is refused strictly; leniently it is taken, with one note that names the parameter.
#[track_caller]
fn forgiven(profile: &'static ServerProfile, line: &str, name: &str, status: u16) -> Kickoff {
    assert_eq!(refused(strictly(profile, line, ""), line).status(), status, "{line}");
    let kickoff = taken(leniently(profile, line, ""), line);
    let notes: Vec<&str> = kickoff.notes.iter().map(|note| note.diagnostics.as_str()).collect();
    assert_eq!(notes.len(), 1, "{line}: {notes:?}");
    assert!(notes[0].contains(name), "{line}: {notes:?}");
    assert!(kickoff.notes[0].is_warning);
    kickoff
}
