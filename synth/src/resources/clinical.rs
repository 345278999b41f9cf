//! Condition, AllergyIntolerance, Immunization and RiskAssessment.

use crate::choice::{Choice, choice, probability};
use crate::codes::{ALLERGENS, BODY_SITES, CONDITIONS, FINDINGS, VACCINES, YEARS};
use crate::datatypes::{concept, concept_as, concepts_as, identifiers, note, period, plain, quantity};
use crate::dates::{DAY, date, date_time};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, shared_as, subject};
use crate::text::sentence;

const ONSET: [Choice; 8] = [
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::Age,
    Choice::Period,
    Choice::Range,
    Choice::Text,
];

pub(crate) fn condition(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Condition, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::Condition, id, "us-core-condition-encounter-diagnosis");
    if pen.oddly(30) {
        identifiers(pen, local);
    }
    let clinical = pen.rng.pick(&["active", "active", "resolved", "inactive", "remission"]);
    put!(pen, r#","clinicalStatus":"#);
    plain(pen, "condition-clinical", clinical);
    put!(pen, r#","verificationStatus":"#);
    let verified = if pen.varied {
        pen.rng.pick(&["confirmed", "confirmed", "refuted", "provisional"])
    } else {
        "confirmed"
    };
    plain(pen, "condition-ver-status", verified);
    put!(pen, r#","category":["#);
    let category = pen.rng.pick(&["encounter-diagnosis", "problem-list-item"]);
    plain(pen, "condition-category", category);
    put!(pen, "]");
    let code = pen.rng.pick(&CONDITIONS);
    concept_as(pen, "code", code);
    if pen.oddly(15) {
        let site = pen.rng.pick(&BODY_SITES);
        concepts_as(pen, "bodySite", site);
    }
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    if !pen.oddly(8) {
        choice(pen, "onset", &ONSET, at, YEARS);
    } else if pen.oddly(50) {
        put!(
            pen,
            r#","_onsetDateTime":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#
        );
    }
    if clinical == "resolved" || clinical == "inactive" {
        choice(pen, "abatement", &ONSET, at + 60 * DAY, YEARS);
    }
    if !pen.oddly(10) {
        let recorded = date_time(pen, at);
        put!(pen, r#","recordedDate":""#, recorded, "\"");
    }
    shared_as(pen, "asserter", Kind::Practitioner);
    if pen.oddly(10) {
        put!(pen, r#","stage":[{"summary":"#);
        concept(pen, FINDINGS[2]);
        put!(pen, r#"}],"evidence":[{"code":["#);
        concept(pen, code);
        put!(
            pen,
            r#"],"detail":[{"reference":"Observation/"#,
            pen.own(Kind::Observation, 0),
            "\"}]}]"
        );
    }
    if pen.oddly(15) {
        note(pen, at);
    }
    put!(pen, "}");
}

pub(crate) fn allergy(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::AllergyIntolerance, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    head(pen, Kind::AllergyIntolerance, id, "us-core-allergyintolerance");
    put!(pen, r#","clinicalStatus":"#);
    plain(pen, "allergyintolerance-clinical", "active");
    put!(pen, r#","verificationStatus":"#);
    plain(pen, "allergyintolerance-verification", "confirmed");
    let category = pen
        .rng
        .pick(&[r#"["food"]"#, r#"["medication"]"#, r#"["food","environment"]"#]);
    let criticality = pen.rng.pick(&["low", "high", "unable-to-assess"]);
    put!(
        pen,
        r#","type":"allergy","category":"#,
        category,
        r#","criticality":""#,
        criticality,
        "\""
    );
    let code = pen.rng.pick(&ALLERGENS);
    concept_as(pen, "code", code);
    subject(pen, "patient");
    own(pen, "encounter", Kind::Encounter, visit);
    choice(pen, "onset", &ONSET, at, YEARS);
    let (recorded, last) = (date_time(pen, at), date_time(pen, at + 30 * DAY));
    put!(pen, r#","recordedDate":""#, recorded, "\"");
    shared_as(pen, "recorder", Kind::Practitioner);
    if pen.oddly(20) {
        subject(pen, "asserter");
    }
    put!(pen, r#","lastOccurrence":""#, last, r#"","reaction":[{"substance":"#);
    concept(pen, code);
    put!(pen, r#","manifestation":["#);
    concept(pen, CONDITIONS[2]);
    put!(pen, r#"],"description":""#);
    sentence(pen);
    let severity = pen.rng.pick(&["mild", "moderate", "severe"]);
    put!(
        pen,
        r#"","onset":""#,
        recorded,
        r#"","severity":""#,
        severity,
        r#"","exposureRoute":"#
    );
    concept(pen, FINDINGS[3]);
    put!(pen, "}]}");
}

pub(crate) fn immunization(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Immunization, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    head(pen, Kind::Immunization, id, "us-core-immunization");
    let done = !pen.oddly(10);
    put!(pen, r#","status":""#, if done { "completed" } else { "not-done" }, "\"");
    if !done {
        put!(pen, r#","statusReason":"#);
        plain(pen, "v3-ActReason", "PATOBJ");
    }
    let code = pen.rng.pick(&VACCINES);
    concept_as(pen, "vaccineCode", code);
    subject(pen, "patient");
    own(pen, "encounter", Kind::Encounter, visit);
    choice(
        pen,
        "occurrence",
        &[Choice::DateTime, Choice::DateTime, Choice::DateTime, Choice::Text],
        at,
        YEARS,
    );
    let (primary, expires, lot) = (pen.rng.percent(70), date(pen, at + 300 * DAY), pen.rng.below(99_999));
    put!(pen, r#","primarySource":"#, primary);
    shared_as(pen, "location", Kind::Location);
    shared_as(pen, "manufacturer", Kind::Organization);
    put!(
        pen,
        r#","lotNumber":"LOT/"#,
        lot,
        r#"","expirationDate":""#,
        expires,
        "\""
    );
    if pen.oddly(40) {
        put!(pen, r#","doseQuantity":"#);
        quantity(pen, crate::codes::MG);
    }
    put!(pen, r#","performer":[{"actor":"#);
    shared(pen, Kind::Practitioner);
    put!(pen, "}]");
    if pen.oddly(20) {
        let time = date_time(pen, at + DAY);
        put!(
            pen,
            r#","reaction":[{"date":""#,
            time,
            r#"","detail":{"reference":"Observation/"#,
            pen.own(Kind::Observation, 1),
            r#""},"reported":false}]"#
        );
    }
    if pen.oddly(30) {
        put!(pen, r#","protocolApplied":[{"series":"3-dose","targetDisease":["#);
        concept(pen, CONDITIONS[3]);
        let text = pen.rng.percent(50);
        put!(
            pen,
            if text {
                r#"],"doseNumberString":"first"}]"#
            } else {
                r#"],"doseNumberPositiveInt":2,"seriesDosesPositiveInt":3}]"#
            }
        );
    }
    put!(pen, "}");
}

pub(crate) fn risk(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::RiskAssessment, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::RiskAssessment, id, "riskassessment");
    identifiers(pen, local);
    put!(pen, r#","status":"final","method":"#);
    concept(pen, FINDINGS[4]);
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    choice(pen, "occurrence", &[Choice::DateTime, Choice::Period], at, YEARS);
    own(pen, "condition", Kind::Condition, 0);
    shared_as(pen, "performer", Kind::Practitioner);
    put!(pen, r#","prediction":["#);
    for position in 0..2 {
        let outcome = pen.rng.pick(&CONDITIONS);
        put!(pen, if position > 0 { "," } else { "" }, r#"{"outcome":"#);
        concept(pen, outcome);
        if position == 0 || !pen.varied {
            put!(pen, r#","probabilityDecimal":"#);
            probability(pen);
        } else {
            choice(
                pen,
                "probability",
                &[Choice::Decimal, Choice::Range],
                at,
                crate::codes::UNITS[1],
            );
        }
        put!(pen, r#","qualitativeRisk":"#);
        plain(pen, "risk-probability", "moderate");
        if pen.rng.percent(50) {
            choice(pen, "when", &[Choice::Period, Choice::Range], at, YEARS);
        }
        put!(pen, "}");
    }
    put!(pen, "]");
    if pen.oddly(30) {
        put!(pen, r#","mitigation":""#);
        sentence(pen);
        put!(pen, "\"");
    }
    put!(pen, "}");
}

pub(crate) fn device(pen: &mut Pen) {
    let id = pen.start(Kind::Device, pen.subject.index, 0);
    let (_, at) = pen.visit();
    let index = pen.subject.index;
    head(pen, Kind::Device, id, "us-core-implantable-device");
    identifiers(pen, index);
    let (made, expires, lot) = (
        date_time(pen, at),
        date_time(pen, at + 3650 * DAY),
        pen.rng.below(1_000_000),
    );
    put!(
        pen,
        r#","udiCarrier":[{"deviceIdentifier":"08717648200274","carrierHRF":"(01)08717648200274(17)160606(10)"#,
        lot,
        r#""}],"status":"active","distinctIdentifier":"A/99|"#,
        lot,
        r#"","manufactureDate":""#,
        made,
        r#"","expirationDate":""#,
        expires,
        r#"","lotNumber":""#,
        lot,
        r#"","serialNumber":"SN-"#,
        index,
        r#"","deviceName":[{"name":"Herzschrittmacher Größe 2","type":"user-friendly-name"}],"modelNumber":"M,1$2""#
    );
    let code = pen.rng.pick(&crate::codes::DEVICES);
    concept_as(pen, "type", code);
    subject(pen, "patient");
    shared_as(pen, "owner", Kind::Organization);
    shared_as(pen, "location", Kind::Location);
    put!(
        pen,
        r#","url":"https://devices.example.org/"#,
        index,
        r#"/status?x=1","safety":[{"coding":[{"system":"urn:oid:2.16.840.1.113883.3.26.1.1","code":"mr-unsafe"}]}]}"#
    );
}

pub(crate) fn coverage(pen: &mut Pen) {
    let id = pen.start(Kind::Coverage, pen.subject.index, 0);
    let (_, at) = pen.visit();
    let index = pen.subject.index;
    head(pen, Kind::Coverage, id, "us-core-coverage");
    identifiers(pen, index);
    put!(pen, r#","status":"active","type":"#);
    plain(pen, "v3-ActCode", "HIP");
    if pen.rng.percent(50) {
        subject(pen, "policyHolder");
        subject(pen, "subscriber");
    }
    put!(pen, r#","subscriberId":"SUB-"#, index, "\"");
    subject(pen, "beneficiary");
    put!(pen, r#","dependent":"0","relationship":"#);
    plain(pen, "subscriber-relationship", "self");
    put!(pen, r#","period":"#);
    period(pen, at, 365 * DAY);
    put!(pen, r#","payor":["#);
    shared(pen, Kind::Organization);
    put!(pen, r#"],"class":[{"type":"#);
    plain(pen, "coverage-class", "plan");
    put!(
        pen,
        r#","value":"plan/"#,
        index % 97,
        r#"","name":"Gold & Silver <Plan>"}],"order":1}"#
    );
}
