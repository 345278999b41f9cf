//! Procedure, ServiceRequest and Specimen.

use crate::choice::{Choice, choice};
use crate::codes::{BODY_SITES, CONDITIONS, PROCEDURES, SPECIMENS, UNITS, YEARS};
use crate::datatypes::{concept_as, concepts_as, identifiers, note, plain, quantity};
use crate::dates::{DAY, date_time};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, shared_as, subject};

pub(crate) fn procedure(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Procedure, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::Procedure, id, "us-core-procedure");
    if pen.oddly(20) {
        identifiers(pen, local);
    }
    if pen.oddly(20) {
        put!(
            pen,
            r#","instantiatesCanonical":["http://example.org/PlanDefinition/pd|1.0"],"instantiatesUri":["http://example.org/protocol"]"#
        );
    }
    let status = if pen.varied {
        pen.rng.pick(&["completed", "completed", "in-progress", "not-done"])
    } else {
        "completed"
    };
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","category":{"coding":[{"system":"http://snomed.info/sct","code":"387713003"}]}"#
    );
    let code = pen.rng.pick(&PROCEDURES);
    concept_as(pen, "code", code);
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    if !pen.oddly(4) {
        choice(
            pen,
            "performed",
            &[
                Choice::Period,
                Choice::Period,
                Choice::DateTime,
                Choice::DateTime,
                Choice::Text,
                Choice::Age,
                Choice::Range,
            ],
            at,
            YEARS,
        );
    }
    put!(pen, r#","performer":[{"actor":"#);
    if pen.oddly(8) {
        let patient = pen.subject.id;
        crate::references::reference(pen, Kind::Patient, patient);
    } else {
        shared(pen, Kind::Practitioner);
    }
    put!(pen, "}]");
    shared_as(pen, "location", Kind::Location);
    let reason = pen.rng.pick(&CONDITIONS);
    concepts_as(pen, "reasonCode", reason);
    if pen.rng.percent(30) {
        put!(
            pen,
            r#","reasonReference":[{"reference":"Condition/"#,
            pen.own(Kind::Condition, 0),
            "\"}]"
        );
    }
    if pen.oddly(15) {
        let site = pen.rng.pick(&BODY_SITES);
        concepts_as(pen, "bodySite", site);
        note(pen, at);
    }
    put!(pen, "}");
}

pub(crate) fn service_request(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::ServiceRequest, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::ServiceRequest, id, "us-core-servicerequest");
    identifiers(pen, local);
    put!(
        pen,
        r#","requisition":{"system":"http://example.org/requisitions","value":"R|"#,
        local,
        "\"}"
    );
    let status = pen.rng.pick(&["active", "completed", "on-hold", "revoked"]);
    let intent = pen.rng.pick(&["order", "plan", "proposal"]);
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","intent":""#,
        intent,
        r#"","priority":"routine""#
    );
    if pen.oddly(30) {
        put!(pen, r#","doNotPerform":false"#);
    }
    let code = pen.rng.pick(&PROCEDURES);
    concept_as(pen, "code", code);
    if pen.rng.percent(40) {
        choice(
            pen,
            "quantity",
            &[Choice::Quantity, Choice::Ratio, Choice::Range],
            at,
            UNITS[0],
        );
    }
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    choice(
        pen,
        "occurrence",
        &[Choice::DateTime, Choice::Period, Choice::Timing],
        at + 3 * DAY,
        UNITS[0],
    );
    if pen.rng.percent(30) {
        choice(pen, "asNeeded", &[Choice::Boolean, Choice::Concept], at, UNITS[0]);
    }
    let authored = date_time(pen, at);
    put!(pen, r#","authoredOn":""#, authored, "\"");
    shared_as(pen, "requester", Kind::PractitionerRole);
    put!(pen, r#","performer":["#);
    shared(pen, Kind::Organization);
    put!(pen, "]");
    let reason = pen.rng.pick(&CONDITIONS);
    concepts_as(pen, "reasonCode", reason);
    put!(
        pen,
        r#","specimen":[{"reference":"Specimen/"#,
        pen.own(Kind::Specimen, 0),
        "\"}]}"
    );
}

pub(crate) fn specimen(pen: &mut Pen) {
    let id = pen.start(Kind::Specimen, pen.subject.index, 0);
    let (_, at) = pen.visit();
    let index = pen.subject.index;
    head(pen, Kind::Specimen, id, "us-core-specimen");
    identifiers(pen, index);
    put!(
        pen,
        r#","accessionIdentifier":{"system":"http://example.org/accessions","value":"A$"#,
        index,
        r#""},"status":"available""#
    );
    let kind = pen.rng.pick(&SPECIMENS);
    concept_as(pen, "type", kind);
    subject(pen, "subject");
    let received = date_time(pen, at + 3600);
    put!(pen, r#","receivedTime":""#, received, r#"","collection":{"collector":"#);
    shared(pen, Kind::Practitioner);
    choice(
        pen,
        "collected",
        &[Choice::DateTime, Choice::DateTime, Choice::Period],
        at,
        UNITS[0],
    );
    put!(pen, r#","quantity":"#);
    quantity(pen, crate::codes::MG);
    if pen.oddly(20) {
        let site = pen.rng.pick(&BODY_SITES);
        concept_as(pen, "bodySite", site);
    }
    choice(pen, "fastingStatus", &[Choice::Concept, Choice::Duration], at, UNITS[0]);
    put!(
        pen,
        r#"},"container":[{"identifier":[{"value":"tube-"#,
        index,
        r#""}],"type":"#
    );
    plain(pen, "container-cap", "red");
    put!(pen, "}]}");
}
