//! CarePlan, CareTeam and Goal.

use crate::choice::{Choice, choice};
use crate::codes::{CONDITIONS, FINDINGS, LABS, PLANS, ROLES, UNITS};
use crate::datatypes::{concept, concept_as, concepts_as, identifiers, note, period, plain};
use crate::dates::{DAY, date, date_time};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, Text, put};
use crate::references::{own, reference, shared, shared_as, subject};
use crate::text::sentence;

pub(crate) fn plan(pen: &mut Pen) {
    let id = pen.start(Kind::CarePlan, pen.subject.index, 0);
    let (visit, at) = pen.visit();
    let index = pen.subject.index;
    head(pen, Kind::CarePlan, id, "us-core-careplan");
    if pen.oddly(30) {
        identifiers(pen, index);
        put!(
            pen,
            r#","instantiatesCanonical":["http://example.org/PlanDefinition/diabetes|2.1","http://example.org/PlanDefinition/diet#part"]"#
        );
    }
    let status = pen.rng.pick(&["active", "completed", "draft", "revoked"]);
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","intent":"plan","category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/careplan-category","code":"assess-plan"}]}],"title":""#
    );
    sentence(pen);
    put!(pen, "\"");
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    put!(pen, r#","period":"#);
    period(pen, at, 700 * DAY);
    let created = date_time(pen, at);
    put!(
        pen,
        r#","created":""#,
        created,
        r#"","careTeam":[{"reference":"CareTeam/"#,
        pen.own(Kind::CareTeam, 0),
        r#""}],"addresses":[{"reference":"Condition/"#,
        pen.own(Kind::Condition, 0),
        r#""}],"goal":[{"reference":"Goal/"#,
        pen.own(Kind::Goal, 0),
        r#""}],"activity":["#
    );
    for position in 0..2 {
        activity(pen, position, at);
    }
    if pen.oddly(10) {
        put!(
            pen,
            r#",{"reference":{"reference":"MedicationRequest/"#,
            pen.own(Kind::MedicationRequest, 0),
            "\"}}"
        );
    }
    put!(pen, "]}");
}

fn activity(pen: &mut Pen, position: u64, at: i64) {
    let code = pen.rng.pick(&PLANS);
    put!(
        pen,
        if position > 0 { "," } else { "" },
        r#"{"detail":{"kind":"ServiceRequest""#
    );
    concept_as(pen, "code", code);
    put!(pen, r#","status":"in-progress","doNotPerform":false"#);
    choice(
        pen,
        "scheduled",
        &[Choice::Timing, Choice::Period, Choice::Text],
        at,
        UNITS[0],
    );
    shared_as(pen, "location", Kind::Location);
    put!(pen, r#","performer":["#);
    if pen.rng.percent(50) {
        let patient = pen.subject.id;
        reference(pen, Kind::Patient, patient);
    } else {
        shared(pen, Kind::Practitioner);
    }
    put!(pen, "]}}");
}

pub(crate) fn team(pen: &mut Pen) {
    let id = pen.start(Kind::CareTeam, pen.subject.index, 0);
    let (visit, at) = pen.visit();
    head(pen, Kind::CareTeam, id, "us-core-careteam");
    let status = pen.rng.pick(&["active", "inactive", "proposed"]);
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","name":"Team «Größe» "#,
        pen.subject.index,
        "\""
    );
    subject(pen, "subject");
    own(pen, "encounter", Kind::Encounter, visit);
    put!(pen, r#","period":"#);
    period(pen, at, 700 * DAY);
    put!(pen, r#","participant":["#);
    for (position, kind) in [Kind::Patient, Kind::Practitioner, Kind::Organization]
        .into_iter()
        .enumerate()
    {
        let role = pen.rng.pick(&ROLES);
        put!(pen, if position > 0 { r#",{"role":["# } else { r#"{"role":["# });
        concept(pen, role);
        put!(pen, r#"],"member":"#);
        if kind == Kind::Patient {
            let patient = pen.subject.id;
            reference(pen, kind, patient);
        } else {
            shared(pen, kind);
        }
        put!(pen, "}");
    }
    put!(pen, "]");
    let reason = pen.rng.pick(&CONDITIONS);
    concepts_as(pen, "reasonCode", reason);
    put!(pen, "}");
}

pub(crate) fn goal(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Goal, pen.subject.index, ordinal);
    let (_, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::Goal, id, "us-core-goal");
    if pen.oddly(30) {
        identifiers(pen, local);
    }
    let status = pen.rng.pick(&["active", "completed", "planned", "on-hold"]);
    put!(pen, r#","lifecycleStatus":""#, status, r#"","achievementStatus":"#);
    plain(pen, "goal-achievement", "in-progress");
    put!(pen, r#","category":["#);
    plain(pen, "goal-category", "dietary");
    put!(pen, r#"],"description":{"text":""#);
    let code = pen.rng.pick(&PLANS);
    put!(pen, Text(code.2), "\"}");
    subject(pen, "subject");
    choice(
        pen,
        "start",
        &[Choice::Date, Choice::Date, Choice::Concept],
        at,
        UNITS[0],
    );
    let measure = pen.rng.pick(&LABS);
    put!(pen, r#","target":[{"measure":"#);
    concept(pen, measure);
    choice(
        pen,
        "detail",
        &[
            Choice::Quantity,
            Choice::Range,
            Choice::Concept,
            Choice::Text,
            Choice::Boolean,
            Choice::Integer,
            Choice::Ratio,
        ],
        at,
        UNITS[0],
    );
    choice(pen, "due", &[Choice::Date, Choice::Duration], at + 200 * DAY, UNITS[0]);
    let changed = date(pen, at);
    put!(pen, r#"}],"statusDate":""#, changed, r#"","expressedBy":"#);
    let patient = pen.subject.id;
    reference(pen, Kind::Patient, patient);
    put!(pen, r#","outcomeCode":["#);
    concept(pen, FINDINGS[2]);
    put!(pen, "]");
    if pen.oddly(20) {
        note(pen, at);
    }
    put!(pen, "}");
}
