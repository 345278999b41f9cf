//! Kick-offs over every door, as a client sends them: what is taken, and what is refused with which status, name and place.

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

// The decision table, row by row.

#[test]
fn rule_unknown_parameter_is_refused_or_ignored() {
    all_refused(
        &IG,
        &[
            ("GET $export?_foo=1", "parameter", "_foo", 400, "not-supported"),
            ("GET $export?_Type=Patient", "parameter", "_Type", 400, "not-supported"),
            (
                "GET $export?_type:not=Patient",
                "parameter",
                "_type:not",
                400,
                "not-supported",
            ),
            (
                "GET $export?_maximumFileSize=1",
                "_maximumFileSize",
                "1",
                400,
                "not-supported",
            ),
        ],
    );
    let kickoff = forgiven(&IG, "GET $export?_foo=1&_type=Patient", "_foo", 400);
    assert_eq!(kickoff.types, ["Patient"]);
    assert_eq!(kickoff.notes[0].parameter, "_foo");
    forgiven(&IG, "GET $export?_maximumFileSize=1", "_maximumFileSize", 400);
    let refusal = refused(strictly(&IG, "GET $export?_typ=Patient", ""), "a typo");
    assert_eq!(refusal.faults[0].problem.help.as_deref(), Some("did you mean `_type`?"));
}

#[test]
fn rule_unsupported_types_are_refused_or_dropped_while_one_is_left() {
    all_refused(
        &IG,
        &[
            ("GET $export?_type=Foo", "_type", "Foo", 400, "invalid"),
            ("GET $export?_type=Patient,Foo", "_type", "Foo", 400, "invalid"),
            ("GET $export?_type=patient", "_type", "patient", 400, "invalid"),
            (
                "GET Patient/$export?_type=Patient,Binary",
                "_type",
                "Binary",
                400,
                "invalid",
            ),
        ],
    );
    let kickoff = forgiven(&IG, "GET $export?_type=Foo,Patient", "Foo", 400);
    assert_eq!(kickoff.types, ["Patient"]);
    never_forgiven(
        &IG,
        &[
            ("GET $export?_type=Foo", 400),
            ("GET $export?_type=Foo,Bar", 400),
            ("GET $export?_type=", 400),
            ("GET $export?_type", 400),
            ("GET $export?_type=,%20,", 400),
        ],
    );
}

#[test]
fn rule_only_types_outside_the_compartment_are_refused_at_patient_and_group_level() {
    never_forgiven(
        &IG,
        &[
            ("GET Patient/$export?_type=Practitioner", 400),
            ("GET Group/g/$export?_type=Practitioner,Organization", 400),
        ],
    );
    taken(strictly(&IG, "GET $export?_type=Practitioner", ""), "system level");
    taken(
        strictly(&IG, "GET Group/g/$export?_type=Practitioner,Condition", ""),
        "beside another",
    );
}

#[test]
fn rule_malformed_instants_are_never_forgiven() {
    never_forgiven(
        &IG,
        &[
            ("GET $export?_since=2020", 400),
            ("GET $export?_since=2020-01-01", 400),
            ("GET $export?_since=2020-01-01T00:00:00", 400),
            ("GET $export?_since=2020-01-01T00:00Z", 400),
            ("GET $export?_since=2020-01-01T24:00:00Z", 400),
            ("GET $export?_since=1588000000000", 400),
            ("GET $export?_since=", 400),
            ("GET $export?_until=yesterday", 400),
            (
                "GET $export?_since=2020-01-02T00:00:00Z&_until=2020-01-01T00:00:00Z",
                400,
            ),
            (
                "GET $export?_since=2020-01-01T00:00:00Z&_until=2020-01-01T01:00:00%2B01:00",
                400,
            ),
        ],
    );
    all_refused(&IG, &[("GET $export?_until=2020", "_until", "2020", 400, "invalid")]);
}

#[test]
fn rule_a_since_that_lies_ahead_is_refused_or_kept_and_told() {
    let line = "GET $export?_since=2024-05-01T00:00:00.001Z";
    let kickoff = forgiven(&IG, line, "_since", 400);
    assert_eq!(kickoff.since.as_deref(), Some("2024-05-01T00:00:00.001Z"));
    taken(
        strictly(&IG, "GET $export?_since=2024-05-01T02:00:00%2B02:00", ""),
        "now is no future",
    );
    never_forgiven(&ORACLE, &[("GET Group/g/$export?_since=2030-01-01T00:00:00Z", 400)]);
}

