//! Plans told.

use crate::plan::Plan;
use crate::request::{OnBad, Request};
use crate::search::table::Registry;

fn plan(types: &[&str], filters: &[&str], change: impl FnOnce(&mut Request)) -> Plan {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let mut request = Request {
        types: owned(types),
        type_filters: owned(filters),
        ..Request::default()
    };
    change(&mut request);
    match Plan::compile(&request, &Registry::r4()) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn a_plan_for_people() {
    let filters = [
        "Observation?code=http://loinc.org|1-8,x&date=ge2020-05",
        "Observation?component-code-value-quantity=a$lt3&status:not=final,amended",
    ];
    let plan = plan(&["Patient,Observation,Encounter,Account"], &filters, |request| {
        request.since = Some("2024-01-01T00:00:00Z".into());
        request.elements = vec!["Patient.birthDate".into()];
        request.max_line = 1000;
    });
    assert_eq!(plan.explain(), include_str!("people.txt"));
}

#[test]
fn a_plan_for_programs() {
    let filters = ["Patient?deceased=true&name:exact=A%2CB&general-practitioner:missing=true&phone=1"];
    let plan = plan(&["Patient,Account"], &filters, |request| {
        request.transaction_time = Some("2024-01-01T01:00:00.5+01:00".into());
        request.elements = vec!["Patient.birthDate".into()];
        request.trust = true;
        request.on_bad = OnBad::Stop;
        request.max_line = 1000;
    });
    assert_eq!(plan.explain_json(), include_str!("programs.json"));
    assert!(serde_json::from_str::<serde_json::Value>(&plan.explain_json()).is_ok());
}

#[test]
fn types_without_filters_are_one_line() {
    let text = plan(&["Patient"], &[], |_| ()).explain();
    assert!(text.contains("window      open\n"), "{text}");
    assert!(text.ends_with("\nWhole: 1 type\n  Patient\n"), "{text}");
    let all = plan(&[], &[], |_| ()).explain();
    assert!(
        all.contains("\nWhole: 146 types\n  Account, ActivityDefinition, "),
        "{all}"
    );
    assert!(all.lines().all(|line| line.len() <= 100));
}

#[test]
fn a_filter_without_conditions_lets_everything_through() {
    let text = plan(&["Patient"], &["Patient?", "Patient?gender=male"], |_| ()).explain();
    assert!(
        text.contains("filter  Patient?\n    lets every resource through\n"),
        "{text}"
    );
    assert!(!text.contains("gender=male"), "{text}");
}

#[test]
fn every_search_type_is_described() {
    let expected = [
        ("RiskAssessment?probability=gt0.5", "gt 0.5"),
        ("Observation?value-quantity=5.4||mg", "eq 5.4||mg"),
        ("Patient?family=Sm", "starts with `sm`"),
        ("Patient?deceased=false", "no element exists, or only `false`"),
        ("Patient?deceased:missing=false", "there is a value"),
        ("Patient?deceased:missing=true", "there is no value"),
        ("Patient?gender:missing=false", "there is a value"),
        ("Observation?subject=Patient/1", "points to `Patient/1`"),
        (
            "ValueSet?url:below=http://example.org",
            "is at or below `http://example.org`",
        ),
        (
            "Patient?birthdate=ap2000",
            "ap 2000: from 2000-01-01T00:00:00Z, give or take a tenth of the time since",
        ),
        (
            "Patient?birthdate=2000-02-29",
            "eq 2000-02-29: from 2000-02-29T00:00:00Z to before 2000-03-01T00:00:00Z",
        ),
    ];
    for (filter, told) in expected {
        let plan = plan(&[], &[filter], |request| {
            request.transaction_time = Some("2024-01-01T00:00:00Z".into())
        });
        let text = plan.explain();
        assert!(text.contains(&format!("      passes   {told}\n")), "{text}");
    }
}

#[test]
fn tests_on_the_way_are_told() {
    let text = plan(&[], &["Patient?phone=1", "Observation?patient=1"], |_| ()).explain();
    assert!(
        text.contains("reads    telecom (ContactPoint) where system = 'phone'\n"),
        "{text}"
    );
    assert!(
        text.contains("reads    subject (Reference) pointing to Patient\n"),
        "{text}"
    );
}

#[test]
fn a_gate_waits_for_the_members_that_are_told() {
    let plan = plan(
        &[],
        &["Observation?date=2020&code=x&component-code-value-quantity=a$1"],
        |_| (),
    );
    let registry = plan.registry();
    let index = registry.type_index("Observation").expect("a type");
    let type_plan = plan.type_plan(index).expect("exported");
    for gate in type_plan.filters.iter().flat_map(|filter| &filter.gates) {
        let told = super::members(gate, type_plan);
        assert_eq!(told.len() as u32, gate.roots.count_ones(), "{}", gate.label);
    }
}

#[test]
fn literals_are_told_and_chosen() {
    let told = |filters: &[&str]| plan(&[], filters, |_| ()).literal_texts();
    for (filters, expected) in [
        // Of a filter's gates the one with the rarest.
        (
            &["Observation?code=http://loinc.org|8302-2&date=ge2020"][..],
            &["\"8302-2\""][..],
        ),
        (&["Observation?code=8302-2&subject=Patient/abc-1234"], &["/abc-1234"]),
        (&["Observation?code=8302-2,2345-7"], &["\"2345-7\"", "\"8302-2\""]),
        // Of several filters one each, of types one each; what holds another text is found by that.
        (
            &["Patient?_id=1234", "Observation?_id=1234,12345"],
            &["\"12345\"", "\"1234\""],
        ),
        (&["Observation?subject=abc-1,abc-12"], &["/abc-1"]),
        (
            &["Observation?component-code-value-quantity=8480-6$gt1"],
            &["\"8480-6\""],
        ),
        (
            &["Patient?deceased:missing=false"],
            &["\"deceasedBoolean\"", "\"deceasedDateTime\""],
        ),
        (&["Observation?code=http://loinc.org|"], &["/loinc.org\""]),
        (&["Patient?name:exact=Anna%20Maria"], &["\"Anna Maria\""]),
        // One alternative, one filter without: none.
        (&["Observation?code=8302-2,abc"], &[]),
        (&["Observation?code=8302-2", "Observation?date=ge2020"], &[]),
        (&["Observation?code:not=8302-2"], &[]),
        (&["Observation?value-quantity=12345"], &[]),
        (&["Observation?date=2020-01-01"], &[]),
        (&["Patient?birthdate:missing=true"], &[]),
        (&["Patient?name=12345"], &[]),
        (
            &["Patient?phone:missing=false&active=true&gender=female"],
            &["\"telecom\""],
        ),
        (&["ValueSet?url:above=http://example.org/12345"], &[]),
        (&["ValueSet?url:below=http://example.org/12345"], &["/example.org"]),
    ] {
        assert_eq!(told(filters), expected, "{filters:?}");
    }
}

#[test]
fn a_prefilter_is_told_in_both_forms() {
    let plan = plan(
        &["Observation,Patient,Condition"],
        &["Observation?code=8302-2", "Condition?subject=Patient/abc-1234"],
        |_| (),
    );
    let how = "a line of Condition, Observation that holds none of these is dropped unwalked, while few hold one";
    let people = format!("\nprefilters  {how}\n              /abc-1234, \"8302-2\"\nlines ");
    assert!(plan.explain().contains(&people), "{}", plan.explain());
    let programs = format!("\"prefilters\": [\n    \"{how}: /abc-1234, \\\"8302-2\\\"\"\n  ],");
    assert!(plan.explain_json().contains(&programs), "{}", plan.explain_json());
    assert_eq!(plan.without_prefilter().literal_texts(), Vec::<String>::new());
}
