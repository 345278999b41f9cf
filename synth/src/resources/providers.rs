//! Organization, Practitioner, PractitionerRole and Location: shared by a set of patients.

use crate::codes::ROLES;
use crate::datatypes::{address, concepts_as, identifiers, names, period, plain, telecoms};
use crate::dates::{DAY, END};
use crate::head::head;
use crate::ids::Kind;
use crate::pen::{Pen, Text, put};
use crate::references::{reference, shared_as, shared_id};
use crate::text::CITIES;

fn npi(pen: &mut Pen) {
    let number = 1_000_000_000 + pen.rng.below(999_999_999);
    put!(
        pen,
        r#","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":""#,
        number,
        "\"}]"
    );
}

pub(crate) fn organization(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Organization, pen.subject.index, ordinal);
    head(pen, Kind::Organization, id, "us-core-organization");
    npi(pen);
    let active = !pen.oddly(15);
    put!(pen, r#","active":"#, active, r#","type":["#);
    plain(pen, "organization-type", "prov");
    let (city, ..) = pen.rng.pick(&CITIES);
    put!(
        pen,
        r#"],"name":""#,
        Text(city),
        r#" General / Hôpital","alias":["#,
        r#""SAINT "#,
        city,
        "\"]"
    );
    telecoms(pen);
    put!(pen, r#","address":["#);
    address(pen);
    put!(pen, "]");
    if ordinal > 0 {
        let parent = shared_id(pen, Kind::Organization, 0);
        put!(pen, r#","partOf":"#);
        reference(pen, Kind::Organization, parent);
    }
    put!(pen, "}");
}

pub(crate) fn practitioner(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Practitioner, pen.subject.index, ordinal);
    let female = pen.rng.percent(50);
    head(pen, Kind::Practitioner, id, "us-core-practitioner");
    if ordinal.is_multiple_of(2) {
        npi(pen);
    } else {
        let local = pen.subject.index * 10 + ordinal;
        identifiers(pen, local);
    }
    put!(pen, r#","active":true"#);
    names(pen, female);
    telecoms(pen);
    put!(pen, r#","address":["#);
    address(pen);
    put!(
        pen,
        r#"],"gender":""#,
        if female { "female" } else { "male" },
        r#"","qualification":[{"code":"#
    );
    plain(pen, "v2-0360", "MD");
    put!(pen, "}]}");
}

pub(crate) fn practitioner_role(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::PractitionerRole, pen.subject.index, ordinal);
    head(pen, Kind::PractitionerRole, id, "us-core-practitionerrole");
    let since = END - pen.rng.between(100, 4000) * DAY;
    put!(pen, r#","active":true,"period":"#);
    period(pen, since, 4000 * DAY);
    let who = shared_id(pen, Kind::Practitioner, ordinal);
    put!(pen, r#","practitioner":"#);
    reference(pen, Kind::Practitioner, who);
    shared_as(pen, "organization", Kind::Organization);
    let (role, specialty) = (pen.rng.pick(&ROLES), pen.rng.pick(&ROLES));
    concepts_as(pen, "code", role);
    concepts_as(pen, "specialty", specialty);
    put!(pen, r#","location":["#);
    crate::references::shared(pen, Kind::Location);
    put!(pen, "]");
    telecoms(pen);
    put!(pen, "}");
}

pub(crate) fn location(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Location, pen.subject.index, ordinal);
    let local = pen.subject.index * 10 + ordinal;
    head(pen, Kind::Location, id, "us-core-location");
    identifiers(pen, local);
    let status = if pen.varied {
        pen.rng.pick(&["active", "active", "suspended", "inactive"])
    } else {
        "active"
    };
    put!(
        pen,
        r#","status":""#,
        status,
        r#"","name":"Ward "#,
        ordinal,
        r#" – Haus Größe","mode":"instance","type":["#
    );
    plain(pen, "v3-RoleCode", "HOSP");
    put!(pen, "]");
    telecoms(pen);
    put!(pen, r#","address":"#);
    address(pen);
    put!(pen, r#","physicalType":"#);
    plain(pen, "location-physical-type", "wa");
    let (longitude, latitude) = (pen.rng.below(99), pen.rng.below(99));
    put!(
        pen,
        r#","position":{"longitude":-71."#,
        longitude,
        r#","latitude":42."#,
        latitude,
        "}"
    );
    shared_as(pen, "managingOrganization", Kind::Organization);
    if ordinal > 0 {
        let parent = shared_id(pen, Kind::Location, 0);
        put!(pen, r#","partOf":"#);
        reference(pen, Kind::Location, parent);
    }
    put!(pen, "}");
}
