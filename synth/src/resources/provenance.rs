//! Provenance of the patient's lines.

use crate::choice::{Choice, choice};
use crate::datatypes::plain;
use crate::dates::{DAY, instant};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{reference, shared, shared_as};

/// What a Provenance may be about: kinds of which the patient always has the given number.
const TARGETS: [(Kind, u64); 5] = [
    (Kind::Observation, 10),
    (Kind::Condition, 3),
    (Kind::Encounter, 2),
    (Kind::MedicationRequest, 2),
    (Kind::DocumentReference, 1),
];

pub(crate) fn provenance(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Provenance, pen.subject.index, ordinal);
    let (_, at) = pen.visit();
    head(pen, Kind::Provenance, id, "us-core-provenance");
    put!(pen, r#","target":["#);
    if ordinal == 0 {
        let patient = pen.subject.id;
        reference(pen, Kind::Patient, patient);
        put!(pen, ",");
    }
    let (kind, count) = pen.rng.pick(&TARGETS);
    let target = pen.rng.below(count);
    let target = pen.own(kind, target);
    reference(pen, kind, target);
    put!(pen, "]");
    if pen.rng.percent(50) {
        choice(
            pen,
            "occurred",
            &[Choice::DateTime, Choice::Period],
            at,
            crate::codes::UNITS[0],
        );
    }
    let recorded = instant(pen, at + DAY);
    put!(pen, r#","recorded":""#, recorded, "\"");
    shared_as(pen, "location", Kind::Location);
    put!(pen, r#","activity":"#);
    plain(pen, "v3-DataOperation", "UPDATE");
    put!(pen, r#","agent":[{"type":"#);
    plain(pen, "provenance-participant-type", "author");
    put!(pen, r#","role":["#);
    plain(pen, "v3-ParticipationType", "AUT");
    put!(pen, r#"],"who":"#);
    shared(pen, Kind::Practitioner);
    shared_as(pen, "onBehalfOf", Kind::Organization);
    put!(
        pen,
        r#"},{"type":{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type","code":"transmitter"}]},"who":"#
    );
    shared(pen, Kind::Organization);
    put!(
        pen,
        r#"}],"entity":[{"role":"source","what":{"reference":"DocumentReference/"#,
        pen.own(Kind::DocumentReference, 0),
        "\"}}]"
    );
    if pen.oddly(40) {
        put!(
            pen,
            r#","signature":[{"type":[{"system":"urn:iso-astm:E1762-95:2013","code":"1.2.840.10065.1.12.1.1"}],"when":""#,
            recorded,
            r#"","who":"#
        );
        shared(pen, Kind::Practitioner);
        put!(
            pen,
            r#","sigFormat":"application/jose","data":"dGhpcyBibG9iIGlzIHNuaXBwZWQ="}]"#
        );
    }
    put!(pen, "}");
}
