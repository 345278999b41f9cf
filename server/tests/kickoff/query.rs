//! The query: lists, spellings, decoding.

use super::*;

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
