//! The head of every resource: type, id, meta, language, narrative, contained resources and extensions, with decoys.

use crate::dates::{DAY, END, instant};
use crate::ids::{Id, Kind};
use crate::pen::{Pen, put};
use crate::seldom::seldom;
use crate::text::sentence;

/// Appends the head of a line, up to where the type's own members begin (each of which starts with a comma).
pub(crate) fn head(pen: &mut Pen, kind: Kind, id: Id, profile: &str) {
    put!(pen, r#"{"resourceType":""#, kind.name(), r#"","id":""#, id, "\"");
    meta(pen, profile);
    if pen.oddly(3) {
        put!(pen, r#","implicitRules":"http://example.org/rules""#);
    }
    if pen.oddly(6) {
        let language = pen.rng.pick(&["en-US", "de", "ru-RU"]);
        put!(pen, r#","language":""#, language, "\"");
    }
    if pen.oddly(6) {
        put!(
            pen,
            r#","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>"#
        );
        sentence(pen);
        put!(pen, "</p></div>\"}");
    }
    if pen.oddly(5) {
        decoy_contained(pen);
    }
    if kind != Kind::Patient && pen.oddly(8) {
        decoy_extension(pen);
    }
    seldom(pen, kind);
    if pen.oddly(2) {
        put!(
            pen,
            r#","modifierExtension":[{"url":"http://example.org/ext/modifier","valueBoolean":false}]"#
        );
    }
}

fn meta(pen: &mut Pen, profile: &str) {
    let form = if pen.varied { pen.rng.below(40) } else { 39 };
    if form == 0 {
        return;
    }
    put!(pen, r#","meta":{"#);
    if form == 1 {
        put!(
            pen,
            r#""profile":["http://hl7.org/fhir/us/core/StructureDefinition/"#,
            profile,
            r#""]}"#
        );
        return;
    }
    let version = 1 + pen.rng.below(9);
    let at = END - pen.rng.between(0, 2500 * DAY);
    let stamp = instant(pen, at);
    put!(pen, r#""versionId":""#, version, r#"","lastUpdated":""#, stamp, "\"");
    if form > 4 {
        put!(
            pen,
            r#","source":"https://ehr.example.org/feed#"#,
            version,
            r#"","profile":["http://hl7.org/fhir/us/core/StructureDefinition/"#,
            profile,
            "\"]"
        );
    }
    if form < 8 {
        put!(
            pen,
            r#","security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R","display":"restricted"}]"#
        );
    }
    if form < 12 {
        put!(
            pen,
            r#","tag":[{"system":"http://example.org/tags|x","code":"sub,set"},{"system":"https://fhir.example.org/tags","code":"synthetic"}]"#
        );
    }
    put!(pen, "}");
}

/// A contained resource that holds, at its own level, the names filters read. None of it may ever match.
fn decoy_contained(pen: &mut Pen) {
    match pen.rng.below(3) {
        0 => put!(
            pen,
            r##","contained":[{"resourceType":"Practitioner","id":"pract","active":true,"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"contained-decoy"}],"name":[{"family":"Contained"}],"gender":"female","birthDate":"1900-01-01"}]"##
        ),
        1 => put!(
            pen,
            r##","contained":[{"resourceType":"Observation","id":"obs","meta":{"lastUpdated":"1999-01-01T00:00:00Z"},"status":"entered-in-error","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"contained-decoy"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"contained-decoy"}]},"subject":{"reference":"Patient/contained-decoy"},"effectiveDateTime":"1999-01-01","valueQuantity":{"value":1}}]"##
        ),
        _ => put!(
            pen,
            r##","contained":[{"resourceType":"Patient","id":"pat","active":false,"gender":"other","birthDate":"1901","name":[{"family":"Contained","given":["Decoy"]}]},{"resourceType":"Organization","id":"org","name":"Contained decoy","partOf":{"reference":"#org"}}]"##
        ),
    }
}

/// An extension whose members carry the names of elements that filters read.
fn decoy_extension(pen: &mut Pen) {
    match pen.rng.below(3) {
        0 => put!(
            pen,
            r#","extension":[{"url":"http://example.org/ext/decoy","extension":[{"url":"status","valueCode":"extension-decoy"},{"url":"code","valueCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"extension-decoy"}],"text":"extension decoy"}},{"url":"subject","valueReference":{"reference":"Patient/extension-decoy"}}]}]"#
        ),
        1 => put!(
            pen,
            r#","extension":[{"url":"http://example.org/ext/decoy","valueIdentifier":{"system":"https://hospital.example.org/mrn","value":"extension-decoy"}},{"url":"http://example.org/ext/when","valuePeriod":{"start":"1999-01-01","end":"1999-12-31"}}]"#
        ),
        _ => put!(
            pen,
            r#","extension":[{"url":"http://example.org/ext/status","id":"decoy","valueCoding":{"system":"http://example.org/status","code":"final","display":"status"}}]"#
        ),
    }
}
