//! References: every form in which one resource names another.

use crate::ids::{Id, Kind};
use crate::pen::{Pen, put};

const BASE: &str = "https://fhir.example.org/r4/";
const FOREIGN: &str = "http://other.example.net/fhir/";

/// Appends a Reference object to the resource `id` of type `kind`.
///
/// Nine of ten are relative. The rest are absolute, versioned, `urn:uuid:`, by identifier or by display only.
pub(crate) fn reference(pen: &mut Pen, kind: Kind, id: Id) {
    let name = kind.name();
    let form = if pen.varied { pen.rng.below(100) } else { 99 };
    match form {
        0 | 1 => put!(pen, r#"{"reference":""#, BASE, name, "/", id, r#""}"#),
        2 => put!(pen, r#"{"reference":""#, FOREIGN, name, "/", id, r#""}"#),
        3 => put!(pen, r#"{"reference":""#, name, "/", id, r#"/_history/2"}"#),
        4 => put!(
            pen,
            r#"{"reference":""#,
            BASE,
            name,
            "/",
            id,
            r#"/_history/7","type":""#,
            name,
            r#""}"#
        ),
        5 => match id {
            Id::Uuid(..) => put!(pen, r#"{"reference":"urn:uuid:"#, id, r#"","type":""#, name, r#""}"#),
            Id::Plain(..) => put!(pen, r#"{"reference":""#, name, "/", id, r#"","type":""#, name, r#""}"#),
        },
        6 => put!(
            pen,
            r#"{"type":""#,
            name,
            r#"","identifier":{"system":"https://hospital.example.org/ids","value":""#,
            id,
            r#""}}"#
        ),
        7 => put!(pen, r#"{"display":"Some "#, name, r#" without a link"}"#),
        8 => put!(
            pen,
            r#"{"id":"r1","extension":[{"url":"http://example.org/ext/source","valueReference":{"reference":"Patient/decoy-in-extension"}}],"reference":""#,
            name,
            "/",
            id,
            r#"","display":"with an extension"}"#
        ),
        9..=14 => put!(
            pen,
            r#"{"reference":""#,
            name,
            "/",
            id,
            r#"","display":"A "#,
            name,
            r#""}"#
        ),
        15 => put!(
            pen,
            r#"{"reference":""#,
            name,
            "/",
            id,
            r#"","identifier":{"system":"https://hospital.example.org/ids|x","value":"decoy,1"}}"#
        ),
        _ => put!(pen, r#"{"reference":""#, name, "/", id, r#""}"#),
    }
}

/// Appends `,"name":` and a reference to the patient.
pub(crate) fn subject(pen: &mut Pen, name: &str) {
    let id = pen.subject.id;
    put!(pen, ",\"", name, "\":");
    reference(pen, Kind::Patient, id);
}

/// Appends `,"name":` and a reference to another resource of the same patient.
pub(crate) fn own(pen: &mut Pen, name: &str, kind: Kind, ordinal: u64) {
    put!(pen, ",\"", name, "\":");
    let id = pen.own(kind, ordinal);
    reference(pen, kind, id);
}

/// The number of patients that share one set of organizations, people, places and drugs.
pub(crate) const SHARED_BY: u64 = 64;

/// How many resources of a shared kind belong to one set.
pub(crate) const fn shared_count(kind: Kind) -> u64 {
    match kind {
        Kind::Organization => 3,
        Kind::Practitioner | Kind::PractitionerRole => 6,
        Kind::Location => 4,
        Kind::Medication => 8,
        _ => 0,
    }
}

/// The id of a shared resource: owned by the first patient of its set.
pub(crate) fn shared_id(pen: &Pen, kind: Kind, ordinal: u64) -> Id {
    Id::new(pen.seed, kind, pen.subject.index / SHARED_BY * SHARED_BY, ordinal)
}

/// Appends a reference to some shared resource of a kind.
pub(crate) fn shared(pen: &mut Pen, kind: Kind) {
    let ordinal = pen.rng.below(shared_count(kind));
    let id = shared_id(pen, kind, ordinal);
    reference(pen, kind, id);
}

/// Appends `,"name":` and a reference to some shared resource of a kind.
pub(crate) fn shared_as(pen: &mut Pen, name: &str, kind: Kind) {
    put!(pen, ",\"", name, "\":");
    shared(pen, kind);
}
