//! Group: cohorts of the patients written so far, nested groups, groups in a loop and an empty one.

use crate::choice::{Choice, choice};
use crate::codes::{FINDINGS, UNITS};
use crate::datatypes::{concept, identifiers, period};
use crate::dates::{DAY, END};
use crate::head::head;
use crate::ids::{Id, Kind};
use crate::pen::{Pen, put};
use crate::references::{reference, shared_id};

/// The largest number of members of one Group, so that no line grows with the run.
const LARGEST: u64 = 4096;

/// Groups close with every fourth patient and name only patients up to that one: so the lines are the same
/// whatever the number of patients, and no member is missing from the run.
pub(crate) const EVERY: u64 = 4;

/// How many Group lines patient `index` closes.
pub(crate) const fn closing(index: u64) -> u64 {
    if index % EVERY == EVERY - 1 {
        4
    } else if index == 0 {
        1
    } else {
        0
    }
}

pub(crate) fn group(pen: &mut Pen, ordinal: u64) {
    let index = pen.subject.index;
    let id = pen.start(Kind::Group, index, ordinal);
    head(pen, Kind::Group, id, "group");
    identifiers(pen, index);
    let actual = !(ordinal == 3 && index % (2 * EVERY) == EVERY - 1);
    put!(
        pen,
        r#","active":true,"type":"person","actual":"#,
        actual,
        r#","name":"Cohort "#,
        index,
        "-",
        ordinal,
        "\""
    );
    put!(pen, r#","code":"#);
    concept(pen, FINDINGS[0]);
    shared_manager(pen);
    characteristics(pen);
    match ordinal {
        // The cohort: at powers of two everyone so far, else the patients since the last group.
        0 => {
            let size = if (index + 1).is_power_of_two() {
                (index + 1).min(LARGEST)
            } else {
                EVERY.min(index + 1)
            };
            members(pen, index + 1 - size..index + 1);
        }
        // Two groups that hold each other and one patient each.
        1 | 2 => {
            let other = Id::new(pen.seed, Kind::Group, index, 3 - ordinal);
            let patient = Id::new(pen.seed, Kind::Patient, index - ordinal, 0);
            put!(
                pen,
                r#","member":[{"entity":{"reference":"Group/"#,
                other,
                r#""}},{"entity":{"reference":"Patient/"#,
                patient,
                "\"}}]"
            );
        }
        // Members that are not patients in a group that is kept, nobody at all in a definition.
        _ if actual => {
            let (practitioner, location) = (shared_id(pen, Kind::Practitioner, 0), pen.own(Kind::Device, 0));
            put!(pen, r#","member":[{"entity":"#);
            reference(pen, Kind::Practitioner, practitioner);
            put!(pen, r#"},{"entity":"#);
            reference(pen, Kind::Device, location);
            put!(pen, "}]");
        }
        _ => {}
    }
    put!(pen, "}");
}

fn shared_manager(pen: &mut Pen) {
    crate::references::shared_as(pen, "managingEntity", Kind::Organization);
}

fn characteristics(pen: &mut Pen) {
    put!(pen, r#","characteristic":[{"code":"#);
    concept(pen, FINDINGS[1]);
    choice(
        pen,
        "value",
        &[Choice::Concept, Choice::Boolean, Choice::Quantity, Choice::Range],
        END,
        UNITS[3],
    );
    put!(pen, r#","exclude":false},{"code":"#);
    concept(pen, FINDINGS[2]);
    put!(pen, r#","valueReference":"#);
    let organization = shared_id(pen, Kind::Organization, 0);
    reference(pen, Kind::Organization, organization);
    put!(pen, r#","exclude":true}]"#);
}

fn members(pen: &mut Pen, patients: std::ops::Range<u64>) {
    put!(pen, r#","member":["#);
    let first = patients.start;
    for patient in patients {
        let id = Id::new(pen.seed, Kind::Patient, patient, 0);
        put!(
            pen,
            if patient > first {
                r#",{"entity":"#
            } else {
                r#"{"entity":"#
            }
        );
        reference(pen, Kind::Patient, id);
        if pen.oddly(12) {
            put!(pen, r#","period":"#);
            let since = END - pen.rng.between(0, 2000) * DAY;
            period(pen, since, 1000 * DAY);
        }
        if pen.oddly(10) {
            let inactive = !pen.oddly(20);
            put!(pen, r#","inactive":"#, inactive);
        }
        put!(pen, "}");
    }
    put!(pen, "]");
}
