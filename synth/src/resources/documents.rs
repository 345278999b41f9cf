//! DiagnosticReport and DocumentReference, with attachments.

use crate::choice::{Choice, choice};
use crate::codes::{CONDITIONS, NOTES, REPORTS, UNITS};
use crate::datatypes::{concept, concept_as, concepts_as, identifiers, period, plain};
use crate::dates::{DAY, date_time, instant};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, subject};
use crate::text::{base64, sentence};

const TYPES: [&str; 7] = [
    "text/plain",
    "text/plain; charset=utf-8",
    "application/pdf",
    "text/xml; charset=\\\"UTF-8\\\"",
    "application/hl7-sda+xml",
    "image/jpeg",
    "text/html;charset=iso-8859-1",
];

fn attachment(pen: &mut Pen, at: i64, longest: u64) {
    let kind = if pen.varied { pen.rng.pick(&TYPES) } else { TYPES[1] };
    put!(pen, r#"{"contentType":""#, kind, r#"","language":"en-US""#);
    if pen.oddly(30) {
        let number = pen.rng.below(1_000_000);
        put!(
            pen,
            r#","url":"https://files.example.org/Binary/"#,
            number,
            r#"?v=1","size":"#,
            number,
            r#","hash":"2jmj7l5rSw0yVb/vlWAYkK/YBwk=""#
        );
    } else {
        let length = 400 + pen.rng.below(longest);
        put!(pen, r#","data":""#);
        base64(pen, length as usize);
        put!(pen, "\"");
    }
    let created = date_time(pen, at);
    put!(pen, r#","title":""#);
    sentence(pen);
    put!(pen, r#"","creation":""#, created, "\"}");
}

pub(crate) fn report(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::DiagnosticReport, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::DiagnosticReport, id, "us-core-diagnosticreport-note");
    identifiers(pen, local);
    put!(
        pen,
        r#","basedOn":[{"reference":"ServiceRequest/"#,
        pen.own(Kind::ServiceRequest, 0),
        "\"}]"
    );
    let status = pen.rng.pick(&["final", "final", "final", "amended", "partial"]);
    put!(pen, r#","status":""#, status, r#"","category":["#);
    plain(pen, "v2-0074", "LAB");
    put!(pen, "]");
    let code = pen.rng.pick(&REPORTS);
    concept_as(pen, "code", code);
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    choice(
        pen,
        "effective",
        &[Choice::DateTime, Choice::DateTime, Choice::DateTime, Choice::Period],
        at,
        UNITS[0],
    );
    let issued = instant(pen, at + 7200);
    put!(pen, r#","issued":""#, issued, r#"","performer":["#);
    shared(pen, Kind::Organization);
    put!(pen, r#"],"resultsInterpreter":["#);
    shared(pen, Kind::Practitioner);
    put!(pen, r#"],"result":["#);
    for position in 0..4u64 {
        put!(
            pen,
            if position > 0 { "," } else { "" },
            r#"{"reference":"Observation/"#,
            pen.own(Kind::Observation, position * 5 + 3),
            r#"","display":"Result "#,
            position,
            "\"}"
        );
    }
    put!(pen, r#"],"conclusion":""#);
    sentence(pen);
    let conclusion = pen.rng.pick(&CONDITIONS);
    put!(pen, "\"");
    concepts_as(pen, "conclusionCode", conclusion);
    put!(pen, r#","presentedForm":["#);
    attachment(pen, at, 1600);
    put!(pen, "]}");
}

pub(crate) fn document(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::DocumentReference, pen.subject.index, ordinal);
    let (_, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::DocumentReference, id, "us-core-documentreference");
    put!(
        pen,
        r#","masterIdentifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:"#,
        id,
        "\"}"
    );
    identifiers(pen, local);
    let status = pen.rng.pick(&["current", "current", "superseded"]);
    put!(pen, r#","status":""#, status, r#"","docStatus":"final""#);
    let kind = pen.rng.pick(&NOTES);
    concept_as(pen, "type", kind);
    put!(
        pen,
        r#","category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}]"#
    );
    subject(pen, "subject");
    if !pen.oddly(8) {
        let date = instant(pen, at);
        put!(pen, r#","date":""#, date, "\"");
    }
    put!(pen, r#","author":["#);
    shared(pen, Kind::Practitioner);
    put!(pen, "]");
    crate::references::shared_as(pen, "custodian", Kind::Organization);
    if ordinal > 0 {
        let code = pen.rng.pick(&["replaces", "appends", "signs"]);
        put!(
            pen,
            r#","relatesTo":[{"code":""#,
            code,
            r#"","target":{"reference":"DocumentReference/"#,
            pen.own(Kind::DocumentReference, 0),
            "\"}}]"
        );
    }
    put!(pen, r#","description":""#);
    sentence(pen);
    put!(pen, r#"","securityLabel":["#);
    plain(pen, "v3-Confidentiality", "N");
    put!(pen, r#"],"content":[{"attachment":"#);
    attachment(pen, at, 3000);
    put!(
        pen,
        r#","format":{"system":"http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem","code":"urn:ihe:iti:xds:2017:mimeTypeSufficient"}}"#
    );
    if pen.oddly(20) {
        put!(pen, r#",{"attachment":"#);
        attachment(pen, at, 400);
        put!(pen, "}");
    }
    put!(
        pen,
        r#"],"context":{"encounter":[{"reference":"Encounter/"#,
        pen.own(Kind::Encounter, 0),
        r#""}],"event":["#
    );
    concept(pen, kind);
    put!(pen, r#"],"period":"#);
    period(pen, at, DAY);
    put!(pen, r#","facilityType":"#);
    concept(pen, kind);
    if pen.oddly(15) {
        concept_as(pen, "practiceSetting", kind);
        put!(
            pen,
            r#","related":[{"reference":"Encounter/"#,
            pen.own(Kind::Encounter, 1),
            "\"}]"
        );
    }
    put!(pen, "}}");
}
