//! Observation: vital signs with components, laboratory results, survey answers, with a value of every type.

use crate::choice::{Choice, choice};
use crate::codes::{BODY_SITES, Code, FINDINGS, LABS, LOINC, MMHG, SURVEY, UNITS, VITALS};
use crate::datatypes::{concept, concept_as, identifiers, note, plain, quantity, range};
use crate::dates::{DAY, instant};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, subject};

const EFFECTIVE: [Choice; 12] = [
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::DateTime,
    Choice::Period,
    Choice::Timing,
    Choice::Instant,
];

const ANSWERS: [Choice; 12] = [
    Choice::Concept,
    Choice::Concept,
    Choice::Text,
    Choice::Boolean,
    Choice::Integer,
    Choice::Range,
    Choice::Ratio,
    Choice::DateTime,
    Choice::Period,
    Choice::Sampled,
    Choice::Time,
    Choice::Quantity,
];

pub(crate) fn observation(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Observation, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let (category, profile) = match ordinal % 5 {
        0 => ("vital-signs", "us-core-blood-pressure"),
        1 | 2 => ("vital-signs", "us-core-vital-signs"),
        3 => ("laboratory", "us-core-observation-lab"),
        _ => ("survey", "us-core-simple-observation"),
    };
    head(pen, Kind::Observation, id, profile);
    if pen.oddly(8) {
        let local = pen.subject.index * 100 + ordinal;
        identifiers(pen, local);
    }
    if pen.oddly(10) {
        put!(
            pen,
            r#","basedOn":[{"reference":"ServiceRequest/"#,
            pen.own(Kind::ServiceRequest, 0),
            "\"}]"
        );
    }
    let status = if pen.varied {
        pen.rng.pick(&[
            "final",
            "final",
            "final",
            "final",
            "amended",
            "preliminary",
            "corrected",
            "entered-in-error",
        ])
    } else {
        "final"
    };
    put!(pen, r#","status":""#, status, r#"","category":["#);
    plain(pen, "observation-category", category);
    if pen.oddly(10) {
        put!(
            pen,
            r#",{"coding":[{"system":"http://example.org/categories","code":"x,y|z"},{"code":"no-system"}]}"#
        );
    }
    put!(pen, "]");
    what(pen, ordinal);
    subject(pen, "subject");
    if pen.oddly(6) {
        put!(
            pen,
            r#","focus":[{"reference":"Device/"#,
            pen.own(Kind::Device, 0),
            "\"}]"
        );
    }
    own(pen, "encounter", Kind::Encounter, visit);
    if !pen.oddly(4) {
        choice(pen, "effective", &EFFECTIVE, at, MMHG);
    }
    let issued = instant(pen, at + 600);
    put!(pen, r#","issued":""#, issued, r#"","performer":["#);
    if pen.oddly(10) {
        put!(pen, r#"{"reference":"Patient/"#, pen.subject.id, r#""},"#);
    }
    shared(pen, Kind::Practitioner);
    put!(pen, "]");
    value(pen, ordinal, at);
    rest(pen, ordinal, at);
    put!(pen, "}");
}

fn what(pen: &mut Pen, ordinal: u64) {
    let code = match ordinal % 5 {
        0 => Code(LOINC, "85354-9", "Blood pressure panel with all children optional"),
        1 | 2 => pen.rng.pick(&VITALS),
        3 => pen.rng.pick(&LABS),
        _ => pen.rng.pick(&SURVEY),
    };
    concept_as(pen, "code", code);
}

fn value(pen: &mut Pen, ordinal: u64, at: i64) {
    let unit = pen.rng.pick(&UNITS);
    match ordinal % 5 {
        0 => components(pen),
        _ if pen.oddly(5) => {
            put!(pen, r#","dataAbsentReason":"#);
            let reason = pen.rng.pick(&["unknown", "not-performed", "masked"]);
            plain(pen, "data-absent-reason", reason);
        }
        4 => choice(pen, "value", &ANSWERS, at - 400 * DAY, unit),
        3 if pen.oddly(20) => choice(pen, "value", &ANSWERS, at, unit),
        _ => {
            put!(pen, r#","valueQuantity":"#);
            quantity(pen, unit);
        }
    }
}

fn components(pen: &mut Pen) {
    put!(pen, r#","component":["#);
    for (position, (code, display)) in [
        ("8480-6", "Systolic blood pressure"),
        ("8462-4", "Diastolic blood pressure"),
    ]
    .into_iter()
    .enumerate()
    {
        put!(pen, if position > 0 { r#",{"code":"# } else { r#"{"code":"# });
        concept(pen, Code(LOINC, code, display));
        if pen.oddly(10) {
            put!(pen, r#","dataAbsentReason":"#);
            plain(pen, "data-absent-reason", "error");
        } else if pen.oddly(8) {
            choice(pen, "value", &ANSWERS, 1_600_000_000, MMHG);
        } else {
            put!(pen, r#","valueQuantity":"#);
            quantity(pen, MMHG);
        }
        put!(pen, "}");
    }
    put!(pen, "]");
}

fn rest(pen: &mut Pen, ordinal: u64, at: i64) {
    if pen.oddly(12) {
        put!(pen, r#","interpretation":["#);
        plain(pen, "v3-ObservationInterpretation", "H");
        put!(pen, "]");
    }
    if pen.oddly(8) {
        note(pen, at);
    }
    if pen.oddly(10) {
        let site = pen.rng.pick(&BODY_SITES);
        concept_as(pen, "bodySite", site);
        concept_as(pen, "method", FINDINGS[4]);
    }
    if ordinal % 5 == 3 && pen.rng.percent(60) {
        own(pen, "specimen", Kind::Specimen, 0);
        put!(pen, r#","referenceRange":["#);
        range(pen, UNITS[0]);
        put!(pen, "]");
    }
    if ordinal > 0 && pen.oddly(10) {
        put!(
            pen,
            r#","hasMember":[{"reference":"Observation/"#,
            pen.own(Kind::Observation, 0),
            r#""}],"derivedFrom":[{"reference":"DocumentReference/"#,
            pen.own(Kind::DocumentReference, 0),
            "\"}]"
        );
    }
    if pen.oddly(6) {
        own(pen, "device", Kind::Device, 0);
    }
}
