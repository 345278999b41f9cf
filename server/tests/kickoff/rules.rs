//! The decision table, row by row: strictly, leniently, and under Oracle's profile.

use super::*;

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
