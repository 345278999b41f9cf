//! What is on the wire for an order, and which orders cannot be sent.

use super::*;

fn order() -> Order {
    Order {
        base: "https://example.org/fhir".into(),
        level: Level::System,
        method: Method::Get,
        spelling: Spelling::Commas,
        types: Vec::new(),
        since: None,
        until: None,
        type_filters: Vec::new(),
        elements: Vec::new(),
        patients: Vec::new(),
        associated_data: Vec::new(),
        organize_by: None,
        output_format: None,
        partial: false,
        lenient: false,
        further: Vec::new(),
    }
}

fn all() -> Order {
    Order {
        types: vec!["Patient, Observation".into(), "Condition,".into()],
        since: Some("2024-01-01T00:00:00+01:00".into()),
        until: Some("2025-01-01T00:00:00Z".into()),
        type_filters: vec![
            "Observation?code=a%26b|c&date=ge2024".into(),
            "Condition?code=x,y".into(),
        ],
        elements: vec!["id".into(), "Patient.name,Patient.birthDate".into()],
        associated_data: vec!["LatestProvenanceResources".into()],
        organize_by: Some("Patient".into()),
        output_format: Some("application/fhir+ndjson".into()),
        partial: true,
        lenient: true,
        further: vec![("_x y".into(), "1&2".into())],
        ..order()
    }
}

fn header<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    call.headers
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn each_level_has_its_door_and_a_base_may_end_in_a_slash() {
    let url = |level, base: &str| {
        let order = Order {
            level,
            base: base.into(),
            ..order()
        };
        kick_off(&order).expect("an order").url
    };
    assert_eq!(url(Level::System, "https://h/fhir"), "https://h/fhir/$export");
    assert_eq!(url(Level::Patient, "https://h/fhir/"), "https://h/fhir/Patient/$export");
    assert_eq!(
        url(Level::Group("a-1.B".into()), "http://h:80"),
        "http://h:80/Group/a-1.B/$export"
    );
}

#[test]
fn a_get_has_its_parameters_encoded_once() {
    let call = kick_off(&all()).expect("an order");
    assert_eq!(
        (call.method, call.body.as_deref(), call.what),
        ("GET", None, What::KickOff)
    );
    assert_eq!(
        call.url,
        "https://example.org/fhir/$export?_outputFormat=application/fhir%2Bndjson&_since=2024-01-01T00:00:00%2B01:00\
         &_until=2025-01-01T00:00:00Z&_type=Patient,Observation,Condition&_elements=id,Patient.name,Patient.birthDate\
         &includeAssociatedData=LatestProvenanceResources\
         &_typeFilter=Observation%3Fcode%3Da%2526b%7Cc%26date%3Dge2024&_typeFilter=Condition%3Fcode%3Dx,y\
         &organizeOutputBy=Patient&allowPartialManifests=true&_x%20y=1%262"
    );
    assert_eq!(header(&call, "Accept"), Some("application/fhir+json"));
    assert_eq!(header(&call, "Prefer"), Some("respond-async, handling=lenient"));
    assert_eq!(header(&call, "Content-Type"), None);
    assert_eq!(
        header(&kick_off(&order()).expect("an order"), "Prefer"),
        Some("respond-async")
    );
}

#[test]
fn values_are_repeated_where_the_server_wants_no_lists() {
    let order = Order {
        spelling: Spelling::Repeated,
        types: vec!["Patient,Observation".into()],
        type_filters: vec!["Condition?code=x,y".into()],
        ..order()
    };
    let url = kick_off(&order).expect("an order").url;
    assert!(
        url.ends_with("$export?_type=Patient&_type=Observation&_typeFilter=Condition%3Fcode%3Dx,y"),
        "{url}"
    );
}

#[test]
fn a_post_has_a_parameters_resource() {
    let order = Order {
        method: Method::Post,
        level: Level::Patient,
        patients: vec!["p-1".into(), "p.2".into()],
        further: vec![("x".into(), "say \"hi\"".into())],
        ..all()
    };
    let call = kick_off(&order).expect("an order");
    assert_eq!(
        (call.method, call.url.as_str()),
        ("POST", "https://example.org/fhir/Patient/$export")
    );
    assert_eq!(header(&call, "Content-Type"), Some("application/fhir+json"));
    let body: serde_json::Value = serde_json::from_str(&call.body.expect("a body")).expect("JSON");
    assert_eq!(body["resourceType"], "Parameters");
    let found = |name: &str, member: &str| -> Vec<serde_json::Value> {
        let list = body["parameter"].as_array().expect("a list");
        let named = list.iter().filter(|parameter| parameter["name"] == name);
        named.map(|parameter| parameter[member].clone()).collect()
    };
    assert_eq!(found("_type", "valueString"), ["Patient,Observation,Condition"]);
    assert_eq!(found("_since", "valueInstant"), ["2024-01-01T00:00:00+01:00"]);
    assert_eq!(
        found("_typeFilter", "valueString"),
        ["Observation?code=a%26b|c&date=ge2024", "Condition?code=x,y"]
    );
    let patients = [
        serde_json::json!({"reference": "Patient/p-1"}),
        serde_json::json!({"reference": "Patient/p.2"}),
    ];
    assert_eq!(found("patient", "valueReference"), patients);
    assert_eq!(found("allowPartialManifests", "valueBoolean"), [true]);
    assert_eq!(found("x", "valueString"), ["say \"hi\""]);
}

#[test]
fn a_post_without_parameters_is_still_a_resource() {
    let order = Order {
        method: Method::Post,
        ..order()
    };
    assert_eq!(
        kick_off(&order).expect("an order").body.as_deref(),
        Some(r#"{"resourceType":"Parameters"}"#)
    );
}

#[test]
fn what_cannot_be_sent_is_told_before() {
    let patients = || vec!["p".to_owned()];
    let post = || Order {
        method: Method::Post,
        level: Level::Patient,
        ..order()
    };
    let with_base = |base: &str| Order {
        base: base.into(),
        ..order()
    };
    let cases = [
        Order {
            patients: patients(),
            level: Level::Patient,
            ..order()
        },
        Order {
            patients: patients(),
            level: Level::System,
            ..post()
        },
        Order {
            patients: vec!["p".into(), "Patient/p".into()],
            ..post()
        },
        Order {
            patients: vec![String::new()],
            ..post()
        },
        Order {
            level: Level::Group("a/../b".into()),
            ..order()
        },
        Order {
            level: Level::Group("..".into()),
            ..order()
        },
        Order {
            level: Level::Group(".".into()),
            ..order()
        },
        Order {
            level: Level::Group("x".repeat(65)),
            ..order()
        },
        Order {
            level: Level::Group(String::new()),
            ..order()
        },
        Order {
            further: vec![(" ".into(), "x".into())],
            ..order()
        },
        with_base("https://example.org/fhir/%2e%2E/x"),
        with_base("https://example.org/./fhir"),
        with_base("example.org/fhir"),
        with_base("ftp://example.org/fhir"),
        with_base("https://example.org/fhir?x=y"),
        with_base("https://example.org/fhir?"),
        with_base("https://example.org/fhir#x"),
        with_base("https://me:secret@example.org/fhir"),
        with_base(""),
    ];
    for order in cases {
        let failure = kick_off(&order).expect_err("cannot be sent");
        assert_eq!((failure.code, failure.resumable), ("bad-order", false));
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
}
