//! Patient and RelatedPerson.

use crate::datatypes::{address, identifiers, names, plain, telecoms};
use crate::dates::{DAY, END, date, date_time};
use crate::head::head;
use crate::ids::{Id, Kind};
use crate::pen::{Pen, put};
use crate::references::{reference, shared, shared_as, subject};

const ABSENT: &str =
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

/// Draws who patient `index` is and when he or she was seen; every other line of the patient builds on it.
pub(crate) fn draw_subject(pen: &mut Pen, index: u64) {
    pen.subject.index = index;
    pen.subject.id = pen.start(Kind::Patient, index, u64::MAX);
    pen.subject.id = Id::new(pen.seed, Kind::Patient, index, 0);
    pen.subject.female = pen.rng.percent(50);
    pen.subject.born = pen.rng.between(-14_600, 19_800);
    let earliest = (pen.subject.born * DAY).max(END - 6000 * DAY);
    pen.subject.visits.clear();
    for _ in 0..pen.rng.between(2, 6) {
        let at = pen.rng.between(earliest, END - DAY);
        pen.subject.visits.push(at);
    }
    pen.subject.visits.sort_unstable();
}

pub(crate) fn patient(pen: &mut Pen) {
    let id = pen.start(Kind::Patient, pen.subject.index, 0);
    let (index, female) = (pen.subject.index, pen.subject.female);
    head(pen, Kind::Patient, id, "us-core-patient");
    race_and_ethnicity(pen);
    identifiers(pen, index);
    if !pen.oddly(10) {
        let active = !pen.oddly(8);
        put!(pen, r#","active":"#, active);
    }
    names(pen, female);
    telecoms(pen);
    match if pen.varied { pen.rng.below(30) } else { 29 } {
        0 => {}
        1 => put!(pen, r#","_gender":"#, ABSENT),
        2 => put!(pen, r#","gender":"other""#),
        3 => put!(pen, r#","gender":"unknown""#),
        _ => put!(pen, r#","gender":""#, if female { "female" } else { "male" }, "\""),
    }
    birth_and_death(pen);
    put!(pen, r#","address":["#);
    address(pen);
    if pen.oddly(10) {
        put!(pen, ",");
        address(pen);
    }
    put!(pen, "]");
    put!(pen, r#","maritalStatus":"#);
    plain(pen, "v3-MaritalStatus", "M");
    if pen.rng.percent(30) {
        let order = 1 + pen.rng.below(3);
        if pen.rng.percent(50) {
            put!(pen, r#","multipleBirthInteger":"#, order);
        } else {
            put!(pen, r#","multipleBirthBoolean":"#, order == 1);
        }
    }
    put!(
        pen,
        r#","communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US","display":"English"}],"text":"English"},"preferred":true}]"#
    );
    put!(pen, r#","generalPractitioner":["#);
    shared(pen, Kind::Practitioner);
    put!(pen, "]");
    if pen.rng.percent(60) {
        shared_as(pen, "managingOrganization", Kind::Organization);
    }
    if pen.oddly(6) && index > 0 {
        let other = Id::new(pen.seed, Kind::Patient, index - 1, 0);
        put!(pen, r#","link":[{"other":"#);
        reference(pen, Kind::Patient, other);
        let how = pen.rng.pick(&["seealso", "replaces", "refer"]);
        put!(pen, r#","type":""#, how, "\"}]");
    }
    put!(pen, "}");
}

fn race_and_ethnicity(pen: &mut Pen) {
    let (code, display) = pen.rng.pick(&[
        ("2106-3", "White"),
        ("2054-5", "Black or African American"),
        ("2028-9", "Asian"),
        ("1002-5", "American Indian or Alaska Native"),
    ]);
    let (ethnicity, name) = pen
        .rng
        .pick(&[("2186-5", "Not Hispanic or Latino"), ("2135-2", "Hispanic or Latino")]);
    put!(
        pen,
        r#","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":""#,
        code,
        r#"","display":""#,
        display,
        r#""}},{"url":"text","valueString":""#,
        display,
        r#""}]},{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity","extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":""#,
        ethnicity,
        r#"","display":""#,
        name,
        r#""}},{"url":"text","valueString":""#,
        name,
        r#""}]},{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":""#,
        if pen.subject.female { "F" } else { "M" },
        "\"}"
    );
    if pen.oddly(12) {
        put!(
            pen,
            r#",{"url":"http://example.org/ext/decoy","extension":[{"url":"identifier","valueIdentifier":{"system":"https://hospital.example.org/mrn","value":"extension-decoy"}},{"url":"birthDate","valueDate":"1900-01-01"},{"url":"gender","valueCode":"extension-decoy"},{"url":"name","valueHumanName":{"family":"Extension","given":["Decoy"]}}]}"#
        );
    }
    put!(pen, "]");
}

fn birth_and_death(pen: &mut Pen) {
    let born = pen.subject.born * DAY;
    if pen.oddly(5) {
        put!(pen, r#","_birthDate":"#, ABSENT);
    } else if !pen.oddly(2) {
        let stamp = date(pen, born);
        put!(pen, r#","birthDate":""#, stamp, "\"");
        if pen.oddly(6) {
            let time = date_time(pen, born);
            put!(
                pen,
                r#","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":""#,
                time,
                "\"}]}"
            );
        }
    }
    match pen.rng.below(20) {
        0 | 1 => {
            let last = pen.subject.visits[pen.subject.visits.len() - 1];
            let stamp = date_time(pen, last + DAY);
            put!(pen, r#","deceasedDateTime":""#, stamp, "\"");
        }
        2 if pen.varied => put!(pen, r#","deceasedBoolean":true"#),
        3 | 4 if pen.varied => put!(pen, r#","deceasedBoolean":false"#),
        _ => {}
    }
}

pub(crate) fn related_person(pen: &mut Pen) {
    let id = pen.start(Kind::RelatedPerson, pen.subject.index, 0);
    let index = pen.subject.index;
    head(pen, Kind::RelatedPerson, id, "us-core-relatedperson");
    identifiers(pen, index);
    put!(pen, r#","active":true"#);
    subject(pen, "patient");
    put!(pen, r#","relationship":["#);
    let role = pen.rng.pick(&["MTH", "FTH", "SPS", "FRND"]);
    plain(pen, "v3-RoleCode", role);
    put!(pen, "]");
    let female = pen.rng.percent(50);
    names(pen, female);
    telecoms(pen);
    put!(pen, r#","gender":""#, if female { "female" } else { "male" }, "\"");
    let born = (pen.subject.born - pen.rng.between(-3000, 12_000)) * DAY;
    let stamp = date(pen, born);
    put!(pen, r#","birthDate":""#, stamp, r#"","address":["#);
    address(pen);
    put!(pen, "]}");
}
