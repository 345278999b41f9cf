//! Corner cases that servers have got wrong (SPEC 5.1, and what of 5.2 and 5.3 is decided at the kick-off), by their numbers.

use super::*;

const DOORS: [&str; 3] = ["$export", "Patient/$export", "Group/g/$export"];

#[test]
fn c1_a_plus_that_became_a_blank_is_read_as_it_was_meant() {
    for query in [
        "_outputFormat=application/fhir+ndjson",
        "_outputFormat=application/fhir%20ndjson",
        "_since=2020-01-01T00:00:00+01:00",
        "_since=2020-01-01T00:00:00%2001:00",
        "_until=2020-01-01T00:00:00.5%2001:00",
    ] {
        for door in DOORS {
            let line = format!("GET {door}?{query}");
            taken(strictly(&IG, &line, ""), &line);
        }
    }
}

#[test]
fn c2_short_names_of_the_format() {
    for format in ["ndjson", "application/ndjson", "nDJson"] {
        let line = format!("GET $export?_outputFormat={format}");
        taken(strictly(&IG, &line, ""), &line);
    }
}

#[test]
fn c3_types_and_filters_count_by_get_as_by_post() {
    let query = "_type=Observation&_typeFilter=Observation%3Fcode%3Da";
    let body = parameters(
        &[
            entry("_type", "valueString", r#""Observation""#),
            entry("_typeFilter", "valueString", r#""Observation?code=a""#),
        ]
        .join(","),
    );
    for door in DOORS {
        let get = taken(strictly(&IG, &format!("GET {door}?{query}"), ""), door);
        let post = taken(strictly(&IG, &format!("POST {door}"), &body), door);
        assert_eq!(get.types, ["Observation"]);
        assert_eq!(get.type_filters, ["Observation?code=a"]);
        assert_eq!((get.types, get.type_filters), (post.types, post.type_filters));
    }
}

#[test]
fn c4_without_types_every_level_has_its_own() {
    let none = HashMap::new();
    for door in DOORS {
        let kickoff = taken(strictly(&IG, &format!("GET {door}"), ""), door);
        let request = kickoff.request(kickoff.cohort(), &setting(&IG, &none));
        assert!(
            request.types.is_empty(),
            "every type, which the plan narrows to the compartment"
        );
        assert_eq!(request.cohort.is_some(), door != "$export");
    }
}

#[test]
fn c5_unknown_groups_and_patients_are_told_at_kick_off() {
    let kickoff = taken(strictly(&IG, "GET Group/g/$export", ""), "a group");
    let refusal = found::check(&kickoff, &Found::default(), &IG).expect_err("no group");
    assert_eq!(refusal.status(), 404);
    let kickoff = taken(
        strictly(&IG, "POST Patient/$export", &parameters(&patients(&["p"]))),
        "a list",
    );
    let unknown = ["p".to_owned()];
    let found = Found {
        unknown: &unknown,
        ..Found::default()
    };
    assert_eq!(
        found::check(&kickoff, &found, &IG).map_err(|refusal| refusal.status()),
        Err(404)
    );
}

#[test]
fn c6_an_empty_selection_is_nobody() {
    let bad = parameters(&entry("patient", "valueReference", r#"{"reference":""}"#));
    for send in [strictly, leniently] {
        for profile in [&IG, &IG4, &ORACLE] {
            assert_eq!(
                refused(send(profile, "POST Patient/$export", &bad), "nobody").status(),
                400
            );
        }
    }
    assert_eq!(
        refused(leniently(&ORACLE, "POST Patient/$export", ""), "no list").status(),
        400
    );
}

#[test]
fn c7_nothing_unsupported_is_ignored_without_a_word() {
    for (profile, line) in [
        (&IG, "GET $export?_count=1"),
        (&ORACLE, "GET Group/g/$export?_until=2020-01-01T00:00:00Z"),
        (&ORACLE, "GET Group/g/$export?_elements=id"),
    ] {
        refused(strictly(profile, line, ""), line);
        assert_eq!(taken(leniently(profile, line, ""), line).notes.len(), 1);
    }
}

#[test]
fn c8_prefer_is_a_list() {
    for values in [
        &["respond-async, handling=lenient"][..],
        &["handling=lenient", "respond-async"],
        &["handling=lenient;x=y,respond-async"],
        &["RESPOND-ASYNC,HANDLING=LENIENT"],
    ] {
        let mut headers = vec![ACCEPT];
        headers.extend(values.iter().map(|value| ("Prefer", *value)));
        let kickoff = taken(sent(&IG, "GET $export?_foo=1", &headers, ""), values[0]);
        assert_eq!(kickoff.notes.len(), 1, "{values:?}");
    }
    for value in ["respond-sync", "async", "respond-async=false, x", ""] {
        let result = sent(&IG, "GET $export", &[ACCEPT, ("Prefer", value)], "");
        // What a known preference is given as a value is not looked at.
        assert_eq!(result.is_ok(), value.starts_with("respond-async"), "{value}");
    }
}

#[test]
fn c9_many_patients() {
    let kickoff = taken(
        strictly(
            &IG,
            "POST Patient/$export",
            &parameters(&patients(&["c", "a", "b", "a"])),
        ),
        "four",
    );
    assert_eq!(
        kickoff.patients.as_deref(),
        Some(&["c".to_owned(), "a".to_owned(), "b".to_owned()][..])
    );
}

#[test]
fn c10_urls_are_absolute_under_the_public_base() {
    let none = HashMap::new();
    let call = Call {
        method: Method::Get,
        door: Door::Group("g".to_owned()),
        query: Some("_type=Patient"),
        headers: &[ACCEPT, STRICT, ("Host", "10.0.0.1:8080")],
        body: b"",
    };
    let setting = Setting {
        public_base: "https://public.example.org/r4/",
        ..setting(&IG, &none)
    };
    let kickoff = kickoff::read(&call, &setting).expect("taken");
    assert_eq!(
        kickoff.url,
        "https://public.example.org/r4/Group/g/$export?_type=Patient"
    );
}

#[test]
fn c14_c17_all_filters_count_at_every_level() {
    let query = "_typeFilter=Condition?code=a&_typeFilter=Condition?code=b,Observation?code=c";
    for door in DOORS {
        let kickoff = taken(strictly(&IG, &format!("GET {door}?{query}"), ""), door);
        let expected = ["Condition?code=a", "Condition?code=b", "Observation?code=c"];
        assert_eq!(kickoff.type_filters, expected, "{door}");
    }
}

#[test]
fn c15_commas_and_equals_signs_of_values() {
    let line = "GET $export?_typeFilter=Condition?clinical-status=active,completed&_typeFilter=Observation?code=http://x?a=b%7Cc";
    let kickoff = taken(strictly(&IG, line, ""), line);
    let expected = [
        "Condition?clinical-status=active,completed",
        "Observation?code=http://x?a=b|c",
    ];
    assert_eq!(kickoff.type_filters, expected);
}

#[test]
fn c19_lenient_handling_skips_no_check_of_filters() {
    for filter in [
        "Observation?foo=1",
        "Observation?date=x",
        "Foo?x=1",
        "Observation?code:bar=1",
    ] {
        let line = format!("GET $export?_typeFilter={filter}");
        assert_eq!(refused(leniently(&IG, &line, ""), &line).status(), 400);
    }
}

#[test]
fn c25_c26_instants_keep_what_they_say_and_are_whole() {
    let line = "GET $export?_since=2020-01-01T00:00:00.123456789Z";
    assert_eq!(
        taken(strictly(&IG, line, ""), line).since.as_deref(),
        Some("2020-01-01T00:00:00.123456789Z")
    );
    for bad in [
        "2020-01-01T00:00:00.Z",
        "2020-02-30T00:00:00Z",
        "2020-01-01t00:00:00z ",
        "20200101T000000Z",
    ] {
        let line = format!("GET $export?_since={}", bad.replace(' ', "%20"));
        assert_eq!(refused(strictly(&IG, &line, ""), &line).status(), 400);
    }
}

#[test]
fn c38_types_without_patient_stay_without() {
    let line = "GET Patient/$export?_type=Condition";
    assert_eq!(taken(strictly(&IG, line, ""), line).types, ["Condition"]);
}

#[test]
fn c41_ids_are_opaque() {
    let longest = "a".repeat(64);
    let ids = ["A-1.b", "00", ".", "-", &longest];
    let kickoff = taken(
        strictly(&IG, "POST Group/x.Y-1/$export", &parameters(&patients(&ids))),
        "odd ids",
    );
    assert_eq!(kickoff.patients.as_ref().map(Vec::len), Some(5));
    assert_eq!(kickoff.group(), Some("x.Y-1"));
}
