//! The body, and the patients and hints that stand in it.

use super::*;

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
