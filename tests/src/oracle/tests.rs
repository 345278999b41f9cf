//! Whole requests against small resources.

use super::*;
use serde_json::json;

const NOW: &str = "2024-06-01T00:00:00Z";

fn request(filters: &[&str]) -> OracleRequest {
    OracleRequest {
        type_filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        transaction_time: NOW.to_owned(),
        value_sets: BTreeMap::from([(
            "http://x/vs".to_owned(),
            BTreeSet::from([("http://loinc.org".to_owned(), "8480-6".to_owned())]),
        )]),
        ..OracleRequest::default()
    }
}

#[track_caller]
fn keeps(filters: &[&str], resource: &Value) -> bool {
    match Oracle::new(&Registry::r4(), &request(filters)) {
        Ok(oracle) => oracle.keeps(resource),
        Err(problems) => panic!("{filters:?}: {problems:?}"),
    }
}

#[track_caller]
fn check(filter: &str, resource: &Value, expected: bool) {
    assert_eq!(keeps(&[filter], resource), expected, "{filter}");
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p1",
        "meta": {"lastUpdated": "2020-01-01T00:00:00.5Z", "profile": ["http://x/P|3.1"], "source": "http://s#f",
            "tag": [{"system": "t", "code": "a"}]},
        "identifier": [{"type": {"coding": [{"system": "v2", "code": "MR"}]}, "system": "urn:mrn", "value": "Ab1"}],
        "active": true, "gender": "female", "birthDate": "1980-02-29",
        "name": [{"family": "Carreño Quiñones", "given": ["Ana", "María"]}],
        "telecom": [{"system": "phone", "value": "555-1"}, {"system": "email", "value": "Ana@x.org"}],
        "generalPractitioner": [{"reference": "Practitioner/d1"}, {"identifier": {"system": "npi", "value": "9"}}],
        "managingOrganization": {"reference": "http://far/Organization/o1"}})
}

