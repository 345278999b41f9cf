//! Encounter.

use crate::codes::{CLASSES, CONDITIONS, ENCOUNTER_TYPES};
use crate::datatypes::{coding, concepts_as, identifiers, period, plain};
use crate::dates::{DAY, date_time};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{own, shared, shared_as, subject};

pub(crate) fn encounter(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Encounter, pen.subject.index, ordinal);
    let at = pen.subject.visits[ordinal as usize];
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::Encounter, id, "us-core-encounter");
    identifiers(pen, local);
    let status = if pen.varied {
        pen.rng.pick(&[
            "finished",
            "finished",
            "finished",
            "in-progress",
            "planned",
            "cancelled",
            "triaged",
        ])
    } else {
        "finished"
    };
    put!(pen, r#","status":""#, status, "\"");
    if pen.oddly(20) {
        put!(pen, r#","statusHistory":[{"status":"arrived","period":"#);
        period(pen, at - 3600, 3600);
        put!(pen, "}]");
    }
    let class = pen.rng.pick(&CLASSES);
    put!(pen, r#","class":"#);
    coding(pen, class);
    let kind = pen.rng.pick(&ENCOUNTER_TYPES);
    concepts_as(pen, "type", kind);
    subject(pen, "subject");
    put!(pen, r#","participant":[{"type":["#);
    plain(pen, "v3-ParticipationType", "PPRF");
    put!(pen, r#"],"period":"#);
    period(pen, at, 3600);
    shared_as(pen, "individual", Kind::Practitioner);
    put!(pen, "}]");
    if !pen.oddly(6) {
        put!(pen, r#","period":"#);
        period(pen, at, 2 * DAY);
    }
    if pen.oddly(25) {
        let minutes = 5 + pen.rng.below(300);
        put!(
            pen,
            r#","length":{"value":"#,
            minutes,
            r#","unit":"min","system":"http://unitsofmeasure.org","code":"min"}"#
        );
    }
    let reason = pen.rng.pick(&CONDITIONS);
    concepts_as(pen, "reasonCode", reason);
    if pen.rng.percent(40) {
        put!(
            pen,
            r#","diagnosis":[{"condition":{"reference":"Condition/"#,
            pen.own(Kind::Condition, 0),
            r#""},"rank":1}]"#
        );
    }
    if pen.rng.percent(20) {
        stay(pen);
    }
    put!(pen, r#","location":[{"location":"#);
    shared(pen, Kind::Location);
    let left = date_time(pen, at + 1800);
    put!(pen, r#","status":"completed","period":{"end":""#, left, "\"}}]");
    shared_as(pen, "serviceProvider", Kind::Organization);
    if ordinal > 0 && pen.oddly(15) {
        own(pen, "partOf", Kind::Encounter, 0);
    }
    put!(pen, "}");
}

fn stay(pen: &mut Pen) {
    put!(pen, r#","hospitalization":{"admitSource":"#);
    plain(pen, "admit-source", "emd");
    put!(pen, r#","dischargeDisposition":"#);
    plain(pen, "discharge-disposition", "home");
    if pen.oddly(20) {
        put!(pen, r#","specialArrangement":["#);
        plain(pen, "encounter-special-arrangements", "wheel");
        put!(pen, "]");
    }
    put!(pen, "}");
}
