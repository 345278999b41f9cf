//! Medication, MedicationRequest and MedicationAdministration.

use crate::choice::{Choice, choice};
use crate::codes::{CONDITIONS, DRUGS, FINDINGS, MG};
use crate::datatypes::{concept, concept_as, concepts_as, identifiers, note, period, plain, ratio, timing};
use crate::dates::{DAY, date_time};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, shared_as, subject};
use crate::text::sentence;

pub(crate) fn medication(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Medication, pen.subject.index, ordinal);
    head(pen, Kind::Medication, id, "us-core-medication");
    concept_as(pen, "code", DRUGS[(ordinal % 8) as usize]);
    put!(pen, r#","status":"active""#);
    shared_as(pen, "manufacturer", Kind::Organization);
    put!(
        pen,
        r#","form":{"coding":[{"system":"http://snomed.info/sct","code":"385055001","display":"Tablet"}]},"ingredient":[{"#
    );
    if pen.oddly(30) {
        put!(pen, r#""itemReference":"#);
        shared(pen, Kind::Medication);
    } else {
        put!(pen, r#""itemCodeableConcept":"#);
        let code = pen.rng.pick(&DRUGS);
        concept(pen, code);
    }
    put!(pen, r#","isActive":true,"strength":"#);
    ratio(pen, MG);
    let (lot, expires) = (pen.rng.below(99_999), pen.rng.between(1_700_000_000, 1_900_000_000));
    let expires = date_time(pen, expires);
    put!(
        pen,
        r#"}],"batch":{"lotNumber":"B|"#,
        lot,
        r#"","expirationDate":""#,
        expires,
        "\"}}"
    );
}

/// Appends `medicationCodeableConcept` or `medicationReference`, in a varied run also to a contained Medication.
fn which(pen: &mut Pen, contained: bool) {
    if contained {
        put!(pen, r##","medicationReference":{"reference":"#med1"}"##);
    } else if pen.rng.percent(35) {
        shared_as(pen, "medicationReference", Kind::Medication);
    } else {
        let code = pen.rng.pick(&DRUGS);
        concept_as(pen, "medicationCodeableConcept", code);
    }
}

fn contained_medication(pen: &mut Pen) {
    let code = pen.rng.pick(&DRUGS);
    put!(pen, r#","contained":[{"resourceType":"Medication","id":"med1""#);
    concept_as(pen, "code", code);
    put!(pen, r#","status":"inactive"}]"#);
}

pub(crate) fn request(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::MedicationRequest, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    // A head may bring a contained decoy of its own; a name must not stand twice, so this form goes without one.
    let contained = pen.oddly(8);
    if contained {
        put!(
            pen,
            r#"{"resourceType":"MedicationRequest","id":""#,
            id,
            r#"","meta":{"versionId":"1"}"#
        );
        contained_medication(pen);
    } else {
        head(pen, Kind::MedicationRequest, id, "us-core-medicationrequest");
    }
    identifiers(pen, local);
    let status = pen
        .rng
        .pick(&["active", "completed", "stopped", "on-hold", "cancelled"]);
    let intent = pen.rng.pick(&["order", "order", "plan", "original-order"]);
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","intent":""#,
        intent,
        r#"","category":["#
    );
    plain(pen, "medicationrequest-category", "community");
    put!(pen, r#"],"priority":"routine""#);
    if pen.oddly(15) {
        put!(pen, r#","reportedBoolean":true"#);
    } else if pen.oddly(10) {
        shared_as(pen, "reportedReference", Kind::Practitioner);
    }
    which(pen, contained);
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    if !pen.oddly(5) {
        let authored = date_time(pen, at);
        put!(pen, r#","authoredOn":""#, authored, "\"");
    }
    shared_as(pen, "requester", Kind::Practitioner);
    let reason = pen.rng.pick(&CONDITIONS);
    concepts_as(pen, "reasonCode", reason);
    if pen.oddly(15) {
        note(pen, at);
    }
    dosage(pen, at);
    put!(pen, r#","dispenseRequest":{"validityPeriod":"#);
    period(pen, at, 365 * DAY);
    let repeats = pen.rng.below(12);
    if pen.oddly(10) {
        shared_as(pen, "performer", Kind::Organization);
    }
    put!(
        pen,
        r#","numberOfRepeatsAllowed":"#,
        repeats,
        r#","quantity":{"value":30,"unit":"{tbl}"},"expectedSupplyDuration":{"value":30,"unit":"days","system":"http://unitsofmeasure.org","code":"d"}}}"#
    );
}

fn dosage(pen: &mut Pen, at: i64) {
    put!(pen, r#","dosageInstruction":[{"sequence":1,"text":""#);
    sentence(pen);
    put!(pen, r#"","timing":"#);
    timing(pen, at);
    choice(
        pen,
        "asNeeded",
        &[Choice::Boolean, Choice::Boolean, Choice::Concept],
        at,
        MG,
    );
    put!(pen, r#","doseAndRate":[{"type":"#);
    plain(pen, "dose-rate-type", "ordered");
    choice(pen, "dose", &[Choice::Quantity, Choice::Range], at, MG);
    if pen.oddly(30) {
        choice(pen, "rate", &[Choice::Ratio, Choice::Range, Choice::Quantity], at, MG);
    }
    put!(pen, "}]}");
    if pen.oddly(20) {
        put!(pen, r#",{"sequence":2,"timing":"#);
        timing(pen, at + 10 * DAY);
        put!(pen, "}");
    }
    put!(pen, "]");
}

pub(crate) fn administration(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::MedicationAdministration, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    head(pen, Kind::MedicationAdministration, id, "medicationadministration");
    put!(pen, r#","status":"completed""#);
    which(pen, false);
    subject(pen, "subject");
    own(pen, "context", Kind::Encounter, visit);
    choice(pen, "effective", &[Choice::DateTime, Choice::Period], at, MG);
    put!(pen, r#","performer":[{"actor":"#);
    shared(pen, Kind::Practitioner);
    put!(pen, "}]");
    concepts_as(pen, "reasonCode", CONDITIONS[0]);
    own(pen, "request", Kind::MedicationRequest, 0);
    put!(pen, r#","dosage":{"text":""#);
    sentence(pen);
    put!(pen, r#"","route":"#);
    concept(pen, FINDINGS[4]);
    put!(pen, r#","dose":"#);
    crate::datatypes::quantity(pen, MG);
    choice(pen, "rate", &[Choice::Quantity, Choice::Ratio], at, MG);
    put!(pen, "}}");
}