#[test]
fn rule_unknown_output_format_is_never_forgiven() {
    never_forgiven(
        &IG,
        &[
            ("GET $export?_outputFormat=application/fhir%2Bjson", 400),
            ("GET $export?_outputFormat=csv", 400),
            ("GET $export?_outputFormat=", 400),
        ],
    );
    let body = parameters(&entry("_outputFormat", "valueString", r#""text/csv""#));
    assert_eq!(refused(strictly(&IG, "POST $export", &body), "POST").status(), 400);
}

#[test]
fn rule_a_missing_group_is_never_forgiven() {
    for headers in [STRICT, LENIENT] {
        let result = sent(&IG, "GET Group/g1/$export", &[ACCEPT, headers], "");
        let kickoff = taken(result, "whether the Group is there only the data can tell");
        let refusal = found::check(&kickoff, &Found::default(), &IG).expect_err("there is none");
        assert_eq!(told(&refusal), [("Group", "g1", 404, "not-found")]);
        let is_there = Found {
            members: Some(0),
            ..Found::default()
        };
        assert_eq!(
            found::check(&kickoff, &is_there, &IG),
            Ok(()),
            "an empty one is none of it (C33)"
        );
    }
    // Path tricks end here, too.
    for id in ["../Patient", ".%2e", "a/b", "", "g%00", "a b", &"a".repeat(65)] {
        let none = HashMap::new();
        let call = Call {
            method: Method::Get,
            door: Door::Group(id.to_owned()),
            query: None,
            headers: &[ACCEPT, LENIENT],
            body: b"",
        };
        let result = kickoff::read(&call, &setting(&IG, &none));
        assert_eq!(refused(result, id).status(), 404, "{id}");
    }
}

#[test]
fn rule_patient_at_system_level_is_never_forgiven() {
    let body = parameters(&patients(&["1"]));
    for result in [
        strictly(&IG, "POST $export", &body),
        leniently(&IG, "POST $export", &body),
    ] {
        let refusal = refused(result, "system level");
        assert_eq!(refusal.faults[0].situation, Some(Situation::PatientAtSystemLevel));
        assert_eq!(refusal.status(), 400);
    }
    never_forgiven(&IG, &[("GET $export?patient=Patient/1", 400)]);
}

#[test]
fn rule_patient_in_a_url_is_never_forgiven() {
    never_forgiven(
        &IG,
        &[
            ("GET Patient/$export?patient=Patient/1", 400),
            ("GET Group/g/$export?patient=Patient/1", 400),
        ],
    );
    // Ignored, it would export the whole group.
    never_forgiven(&ORACLE, &[("GET Group/g/$export?patient=Patient/1", 400)]);
}

#[test]
fn rule_filters_that_cannot_be_applied_are_never_forgiven() {
    let cases = [
        "Observation?foo=1",
        "Observation?code:above=1",
        "Observation?code:foo=1",
        "Observation?_count=5",
        "Observation?_include=Observation:subject",
        "Observation?_sort=date",
        "Observation?date=ge2020-13-01",
        "Observation?status=",
        "Observation?subject:Patient.name=x",
        "Observation?_has:Provenance:target:agent=1",
        "Observation",
        "?code=1",
        "Observation/1?code=1",
        "https://example.org/fhir/Observation?code=1",
        "Patient/1/Observation?code=1",
        "Foo?code=1",
        "Observation?code=a\\x",
        "Observation?code",
    ];
    for filter in cases {
        let body = parameters(&entry("_typeFilter", "valueString", &format!("{:?}", filter)));
        for result in [
            strictly(&IG, "POST $export", &body),
            leniently(&IG, "POST $export", &body),
        ] {
            let refusal = refused(result, filter);
            assert_eq!(refusal.status(), 400, "{filter}");
            assert!(
                refusal.faults.iter().all(|fault| fault.problem.option == "_typeFilter"),
                "{filter}"
            );
        }
    }
    never_forgiven(
        &IG,
        &[("GET $export?_typeFilter=", 400), ("GET $export?_typeFilter=%2C", 400)],
    );
}

#[test]
fn rule_a_filter_of_a_type_that_is_not_exported_is_refused_or_dropped() {
    let line = "GET $export?_type=Patient&_typeFilter=Observation?code=1";
    let kickoff = forgiven(&IG, line, "Observation", 400);
    assert!(kickoff.type_filters.is_empty());
    assert_eq!(kickoff.types, ["Patient"]);
    // One that is wrong besides is wrong.
    never_forgiven(&IG, &[("GET $export?_type=Patient&_typeFilter=Observation?foo=1", 400)]);
}

#[test]
fn rule_elements_that_are_none_are_refused_or_dropped() {
    all_refused(
        &IG,
        &[
            (
                "GET $export?_elements=Patient.name.family",
                "_elements",
                "Patient.name.family",
                400,
                "invalid",
            ),
            (
                "GET $export?_elements=id,Foo.name",
                "_elements",
                "Foo.name",
                400,
                "invalid",
            ),
            ("GET $export?_elements=", "_elements", "", 400, "invalid"),
        ],
    );
    let kickoff = forgiven(
        &IG,
        "GET $export?_elements=id,Patient.name.family",
        "Patient.name.family",
        400,
    );
    assert_eq!(kickoff.elements, ["id"]);
    forgiven(&IG, "GET $export?_elements=", "_elements", 400);
}

#[test]
fn rule_unsupported_organizers_are_refused_or_left_out() {
    let kickoff = forgiven(&IG, "GET $export?organizeOutputBy=Encounter", "Encounter", 400);
    assert_eq!(kickoff.organize_by, None);
    let kickoff = forgiven(&IG, "GET $export?organizeOutputBy=Patient,Encounter", "Encounter", 400);
    assert_eq!(kickoff.organize_by.as_deref(), Some("Patient"));
    // Said twice it is said once (SPEC 2.20).
    for line in [
        "GET $export?organizeOutputBy=Patient&organizeOutputBy=Patient",
        "GET $export?organizeOutputBy=Patient,Patient",
    ] {
        assert_eq!(
            taken(strictly(&IG, line, ""), line).organize_by.as_deref(),
            Some("Patient")
        );
    }
}

#[test]
fn rule_a_repeated_single_parameter_is_never_forgiven() {
    never_forgiven(
        &IG,
        &[
            (
                "GET $export?_since=2020-01-01T00:00:00Z&_since=2021-01-01T00:00:00Z",
                400,
            ),
            (
                "GET $export?_since=2020-01-01T00:00:00Z&_since=2020-01-01T00:00:00Z",
                400,
            ),
            (
                "GET $export?_until=2020-01-01T00:00:00Z&_until=2020-01-01T00:00:00Z",
                400,
            ),
            ("GET $export?_outputFormat=ndjson&_outputFormat=ndjson", 400),
            ("GET $export?allowPartialManifests=true&allowPartialManifests=true", 400),
        ],
    );
}

#[test]
fn rule_unknown_associated_data_is_refused_or_dropped() {
    let line = "GET $export?includeAssociatedData=Foo,LatestProvenanceResources";
    let kickoff = forgiven(&IG, line, "Foo", 400);
    assert_eq!(kickoff.associated_data, ["LatestProvenanceResources"]);
    never_forgiven(&ORACLE, &[("GET Group/g/$export?includeAssociatedData=_custom", 400)]);
}

#[test]
fn rule_unknown_patients_are_refused_each_or_left_to_the_engine() {
    let body = parameters(&patients(&["a", "b", "c"]));
    let unknown = ["b".to_owned(), "c".to_owned()];
    let found = Found {
        unknown: &unknown,
        ..Found::default()
    };
    let kickoff = taken(strictly(&IG, "POST Patient/$export", &body), "a list");
    let refusal = found::check(&kickoff, &found, &IG).expect_err("two are unknown");
    let expected = [
        ("patient", "Patient/b", 404, "not-found"),
        ("patient", "Patient/c", 404, "not-found"),
    ];
    assert_eq!(told(&refusal), expected);
    let kickoff = taken(leniently(&IG, "POST Patient/$export", &body), "a list");
    assert!(kickoff.forgives_unknown_patients);
    assert_eq!(found::check(&kickoff, &found, &IG), Ok(()));
    let kickoff = taken(leniently(&ORACLE, "POST Patient/$export", &body), "a list");
    assert_eq!(
        found::check(&kickoff, &found, &ORACLE).expect_err("400 there").status(),
        400
    );
    let many: Vec<String> = (0..500).map(|id| id.to_string()).collect();
    let found = Found {
        strangers: &many,
        members: Some(3),
        ..Found::default()
    };
    let kickoff = taken(strictly(&IG, "POST Group/g/$export", &body), "a list in a group");
    let refusal = found::check(&kickoff, &found, &IG).expect_err("not of the group");
    assert_eq!(refusal.faults.len(), 100, "told as far as anybody reads");
}

// Headers.

#[test]
fn headers_that_have_to_be_there() {
    let line = "GET $export";
    let status = |headers: &[(&str, &str)]| sent(&IG, line, headers, "").map_err(|refusal| refusal.status());
    assert!(status(&[ACCEPT, STRICT]).is_ok());
    assert!(status(&[("accept", "*/*"), ("PREFER", "Respond-Async")]).is_ok());
    assert!(
        status(&[ACCEPT, ("Prefer", "handling=lenient"), STRICT]).is_ok(),
        "several lines (C8)"
    );
    assert!(status(&[ACCEPT, ("Prefer", "respond-async,wait=10")]).is_ok());
    assert_eq!(status(&[STRICT]), Err(400));
    assert_eq!(status(&[ACCEPT]), Err(400));
    assert_eq!(status(&[ACCEPT, ("Prefer", "return=minimal")]), Err(400));
    assert_eq!(status(&[("Accept", "text/html"), STRICT]), Err(406));
    assert_eq!(
        status(&[("Accept", "application/fhir+ndjson")]),
        Err(406),
        "before the rest"
    );
    let refusal = refused(sent(&IG, line, &[], ""), "no headers");
    let helps: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| fault.problem.help.as_deref())
        .collect();
    let expected = [
        Some("add the line `Accept: application/fhir+json`"),
        Some("add the line `Prefer: respond-async`"),
    ];
    assert_eq!(helps, expected);
}

#[test]
fn what_is_missing_is_assumed_where_the_server_is_told_to() {
    let none = HashMap::new();
    let call = Call {
        method: Method::Get,
        door: Door::System,
        query: None,
        headers: &[],
        body: b"",
    };
    let setting = Setting {
        assume_async: true,
        ..setting(&IG, &none)
    };
    assert!(kickoff::read(&call, &setting).is_ok());
}

#[test]
fn a_separate_status_is_promised_where_it_is_kept() {
    let headers = [ACCEPT, ("Prefer", "respond-async, separate-export-status")];
    assert!(taken(sent(&IG, "GET $export", &headers, ""), "ig").separate_status);
    assert!(taken(sent(&IG4, "POST $export", &headers, ""), "ig4").separate_status);
    assert!(!taken(sent(&ORACLE, "GET Group/g/$export", &headers, ""), "oracle").separate_status);
    assert!(!taken(strictly(&IG, "GET $export", ""), "not asked").separate_status);
}

// Doors.

#[test]
fn doors_and_methods_of_each_profile() {
    for path in ["$export", "Patient/$export", "Group/g/$export"] {
        for method in ["GET", "POST"] {
            let line = format!("{method} {path}");
            taken(strictly(&IG, &line, ""), &line);
        }
        let line = format!("POST {path}");
        taken(strictly(&IG4, &line, ""), &line);
        let line = format!("GET {path}");
        let refusal = refused(strictly(&IG4, &line, ""), &line);
        assert_eq!(
            (refusal.status(), refusal.allow.as_slice()),
            (405, &["POST"][..]),
            "{line}"
        );
    }
    let oracle = |line: &str| {
        let result = strictly(
            &ORACLE,
            line,
            &if line.starts_with("POST P") {
                parameters(&patients(&["1"]))
            } else {
                String::new()
            },
        );
        result.map(|_| 202).unwrap_or_else(|refusal| refusal.status())
    };
    assert_eq!(oracle("GET Group/g/$export"), 202);
    assert_eq!(oracle("POST Patient/$export"), 202);
    assert_eq!(oracle("POST Group/g/$export"), 405);
    assert_eq!(oracle("GET Patient/$export"), 405);
    assert_eq!(oracle("GET $export"), 404);
    assert_eq!(oracle("POST $export"), 404);
    let reply = refused(strictly(&ORACLE, "POST Group/g/$export", ""), "POST").reply();
    assert_eq!(reply.headers, [("Allow", "GET".to_owned())]);
}

// The query.

#[test]
fn lists_in_every_spelling() {
    let line = "GET $export?_type=Patient,,Observation%20,%20Patient&_type=Condition&&_type=Patient";
    assert_eq!(
        taken(strictly(&IG, line, ""), line).types,
        ["Patient", "Observation", "Condition"]
    );
    let line = "GET $export?%5Ftype=Patient&_elements=id,Patient.name&_elements=birthDate";
    let kickoff = taken(strictly(&IG, line, ""), line);
    assert_eq!(kickoff.types, ["Patient"]);
    assert_eq!(kickoff.elements, ["id", "Patient.name", "birthDate"]);
    let line = "GET $export?includeAssociatedData=LatestProvenanceResources,RelevantProvenanceResources";
    assert_eq!(taken(strictly(&IG, line, ""), line).associated_data.len(), 2);
}

#[test]
fn output_formats_in_every_spelling() {
    for format in [
        "application/fhir%2Bndjson",
        "application/fhir+ndjson",
        "application%2Ffhir%20ndjson",
        "application/ndjson",
        "ndjson",
        "NDJSON",
        "Application/FHIR%2BNDJSON",
    ] {
        let line = format!("GET $export?_outputFormat={format}");
        taken(strictly(&IG, &line, ""), &line);
        let line = format!("GET Group/g/$export?_outputFormat={format}");
        taken(strictly(&ORACLE, &line, ""), &line);
    }
}

#[test]
fn the_sign_of_an_offset_survives() {
    for since in [
        "2020-01-01T00:00:00%2B01:00",
        "2020-01-01T00:00:00+01:00",
        "2020-01-01T00:00:00%2001:00",
        "2020-01-01T00%3A00%3A00+01%3A00",
    ] {
        let line = format!("GET $export?_since={since}");
        let kickoff = taken(strictly(&IG, &line, ""), &line);
        assert_eq!(kickoff.since.as_deref(), Some("2020-01-01T00:00:00+01:00"), "{line}");
    }
    let line = "GET $export?_typeFilter=Observation%3Fdate%3Dge2020-01-01T00:00:00+01:00";
    let kickoff = taken(strictly(&IG, line, ""), line);
    assert_eq!(kickoff.type_filters, ["Observation?date=ge2020-01-01T00:00:00+01:00"]);
}

#[test]
fn filters_are_split_at_types_and_decoded_once() {
    let line = "GET $export?_typeFilter=Patient%3Fidentifier%3Dfoo,bar,Practitioner%3Fidentifier%3Dzoo";
    let expected = ["Patient?identifier=foo,bar", "Practitioner?identifier=zoo"];
    assert_eq!(taken(strictly(&IG, line, ""), line).type_filters, expected);
    let line = "GET $export?_typeFilter=Condition?clinical-status=active&_typeFilter=Condition?onset-date=ge2020";
    assert_eq!(taken(strictly(&IG, line, ""), line).type_filters.len(), 2);
    // An encoded `&` of the URL is the filter's own; a doubly encoded one belongs to the value.
    let line = "GET $export?_typeFilter=Observation?code=a%26status=final";
    assert_eq!(
        taken(strictly(&IG, line, ""), line).type_filters,
        ["Observation?code=a&status=final"]
    );
    let line = "GET $export?_typeFilter=Observation?code=a%2526b";
    assert_eq!(
        taken(strictly(&IG, line, ""), line).type_filters,
        ["Observation?code=a%26b"]
    );
    // A second `=` is no end (C15).
    let line = "GET $export?_typeFilter=Observation?code=http://x?a=b%7Cc";
    assert_eq!(
        taken(strictly(&IG, line, ""), line).type_filters,
        ["Observation?code=http://x?a=b|c"]
    );
    let twice = "GET $export?_typeFilter=Patient?&_typeFilter=Patient?";
    assert_eq!(taken(strictly(&IG, twice, ""), twice).type_filters, ["Patient?"]);
}

#[test]
fn what_cannot_be_decoded_is_never_forgiven() {
    never_forgiven(
        &IG,
        &[
            ("GET $export?_type=%zz", 400),
            ("GET $export?_type=Patient%", 400),
            ("GET $export?%ff=1", 400),
            ("GET $export?_foo=%e4", 400),
        ],
    );
    let refusal = refused(strictly(&IG, "GET $export?_type=ab%zz", ""), "a bad sign");
    assert_eq!(told(&refusal), [("query", "%zz", 400, "invalid")]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let line = "GET Patient/$export?_type=Foo,Patient&_since=2020&_bar=1&_typeFilter=Patient?nam=x&_elements=a.b.c";
    let refusal = refused(strictly(&IG, line, ""), line);
    let mut names: Vec<&str> = told(&refusal).into_iter().map(|(name, ..)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["_elements", "_since", "_type", "_typeFilter", "parameter"]);
    let reply = refusal.reply();
    assert_eq!((reply.status, reply.issues.len()), (400, 5));
    let filter = reply
        .issues
        .iter()
        .find(|issue| issue.diagnostics.starts_with("_typeFilter:"));
    let issue = filter.expect("told");
    assert_eq!(issue.location.as_deref(), Some("http._typeFilter"));
    assert!(
        issue.diagnostics.contains("Patient?nam=x\n          ^^^"),
        "{}",
        issue.diagnostics
    );
    assert!(
        issue.diagnostics.contains("did you mean `name`?"),
        "{}",
        issue.diagnostics
    );
}

#[test]
fn the_url_is_told_as_it_was_called() {
    let line = "GET Group/g.1/$export?_type=Patient&_since=2020-01-01T00:00:00%2B01:00";
    let url = taken(strictly(&IG, line, ""), line).url;
    let query = "_type=Patient&_since=2020-01-01T00:00:00%2B01:00";
    assert_eq!(url, format!("{BASE}/Group/g.1/$export?{query}"));
    let body = parameters(&patients(&["1"]));
    let url = taken(strictly(&ORACLE, "POST Patient/$export", &body), "POST").url;
    assert_eq!(url, format!("{BASE}/Patient/$export"), "without what the body says");
}

// The body.

#[test]
fn both_methods_say_the_same() {
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("_type", "Patient,Observation")],
        &[("_type", "Patient"), ("_type", "Observation")],
        &[
            ("_since", "2020-01-01T00:00:00Z"),
            ("_until", "2021-01-01T00:00:00+01:00"),
        ],
        &[
            ("_typeFilter", "Observation?code=a,b&date=ge2020"),
            ("_type", "Observation"),
        ],
        &[("_elements", "id,Patient.name")],
        &[("organizeOutputBy", "Patient"), ("allowPartialManifests", "true")],
        &[("includeAssociatedData", "LatestProvenanceResources")],
        &[("_outputFormat", "application/fhir+ndjson")],
        &[("_type", "Foo")],
        &[("_since", "2020")],
        &[("_foo", "x")],
        &[("_typeFilter", "Observation?foo=1")],
        &[("_outputFormat", "csv")],
        &[("_type", "")],
        &[("_elements", "a.b.c"), ("_type", "Patient,Foo")],
        &[("_until", "2020-01-01T00:00:00Z"), ("_until", "2020-01-01T00:00:00Z")],
    ];
    for case in cases {
        for path in ["$export", "Patient/$export", "Group/g/$export"] {
            for send in [strictly, leniently] {
                let query: Vec<String> = case
                    .iter()
                    .map(|(name, value)| format!("{name}={}", encoded(value)))
                    .collect();
                let get = send(&IG, &format!("GET {path}?{}", query.join("&")), "");
                let entries: Vec<String> = case
                    .iter()
                    .map(|(name, value)| entry(name, "valueString", &format!("{value:?}")))
                    .collect();
                let post = send(&IG, &format!("POST {path}"), &parameters(&entries.join(",")));
                match (get, post) {
                    (Ok(get), Ok(post)) => {
                        let url = post.url.clone();
                        assert_eq!(without_help(get, &url), without_help(post, &url), "{case:?}");
                    }
                    (Err(get), Err(post)) => assert_eq!(plain(&get), plain(&post), "{case:?}"),
                    (get, post) => panic!("{case:?}: {get:#?} {post:#?}"),
                }
            }
        }
    }
}