fn blood_pressure() -> Value {
    json!({"resourceType": "Observation", "id": "o1", "status": "final",
        "code": {"text": "Blood Pressure", "coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2013-01-14T10:00:00Z",
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
             "valueQuantity": {"value": 120, "system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "mmHg"}},
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
             "valueQuantity": {"value": 80, "system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "mmHg"}}]})
}

#[test]
fn filters_are_or_and_pairs_are_and_and_commas_are_or() {
    let patient = patient();
    check("Patient?gender=female&active=true", &patient, true);
    check("Patient?gender=female&active=false", &patient, false);
    check("Patient?gender=male,female", &patient, true);
    check("Patient?gender=male,,other", &patient, false);
    check("Patient?", &patient, true);
    assert!(keeps(&["Patient?gender=male", "Patient?_id=p1"], &patient));
    assert!(!keeps(&["Patient?gender=male", "Patient?_id=p2"], &patient));
    assert!(keeps(&["Observation?status=final"], &patient));
}

#[test]
fn types_decide_first() {
    let with = |types: &[&str], filters: &[&str]| {
        let types = types.iter().map(|name| (*name).to_owned()).collect();
        Oracle::new(
            &Registry::r4(),
            &OracleRequest {
                types,
                ..request(filters)
            },
        )
    };
    let oracle = with(&["Patient", "", " Observation ", "Patient"], &[]).expect("valid");
    assert!(oracle.keeps(&patient()));
    assert!(oracle.keeps(&blood_pressure()));
    assert!(!with(&["Encounter"], &[]).expect("valid").keeps(&patient()));
    assert!(with(&["patient"], &[]).is_err());
    assert!(with(&["Patient"], &["Observation?status=final"]).is_err());
}

#[test]
fn time_bounds() {
    let at = |updated: Option<&str>, since: Option<&str>, until: Option<&str>| {
        let request = OracleRequest {
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
            ..request(&[])
        };
        let resource = json!({"resourceType": "Patient", "meta": {"lastUpdated": updated}});
        Oracle::new(&Registry::r4(), &request).expect("valid").keeps(&resource)
    };
    let equal = Some("2020-01-01T01:00:00+01:00");
    assert!(!at(equal, Some("2020-01-01T00:00:00Z"), None), "_since is exclusive");
    assert!(at(equal, Some("2019-12-31T23:59:59.999999999Z"), None));
    assert!(!at(equal, None, Some("2020-01-01T00:00:00Z")), "_until is exclusive");
    assert!(at(equal, None, Some("2020-01-01T00:00:00.000000001Z")));
    assert!(at(Some(NOW), None, None), "the snapshot is inclusive");
    assert!(!at(Some("2024-06-01T00:00:00.001Z"), None, None));
    assert!(at(None, Some("2023-01-01T00:00:00Z"), None), "unknown times stay");
    assert!(
        Oracle::new(
            &Registry::r4(),
            &OracleRequest {
                since: Some("2020".to_owned()),
                ..request(&[])
            }
        )
        .is_err()
    );
}

#[test]
fn common_parameters() {
    let patient = patient();
    check("Patient?_id=p0,p1", &patient, true);
    check("Patient?_id=P1", &patient, false);
    check("Patient?_lastUpdated=2020-01-01T00:00:00Z", &patient, true);
    check("Patient?_lastUpdated=gt2020-01-01", &patient, false);
    check("Patient?_tag=t|a", &patient, true);
    check("Patient?_tag=|a", &patient, false);
    check("Patient?_security:missing=true", &patient, true);
    check("Patient?_profile=http://x/P", &patient, true);
    check("Patient?_profile=http://x/P|3.2", &patient, false);
    check("Patient?_profile:below=http://x", &patient, true);
    check("Patient?_source=http://s", &patient, true);
    check("Patient?_source=http://s%23f", &patient, true);
    check("Patient?_source=http://s%23g", &patient, false);
}

#[test]
fn patient_parameters() {
    let patient = patient();
    check("Patient?identifier=urn:mrn|Ab1", &patient, true);
    check("Patient?identifier:of-type=v2|MR|Ab1", &patient, true);
    check("Patient?identifier:of-type=v2|MR|ab1", &patient, false);
    check(
        "Patient?gender=http://hl7.org/fhir/administrative-gender|female",
        &patient,
        true,
    );
    check("Patient?gender=|female", &patient, false);
    check("Patient?gender:not=male,other", &patient, true);
    check("Patient?gender:not=male,female", &patient, false);
    check("Patient?birthdate=1980-02", &patient, true);
    check("Patient?family=quinones", &patient, true);
    check("Patient?name=qui", &patient, true);
    check("Patient?given=qui", &patient, false);
    check("Patient?family:exact=Carreño Quiñones", &patient, true);
    check("Patient?family:exact=Carre%C3%B1o%20Qui%C3%B1ones", &patient, true);
    check("Patient?phone=555-1", &patient, true);
    check("Patient?phone=ana@x.org", &patient, false);
    check("Patient?email=ana@x.org", &patient, true);
    check("Patient?general-practitioner=d1", &patient, true);
    check("Patient?general-practitioner:Practitioner=d1", &patient, true);
    check("Patient?general-practitioner:Organization=d1", &patient, false);
    check("Patient?general-practitioner:identifier=npi|9", &patient, true);
    check("Patient?organization=http://far/Organization/o1", &patient, true);
    check("Patient?organization=o1", &patient, false);
}

#[test]
fn negation_and_missing_on_absent_elements() {
    let empty = json!({"resourceType": "Patient", "id": "x", "_birthDate": {"extension": []},
        "maritalStatus": {"extension": [{"url": "u"}]}});
    check("Patient?gender:not=male", &empty, true);
    check("Patient?gender:missing=true", &empty, true);
    check("Patient?birthdate:missing=true", &empty, true);
    check("Patient?birthdate:missing=false", &empty, false);
    check("Patient?birthdate=ne1990", &empty, false);
    check("Patient?gender:missing=false", &patient(), true);
}

#[test]
fn deceased_is_always_true_or_false() {
    let with = |member: &str, value: Value| json!({"resourceType": "Patient", member: value});
    for (resource, dead) in [
        (with("deceasedDateTime", json!("2001")), true),
        (with("deceasedBoolean", json!(true)), true),
        (with("deceasedBoolean", json!(false)), false),
        (with("_deceasedDateTime", json!({"extension": []})), false),
        (with("id", json!("x")), false),
    ] {
        check("Patient?deceased=true", &resource, dead);
        check("Patient?deceased=false", &resource, !dead);
        check("Patient?deceased:not=true", &resource, !dead);
        let is_there = resource
            .get("deceasedDateTime")
            .or(resource.get("deceasedBoolean"))
            .is_some();
        check("Patient?deceased:missing=true", &resource, !is_there);
        check("Patient?deceased:missing=false", &resource, is_there);
    }
}

#[test]
fn composites_stay_on_one_element() {
    let observation = blood_pressure();
    check(
        "Observation?component-code-value-quantity=8480-6$gt100",
        &observation,
        true,
    );
    check(
        "Observation?component-code-value-quantity=8480-6$80",
        &observation,
        false,
    );
    check(
        "Observation?component-code-value-quantity=8462-4$80",
        &observation,
        true,
    );
    check(
        "Observation?component-code-value-quantity=8480-6$80,8462-4$lt90",
        &observation,
        true,
    );
    check(
        "Observation?combo-code-value-quantity=http://loinc.org|8480-6$120|http://unitsofmeasure.org|mm[Hg]",
        &observation,
        true,
    );
    check("Observation?code-value-quantity=85354-9$120", &observation, false);
}

#[test]
fn observation_parameters() {
    let observation = blood_pressure();
    check("Observation?code=85354-9", &observation, true);
    check("Observation?code:text=blood", &observation, true);
    check("Observation?code:in=http://x/vs", &observation, false);
    check("Observation?code:not-in=http://x/vs", &observation, true);
    check("Observation?component-code:in=http://x/vs", &observation, true);
    check("Observation?combo-value-quantity=le80||mmHg", &observation, true);
    check("Observation?value-quantity:missing=true", &observation, true);
    check("Observation?patient=p1", &observation, true);
    check("Observation?subject=Patient/p1", &observation, true);
    check("Observation?subject:Patient=p1", &observation, true);
    check(
        "Observation?date=lt2013-01-14T11:00&date=gt2013-01-14T09:00",
        &observation,
        true,
    );
    check("Observation?date=2013-01-15", &observation, false);
}

#[test]
fn patient_parameter_keeps_to_patients() {
    let with = |reference: &str| json!({"resourceType": "Observation", "subject": {"reference": reference}});
    check("Observation?patient=1", &with("Patient/1"), true);
    check("Observation?patient=1", &with("Group/1"), false);
    check("Observation?patient=Group/1", &with("Group/1"), false);
    check("Observation?subject=1", &with("Group/1"), true);
    check("Observation?patient:missing=true", &with("Group/1"), true);
}

#[test]
fn number_and_bundle_parameters() {
    let assessment = json!({"resourceType": "RiskAssessment", "prediction": [{"probabilityDecimal": 0.25}]});
    check("RiskAssessment?probability=0.2", &assessment, false);
    check("RiskAssessment?probability=gt0.2", &assessment, true);
    let bundle = json!({"resourceType": "Bundle", "type": "document",
        "entry": [{"resource": {"resourceType": "Composition", "id": "c"}}, {"resource": {"resourceType": "Composition", "id": "d"}}]});
    check("Bundle?composition=c", &bundle, true);
    check("Bundle?composition=Composition/c", &bundle, true);
    check("Bundle?composition=d", &bundle, false);
}

#[test]
fn mime_types_below() {
    let document = json!({"resourceType": "DocumentReference",
        "content": [{"attachment": {"contentType": "text/xml; charset=UTF-8"}}]});
    check("DocumentReference?contenttype:below=text/xml", &document, true);
    check("DocumentReference?contenttype:below=text", &document, true);
    check("DocumentReference?contenttype=text/xml", &document, false);
}

#[test]
fn refusals() {
    for filter in [
        "Patient",
        "Patient/1",
        "Nobody?active=true",
        "patient?active=true",
        "?active=true",
        "Patient?nothing=1",
        "Patient?gender=",
        "Patient?gender=,",
        "Patient?gender",
        r"Patient?name=a\b",
        "Patient?gender:above=x",
        "Patient?gender:below=x",
        "Patient?gender:nothing=x",
        "Patient?gender:not:missing=true",
        "Patient?gender:missing=yes",
        "Patient?gender:missing=true,false",
        "Patient?birthdate:not=2000",
        "Patient?birthdate=yesterday",
        "Patient?birthdate=gt",
        "Patient?name:text=x",
        "Patient?name=...",
        "Patient?phonetic=x",
        "Patient?_has:Observation:patient:code=1",
        "Patient?_text=x",
        "Patient?_content=x",
        "Patient?_list=x",
        "Patient?_query=x",
        "Patient?_filter=x",
        "Patient?_type=Patient",
        "Patient?_sort=name",
        "Patient?_count=1",
        "Patient?_elements=id",
        "Patient?_include=x",
        "Patient?general-practitioner.name=x",
        "Patient?general-practitioner:Practitioner.name=x",
        "Patient?general-practitioner:Practitioner=Practitioner/1",
        "Patient?general-practitioner:below=1",
        "Patient?_profile:below=urn:oid:1",
        "Patient?identifier=a|b|c",
        "Patient?identifier:of-type=a|b",
        "Location?near=1|2",
        "Observation?value-quantity=5|mg",
        "Observation?code-value-quantity=8480-6",
        "Observation?code-value-quantity:missing=true",
        "Observation?code-value-quantity=8480-6$1$2",
        "Observation?code:in=http://unknown",
        "Observation?code:of-type=a|b|c",
    ] {
        assert!(Oracle::new(&Registry::r4(), &request(&[filter])).is_err(), "{filter}");
    }
    let two = Oracle::new(&Registry::r4(), &request(&["Patient?nothing=1&gender=", "Nobody?"]));
    assert_eq!(two.map_err(|problems| problems.len()).err(), Some(3));
}
