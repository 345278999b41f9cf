//! Oracle's profile, by the letter.

use super::*;

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