/// The same URL in both, and notes without their help.
fn without_help(kickoff: Kickoff, url: &str) -> Kickoff {
    let notes = kickoff.notes.into_iter().map(|mut note| {
        let end = note
            .diagnostics
            .find("\n  known here")
            .unwrap_or(note.diagnostics.len());
        note.diagnostics.truncate(end);
        note
    });
    Kickoff {
        url: url.to_owned(),
        notes: notes.collect(),
        ..kickoff
    }
}

/// All but the help, which lists what can be asked for by the method.
fn plain(refusal: &Refusal) -> Vec<(&str, &str, &str, u16)> {
    let faults = refusal.faults.iter();
    faults
        .map(|fault| {
            let problem = &fault.problem;
            (problem.option, &*problem.text, &*problem.message, fault.status)
        })
        .collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn values_of_every_datatype() {
    let reference = r#"{"reference":"Patient/1","type":"Patient","display":"x"}"#;
    let cases = [
        ("_type", "valueString", r#""Patient""#),
        ("_type", "valueCode", r#""Patient""#),
        ("_type", "valueString", r#""Patient, Observation""#),
        ("_since", "valueInstant", r#""2020-01-01T00:00:00Z""#),
        ("_since", "valueDateTime", r#""2020-01-01T00:00:00Z""#),
        ("_since", "valueString", r#""2020-01-01T00:00:00Z""#),
        ("allowPartialManifests", "valueBoolean", "true"),
        ("allowPartialManifests", "valueString", r#""false""#),
        ("patient", "valueReference", reference),
        (
            "patient",
            "valueReference",
            r#"{"reference":"https://example.org/fhir/Patient/1"}"#,
        ),
        ("patient", "valueString", r#""Patient/1""#),
        ("includeAssociatedData", "valueCode", r#""LatestProvenanceResources""#),
        ("includeAssociatedData", "valueString", r#""LatestProvenanceResources""#),
        (
            "includeAssociatedData",
            "valueCoding",
            r#"{"code":"LatestProvenanceResources"}"#,
        ),
        (
            "includeAssociatedData",
            "valueCoding",
            r#"{"system":"http://hl7.org/fhir/uv/bulkdata/CodeSystem/include-associated-data","code":"LatestProvenanceResources"}"#,
        ),
    ];
    for profile in [&IG, &IG4] {
        for (name, member, value) in cases {
            let body = parameters(&entry(name, member, value));
            taken(strictly(profile, "POST Patient/$export", &body), &body);
        }
    }
    let body = parameters(
        &[
            entry("_minimumFileSize", "valuePositiveInt", "1000"),
            entry("_maximumFileSize", "valueInteger64", r#""2000""#),
        ]
        .join(","),
    );
    let kickoff = taken(strictly(&IG4, "POST $export", &body), &body);
    assert_eq!(
        (kickoff.minimum_file_size, kickoff.maximum_file_size),
        (Some(1000), Some(2000))
    );
}

#[test]
fn values_of_another_datatype_are_never_forgiven() {
    let cases = [
        ("_type", "valueQuantity", r#"{"value":1}"#),
        ("_type", "valueString", "5"),
        ("_since", "valueDate", r#""2020-01-01""#),
        ("_since", "valueDateTime", r#""2020-01-01""#),
        ("allowPartialManifests", "valueBoolean", r#""true""#),
        ("patient", "valueReference", r#"{"reference":"Group/1"}"#),
        (
            "patient",
            "valueReference",
            r#"{"reference":"Patient/1","type":"Group"}"#,
        ),
        ("patient", "valueReference", r#"{"identifier":{"value":"1"}}"#),
        (
            "patient",
            "valueReference",
            r#"{"reference":"https://example.com/fhir/Patient/1"}"#,
        ),
        (
            "patient",
            "valueReference",
            r#"{"reference":"Patient/1","reference":"Patient/2"}"#,
        ),
        ("patient", "valueReference", r#"{"reference":""}"#),
        ("patient", "valueString", r#""Patient/1,Patient/2""#),
        ("patient", "valueString", r#""""#),
    ];
    for (name, member, value) in cases {
        let body = parameters(&entry(name, member, value));
        for send in [strictly, leniently] {
            let refusal = refused(send(&IG, "POST Patient/$export", &body), &body);
            assert_eq!(refusal.status(), 400, "{body}");
            assert!(
                told(&refusal).iter().all(|(option, ..)| *option == name),
                "{body}: {:?}",
                told(&refusal)
            );
            let expression = refusal.reply().issues[0].expression.clone();
            assert_eq!(expression.as_deref(), Some("Parameters.parameter[0]"));
        }
    }
    let other_system = r#"{"system":"http://example.org","code":"LatestProvenanceResources"}"#;
    let body = parameters(&entry("includeAssociatedData", "valueCoding", other_system));
    assert_eq!(
        refused(strictly(&IG4, "POST $export", &body), "another system").status(),
        400
    );
}

#[test]
fn bodies_that_are_no_parameters() {
    let cases = [
        "[]",
        "{}",
        "\"Parameters\"",
        "null",
        "not json",
        r#"{"resourceType":"Patient"}"#,
        r#"{"resourceType":"Parameters","parameter":{}}"#,
        r#"{"resourceType":"Parameters","parameter":[1]}"#,
        r#"{"resourceType":"Parameters","parameter":[{}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type"}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":5,"valueString":"x"}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type","valueString":"Patient","valueCode":"Patient"}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type","valueString":"Patient","valueString":"Condition"}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type","part":[]}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type","resource":{}}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"_type","_valueString":{"extension":[]}}]}"#,
        r#"{"resourceType":"Parameters","parameter":[],"parameter":[]}"#,
        r#"{"resourceType":"Parameters","parameter":[]"#,
        r#"{"resourceType":"Parameters"} x"#,
        "_type=Patient",
    ];
    for body in cases {
        for send in [strictly, leniently] {
            assert_eq!(refused(send(&IG, "POST $export", body), body).status(), 400, "{body}");
        }
    }
    let deep = format!("{{\"resourceType\":\"Parameters\",\"x\":{}", "[".repeat(100_000));
    assert_eq!(refused(strictly(&IG, "POST $export", &deep), "deep").status(), 400);
    let call = Call {
        method: Method::Post,
        door: Door::System,
        query: None,
        headers: &[ACCEPT, STRICT, JSON],
        body: b"{\"resourceType\":\"Parameters\xff\"}",
    };
    let none = HashMap::new();
    assert_eq!(
        refused(kickoff::read(&call, &setting(&IG, &none)), "no UTF-8").status(),
        400
    );
}

#[test]
fn bodies_that_say_nothing_or_are_odd_and_fine() {
    for body in [
        "",
        r#"{"resourceType":"Parameters"}"#,
        r#"{"resourceType":"Parameters","parameter":[]}"#,
        "\u{feff}{\"parameter\":[{\"valueString\":\"Patient\",\"name\":\"_type\",\"id\":\"1\"}],\"resourceType\":\"Parameters\",\"id\":\"x\"}",
        r#"{"resourceType":"Parameters","parameter":[{"name":"_\u0074ype","valueString":"Pat\u0069ent"}]}"#,
    ] {
        taken(strictly(&IG, "POST $export", body), body);
    }
    taken(
        sent(&IG, "POST $export", &[ACCEPT, STRICT], ""),
        "no body needs no media type",
    );
}

#[test]
fn media_types_of_a_body() {
    let body = parameters(&entry("_type", "valueString", r#""Patient""#));
    let status = |value: &str| {
        let result = sent(&IG, "POST $export", &[ACCEPT, STRICT, ("content-type", value)], &body);
        result.map_err(|refusal| refusal.status())
    };
    assert!(status("application/json; charset=utf-8").is_ok());
    assert!(status("application/json+fhir").is_ok());
    for bad in [
        "application/x-www-form-urlencoded",
        "application/fhir+xml",
        "text/plain",
    ] {
        assert_eq!(status(bad).err(), Some(415), "{bad}");
    }
    assert_eq!(
        sent(&IG, "POST $export", &[ACCEPT, STRICT], &body)
            .map_err(|of| of.status())
            .err(),
        Some(415)
    );
    assert_eq!(
        refused(strictly(&IG, "GET $export", &body), "a GET with a body").status(),
        400
    );
}

#[test]
fn a_post_may_use_the_query_but_not_for_the_same() {
    let body = parameters(&entry("_type", "valueString", r#""Patient""#));
    let kickoff = taken(strictly(&IG, "POST $export?_elements=id", &body), "both");
    assert_eq!((kickoff.types.len(), kickoff.elements.len()), (1, 1));
    for send in [strictly, leniently] {
        let refusal = refused(send(&IG, "POST $export?_type=Condition", &body), "twice");
        assert_eq!(told(&refusal), [("_type", "Patient", 400, "invalid")]);
        assert_eq!(refusal.faults[0].situation, Some(Situation::Repeated));
    }
}

// Patients.

#[test]
fn patients_one_to_twenty_thousand() {
    let ids: Vec<String> = (0..20_001).map(|id| format!("p-{id}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let body = parameters(&patients(&ids[..20_000]));
    let kickoff = taken(strictly(&ORACLE, "POST Patient/$export", &body), "20,000");
    assert_eq!(kickoff.patients.as_ref().map(Vec::len), Some(20_000));
    let cohort = kickoff.cohort().expect("patient level");
    assert!(cohort.patients.contains(b"p-19999") && cohort.patients.len() == 20_000);
    let body = parameters(&patients(&ids));
    let refusal = refused(strictly(&ORACLE, "POST Patient/$export", &body), "20,001");
    assert_eq!(told(&refusal), [("patient", "", 400, "too-costly")]);
    assert_eq!(
        taken(strictly(&IG, "POST Patient/$export", &body), "no limit")
            .patients
            .map(|ids| ids.len()),
        Some(20_001)
    );
    // Each counts once.
    let body = parameters(&[patients(&ids[..20_000]), patients(&ids[..5])].join(","));
    taken(
        strictly(&ORACLE, "POST Patient/$export", &body),
        "20,000 and some twice",
    );
}

#[test]
fn a_list_of_nobody_never_means_everybody() {
    for body in ["", r#"{"resourceType":"Parameters"}"#] {
        for send in [strictly, leniently] {
            let refusal = refused(send(&ORACLE, "POST Patient/$export", body), "no list");
            assert_eq!(told(&refusal), [("patient", "", 400, "required")]);
        }
    }
    let all = taken(
        strictly(&IG, "POST Patient/$export", ""),
        "all patients, under the guide",
    );
    assert_eq!(all.patients, None);
    assert!(all.cohort().is_some());
}

// Hints of the fourth generation.

#[test]
fn the_fourth_generation_takes_lists_and_says_that_they_are_gone() {
    let body = parameters(&entry("_type", "valueString", r#""Patient,Observation""#));
    let kickoff = taken(strictly(&IG4, "POST $export", &body), "a list");
    assert_eq!((kickoff.types.len(), kickoff.guide), (2, Guide::V4));
    assert_eq!(kickoff.notes.len(), 1);
    assert!(!kickoff.notes[0].is_warning);
    let two = [
        entry("_type", "valueString", r#""Patient""#),
        entry("_type", "valueString", r#""Observation""#),
    ];
    let kickoff = taken(strictly(&IG4, "POST $export", &parameters(&two.join(","))), "repeated");
    assert!(kickoff.notes.is_empty());
}

#[test]
fn hints_that_are_none_are_refused_or_ignored() {
    let cases = [
        entry("_maximumFileSize", "valueString", r#""0""#),
        entry("_maximumFileSize", "valueString", r#""many""#),
        [
            entry("_maximumFileSize", "valuePositiveInt", "5"),
            entry("_minimumFileSize", "valuePositiveInt", "5"),
        ]
        .join(","),
        entry("allowPartialManifests", "valueString", r#""yes""#),
    ];
    for case in cases {
        let body = parameters(&case);
        assert_eq!(refused(strictly(&IG4, "POST $export", &body), &case).status(), 400);
        let kickoff = taken(leniently(&IG4, "POST $export", &body), &case);
        assert_eq!(kickoff.notes.len(), 1, "{case}");
        assert_eq!((kickoff.maximum_file_size, kickoff.partial_manifests), (None, false));
    }
}

// Oracle.

#[test]
fn oracle_by_the_letter() {
    let status = |query: &str| {
        let result = strictly(&ORACLE, &format!("GET Group/g/$export?{query}"), "");
        result.map(|_| 202).unwrap_or_else(|refusal| refusal.status())
    };
    let cases = [
        ("", 202),
        ("_type=Patient", 202),
        ("_type=Location", 400),
        ("_type=Location,Condition", 202),
        ("_type=Practitioner,Provenance", 400),
        ("_type=Appointment", 400),
        ("_type=Binary,Patient", 400),
        ("_since=2021-03-18T19:19:42.000Z", 202),
        ("_until=2021-03-18T19:19:42.000Z", 400),
        ("_elements=id", 400),
        ("organizeOutputBy=Patient", 400),
        ("allowPartialManifests=true", 400),
        ("includeAssociatedData=LatestProvenanceResources", 202),
        ("includeAssociatedData=LatestProvenanceResources&_type=Patient", 400),
        (
            "includeAssociatedData=LatestProvenanceResources&_type=Patient,Provenance",
            202,
        ),
        ("_typeFilter=Condition?category=problem-list-item", 400),
        ("_type=Condition&_typeFilter=Condition?category=problem-list-item", 202),
        ("_type=Condition&_typeFilter=Observation?code=1", 400),
        (
            "_type=Condition&_typeFilter=Condition?category=a&_typeFilter=Condition?category=b",
            400,
        ),
        ("_type=Condition&_typeFilter=Condition?patient=1", 422),
        ("_type=Condition&_typeFilter=Condition?onset-date=ge2020", 422),
        ("_type=Condition&_typeFilter=Condition?category:not=a", 422),
        ("_type=Condition&_typeFilter=Condition", 422),
        ("_type=Patient&_typeFilter=Patient?birthdate=ge2020", 422),
        ("_type=Encounter&_typeFilter=Encounter?date=2020", 422),
        ("_type=Encounter&_typeFilter=Encounter?date=ge2020%26date=lt2021", 202),
        ("_type=Encounter,Foo&_typeFilter=Encounter?date=2020", 400),
        ("_foo=1", 400),
        ("_outputFormat=xml", 400),
    ];
    for (query, expected) in cases {
        assert_eq!(status(query), expected, "{query}");
    }
}

#[test]
fn oracle_forgives_parameters_and_nothing_else() {
    for (query, name) in [
        ("_elements=id", "_elements"),
        ("_foo=1", "_foo"),
        ("organizeOutputBy=Patient", "organizeOutputBy"),
    ] {
        let line = format!("GET Group/g/$export?{query}");
        let kickoff = forgiven(&ORACLE, &line, name, 400);
        assert!(kickoff.elements.is_empty() && kickoff.organize_by.is_none());
    }
    never_forgiven(
        &ORACLE,
        &[
            ("GET Group/g/$export?_type=Foo,Patient", 400),
            (
                "GET Group/g/$export?_type=Condition&_typeFilter=Observation?code=1",
                400,
            ),
            (
                "GET Group/g/$export?_type=Condition&_typeFilter=Condition?patient=1",
                422,
            ),
        ],
    );
}

#[test]
fn a_group_that_is_too_large_is_refused() {
    let kickoff = taken(strictly(&ORACLE, "GET Group/g/$export", ""), "a group");
    let of = |members| {
        let found = Found {
            members: Some(members),
            ..Found::default()
        };
        found::check(&kickoff, &found, &ORACLE).map_err(|refusal| refusal.status())
    };
    assert_eq!((of(0), of(20_000), of(20_001)), (Ok(()), Ok(()), Err(400)));
}

// What follows.

#[test]
fn ten_megabytes_of_filters_are_refused_at_once() {
    let filters = "Observation?code=1,".repeat(550_000);
    let body = parameters(&entry("_typeFilter", "valueString", &format!("\"{filters}\"")));
    assert!(body.len() > 10_000_000);
    let refusal = refused(strictly(&IG, "POST $export", &body), "10 MB");
    assert_eq!(told(&refusal), [("_typeFilter", "", 400, "too-costly")]);
    assert!(refusal.reply().body().len() < 1000, "and not told again");
    let pairs = format!("\"Observation?{}\"", "cod=1&".repeat(5000));
    let body = parameters(&entry("_typeFilter", "valueString", &pairs));
    let refusal = refused(strictly(&IG, "POST $export", &body), "pairs");
    assert_eq!(told(&refusal), [("_typeFilter", "", 400, "too-costly")]);
    for (name, item) in [
        ("_typeFilter", "Observation?code="),
        ("_type", "T"),
        ("_elements", "e"),
        ("organizeOutputBy", "o"),
    ] {
        let many: Vec<String> = (0..1001)
            .map(|index| entry(name, "valueString", &format!("\"{item}{index}\"")))
            .collect();
        for send in [strictly, leniently] {
            let refusal = refused(send(&IG, "POST $export", &parameters(&many.join(","))), "1001");
            assert_eq!(told(&refusal), [(name, "", 400, "too-costly")]);
        }
    }
}

#[test]
fn a_hundred_issues_and_how_many_more() {
    let types: Vec<String> = (0..150).map(|index| format!("T{index}")).collect();
    let line = format!("GET $export?_type={}", types.join(","));
    let reply = refused(strictly(&IG, &line, ""), "types").reply();
    assert_eq!(reply.issues.len(), 100);
    assert_eq!(reply.issues[99].diagnostics, "51 more that are not listed");
    assert!(reply.issues[98].diagnostics.contains("T98"));
}

#[test]
fn a_flood_of_names_is_not_looked_into() {
    let query: Vec<String> = (0..200_000).map(|index| format!("_x{index}=1")).collect();
    let line = format!("GET $export?{}", query.join("&"));
    assert_eq!(refused(strictly(&IG, &line, ""), "names").faults.len(), 1000);
    assert_eq!(taken(leniently(&IG, &line, ""), "names").notes.len(), 1000);
}

#[test]
fn an_error_never_tells_a_long_text_again() {
    let line = format!("GET $export?_type={}", "x".repeat(100_000));
    let body = refused(strictly(&IG, &line, ""), "a long name").reply().body();
    assert!(body.contains("_type") && body.len() < 2_000, "{} bytes", body.len());
}

#[test]
fn a_job_remembers_its_kickoff() {
    let line = "GET Group/g/$export?_type=Patient,Foo&_typeFilter=Patient?name=x&_since=2020-01-01T00:00:00Z&_foo=1";
    let kickoff = taken(leniently(&IG, line, ""), line);
    assert_eq!(kickoff.notes.len(), 2);
    let text = serde_json::to_string(&kickoff).expect("plain data");
    let again: Kickoff = serde_json::from_str(&text).expect("as it was");
    assert_eq!(again, kickoff);
    let none = HashMap::new();
    let request = again.request(again.cohort(), &setting(&IG, &none));
    assert_eq!(request.types, ["Patient"]);
    assert_eq!(request.cohort.and_then(|cohort| cohort.group).as_deref(), Some("g"));
    for note in &kickoff.notes {
        let line = note.line();
        assert!(
            line.ends_with("}\n") && line.contains(r#""severity":"warning""#),
            "{line}"
        );
    }
}

#[test]
fn a_job_without_types_has_those_of_its_profile() {
    let none = HashMap::new();
    let kickoff = taken(strictly(&ORACLE, "GET Group/g/$export", ""), "oracle");
    assert_eq!(kickoff.request(None, &setting(&ORACLE, &none)).types.len(), 22);
    let kickoff = taken(strictly(&IG, "GET $export", ""), "ig");
    assert!(kickoff.request(None, &setting(&IG, &none)).types.is_empty());
}

/// Numbers that look random and are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

#[test]
fn nonsense_is_answered_and_every_answer_is_json() {
    const PIECES: [&str; 36] = [
        "_type",
        "_typeFilter",
        "_since",
        "_elements",
        "patient",
        "organizeOutputBy",
        "_foo",
        "=",
        "&",
        "?",
        ",",
        "%",
        "%2",
        "%2C",
        "%ff",
        "+",
        "Patient",
        "Observation",
        "Observation?code=",
        "Patient?",
        "\\",
        "|",
        "$",
        "ä",
        "\u{1f600}",
        "date=ge2020",
        "2020-01-01T00:00:00Z",
        ".",
        "/",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        "null",
    ];
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let good = parameters(
        &[
            entry("_type", "valueString", r#""Patient, Foo""#),
            patients(&["1", "2"]),
        ]
        .join(","),
    );
    let none = HashMap::new();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..2000 {
        let query: String = (0..random.below(12))
            .map(|_| PIECES[random.below(PIECES.len())])
            .collect();
        let mut body = good.clone().into_bytes();
        for _ in 0..random.below(3) {
            let at = random.below(body.len());
            let piece = PIECES[random.below(PIECES.len())].as_bytes();
            let end = (at + random.below(4)).min(body.len());
            body.splice(at..end, piece.iter().copied());
        }
        let is_get = random.below(2) == 0;
        let headers = [ACCEPT, if random.below(2) == 0 { STRICT } else { LENIENT }, JSON];
        let door = [Door::System, Door::Patient, Door::Group("g".to_owned())][random.below(3)].clone();
        let call = Call {
            method: if is_get { Method::Get } else { Method::Post },
            door,
            query: (random.below(3) > 0).then_some(query.as_str()),
            headers: &headers,
            body: if is_get { b"" } else { &body },
        };
        let profile = [&IG, &IG4, &ORACLE][random.below(3)];
        match kickoff::read(&call, &setting(profile, &none)) {
            Ok(_) => taken += 1,
            Err(refusal) => {
                refused += 1;
                let reply = refusal.reply();
                assert!(
                    (400..500).contains(&reply.status) && !reply.issues.is_empty(),
                    "{query}"
                );
                let value: serde_json::Value = serde_json::from_str(&reply.body()).expect("valid JSON");
                assert_eq!(value["resourceType"], "OperationOutcome");
            }
        }
    }
    assert!(taken > 50 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn every_value_of_a_filter_keeps_its_span() {
    let body = parameters(&entry(
        "_typeFilter",
        "valueString",
        r#""Observation?code=a&value-quantity=x,5""#,
    ));
    let refusal = refused(strictly(&IG, "POST $export", &body), &body);
    assert_eq!(told(&refusal), [("_typeFilter", "x", 400, "invalid")]);
    let issue = refusal.reply().issues.remove(0);
    assert_eq!(issue.expression.as_deref(), Some("Parameters.parameter[0]"));
    assert_eq!(issue.location, None);
}
