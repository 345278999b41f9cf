//! Which datatype a member of a common FHIR datatype has: what the tables do not tell about paths of no standard parameter.

use crate::search::table::SearchType;

/// Primitive types; in JSON keys of choice elements they start with a capital letter.
const PRIMITIVES: [&str; 20] = [
    "base64Binary",
    "boolean",
    "canonical",
    "code",
    "date",
    "dateTime",
    "decimal",
    "id",
    "instant",
    "integer",
    "integer64",
    "markdown",
    "oid",
    "positiveInt",
    "string",
    "time",
    "unsignedInt",
    "uri",
    "url",
    "uuid",
];

/// `datatype: member=datatype …`, of the datatypes that search looks into. Alike in R4, R4B and R5.
const MEMBERS: &[(&str, &[(&str, &str)])] = &[
    (
        "Address",
        &[
            ("use", "code"),
            ("type", "code"),
            ("text", "string"),
            ("line", "string"),
            ("city", "string"),
            ("district", "string"),
            ("state", "string"),
            ("postalCode", "string"),
            ("country", "string"),
            ("period", "Period"),
        ],
    ),
    ("Annotation", &[("time", "dateTime"), ("text", "markdown")]),
    (
        "Attachment",
        &[
            ("contentType", "code"),
            ("language", "code"),
            ("url", "url"),
            ("title", "string"),
            ("creation", "dateTime"),
        ],
    ),
    ("CodeableConcept", &[("coding", "Coding"), ("text", "string")]),
    (
        "CodeableReference",
        &[("concept", "CodeableConcept"), ("reference", "Reference")],
    ),
    (
        "Coding",
        &[
            ("system", "uri"),
            ("version", "string"),
            ("code", "code"),
            ("display", "string"),
            ("userSelected", "boolean"),
        ],
    ),
    (
        "ContactPoint",
        &[
            ("system", "code"),
            ("value", "string"),
            ("use", "code"),
            ("rank", "positiveInt"),
            ("period", "Period"),
        ],
    ),
    (
        "Dosage",
        &[
            ("text", "string"),
            ("timing", "Timing"),
            ("site", "CodeableConcept"),
            ("route", "CodeableConcept"),
            ("method", "CodeableConcept"),
        ],
    ),
    ("Extension", &[("url", "uri")]),
    (
        "HumanName",
        &[
            ("use", "code"),
            ("text", "string"),
            ("family", "string"),
            ("given", "string"),
            ("prefix", "string"),
            ("suffix", "string"),
            ("period", "Period"),
        ],
    ),
    (
        "Identifier",
        &[
            ("use", "code"),
            ("type", "CodeableConcept"),
            ("system", "uri"),
            ("value", "string"),
            ("period", "Period"),
            ("assigner", "Reference"),
        ],
    ),
    (
        "Meta",
        &[
            ("versionId", "id"),
            ("lastUpdated", "instant"),
            ("source", "uri"),
            ("profile", "canonical"),
            ("security", "Coding"),
            ("tag", "Coding"),
        ],
    ),
    ("Money", &[("value", "decimal"), ("currency", "code")]),
    ("Narrative", &[("status", "code")]),
    ("Period", &[("start", "dateTime"), ("end", "dateTime")]),
    (
        "Quantity",
        &[
            ("value", "decimal"),
            ("comparator", "code"),
            ("unit", "string"),
            ("system", "uri"),
            ("code", "code"),
        ],
    ),
    ("Range", &[("low", "Quantity"), ("high", "Quantity")]),
    ("Ratio", &[("numerator", "Quantity"), ("denominator", "Quantity")]),
    (
        "Reference",
        &[
            ("reference", "string"),
            ("type", "uri"),
            ("identifier", "Identifier"),
            ("display", "string"),
        ],
    ),
    ("Timing", &[("event", "dateTime"), ("code", "CodeableConcept")]),
];

/// Elements that every resource has, or every domain resource: their names mean the same everywhere.
const COMMON: [(&str, &str); 8] = [
    ("id", "id"),
    ("meta", "Meta"),
    ("implicitRules", "uri"),
    ("language", "code"),
    ("text", "Narrative"),
    ("contained", "Resource"),
    ("extension", "Extension"),
    ("modifierExtension", "Extension"),
];

/// Datatype of a member.
pub(super) fn member(datatype: &str, name: &str) -> Option<&'static str> {
    match (datatype, name) {
        (_, "extension") => return Some("Extension"),
        ("Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity", name) => return member("Quantity", name),
        _ => {}
    }
    let (_, members) = MEMBERS.iter().find(|(known, _)| *known == datatype)?;
    members.iter().find(|(known, _)| *known == name).map(|(_, leaf)| *leaf)
}

/// Datatype of an element of `Resource` or, where asked for, of `DomainResource`.
pub(super) fn common(name: &str, domain: bool) -> Option<&'static str> {
    let known = if domain { &COMMON[..] } else { &COMMON[..4] };
    known
        .iter()
        .find(|(element, _)| *element == name)
        .map(|(_, leaf)| *leaf)
}

/// Datatypes that have a member of this name.
pub(super) fn with_member(name: &str) -> impl Iterator<Item = &'static str> {
    let having = MEMBERS
        .iter()
        .filter(move |(_, members)| members.iter().any(|(member, _)| *member == name));
    having
        .map(|(datatype, _)| *datatype)
        .filter(|datatype| !matches!(*datatype, "Extension" | "Narrative"))
}

/// Datatypes of an extension's value that a search type can compare.
pub(super) fn fitting(search_type: SearchType) -> &'static [&'static str] {
    match search_type {
        SearchType::Number => &["decimal", "integer", "integer64", "positiveInt", "unsignedInt"],
        SearchType::Date => &["date", "dateTime", "instant", "Period", "Timing"],
        SearchType::String => &["string", "markdown", "HumanName", "Address", "CodeableConcept"],
        SearchType::Token => &[
            "code",
            "Coding",
            "CodeableConcept",
            "Identifier",
            "ContactPoint",
            "boolean",
            "string",
            "id",
            "uri",
            "CodeableReference",
        ],
        SearchType::Reference => &["Reference", "canonical", "uri", "CodeableReference"],
        SearchType::Quantity => &[
            "Quantity",
            "Age",
            "Count",
            "Distance",
            "Duration",
            "Money",
            "Range",
            "SampledData",
        ],
        SearchType::Uri => &["uri", "url", "canonical", "oid", "uuid"],
        SearchType::Composite | SearchType::Special => &[],
    }
}

/// The ending of a choice element's JSON key for a datatype: `dateTime` becomes `DateTime`.
pub(super) fn suffix(datatype: &str) -> String {
    let mut chars = datatype.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + chars.as_str()
    })
}

/// The datatype that an ending means: `DateTime` is `dateTime`, `Period` is itself.
pub(super) fn of_suffix(ending: &str) -> String {
    let primitive = PRIMITIVES.iter().find(|primitive| suffix(primitive) == ending);
    primitive.map_or_else(|| ending.to_owned(), |primitive| (*primitive).to_owned())
}
