//! FHIR datatypes at the end of a search path: which search type reads them, and which of their members.

use super::table::SearchType;
use crate::scan::json::{Json, Kind};

/// A datatype, as far as search tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// Address
    Address,
    /// HumanName
    HumanName,
    /// ContactPoint
    ContactPoint,
    /// Identifier
    Identifier,
    /// Coding
    Coding,
    /// CodeableConcept
    CodeableConcept,
    /// CodeableReference (R4B, R5): a concept or a reference
    CodeableReference,
    /// Quantity and its profiles: Age, Count, Distance, Duration, SimpleQuantity
    Quantity,
    /// Money
    Money,
    /// Range
    Range,
    /// Period
    Period,
    /// Timing
    Timing,
    /// date, dateTime
    Date,
    /// instant
    Instant,
    /// boolean
    Boolean,
    /// integer, positiveInt, unsignedInt, integer64
    Integer,
    /// decimal
    Decimal,
    /// code
    Code,
    /// id
    Id,
    /// uri, url, oid, uuid
    Uri,
    /// canonical
    Canonical,
    /// string, markdown, base64Binary and the like
    Text,
    /// Reference
    Reference,
    /// A whole resource (`Bundle.entry.resource`)
    Resource,
    /// A datatype that no search type reads: SampledData, Attachment, inline structures
    Other,
    /// Not known: a user's own parameter without a cast. Told from the JSON.
    Unknown,
}

impl Leaf {
    /// From the name of the datatype.
    pub fn named(name: &str) -> Leaf {
        match name {
            "Address" => Leaf::Address,
            "HumanName" => Leaf::HumanName,
            "ContactPoint" => Leaf::ContactPoint,
            "Identifier" => Leaf::Identifier,
            "Coding" => Leaf::Coding,
            "CodeableConcept" => Leaf::CodeableConcept,
            "CodeableReference" => Leaf::CodeableReference,
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => {
                Leaf::Quantity
            }
            "Money" => Leaf::Money,
            "Range" => Leaf::Range,
            "Period" => Leaf::Period,
            "Timing" => Leaf::Timing,
            "date" | "dateTime" => Leaf::Date,
            "instant" => Leaf::Instant,
            "boolean" => Leaf::Boolean,
            "integer" | "positiveInt" | "unsignedInt" | "integer64" => Leaf::Integer,
            "decimal" => Leaf::Decimal,
            "code" => Leaf::Code,
            "id" => Leaf::Id,
            "uri" | "url" | "oid" | "uuid" => Leaf::Uri,
            "canonical" => Leaf::Canonical,
            "string" | "markdown" | "xhtml" => Leaf::Text,
            "Reference" => Leaf::Reference,
            "Resource" | "Composition" | "MessageHeader" => Leaf::Resource,
            "unknown" => Leaf::Unknown,
            _ => Leaf::Other,
        }
    }

    /// Whether a parameter of this search type reads the datatype. Variants of a choice that do not fit are skipped:
    /// a date parameter skips `performedString`.
    pub fn fits(self, kind: SearchType) -> bool {
        use Leaf as L;
        let own = match kind {
            SearchType::Number => matches!(self, L::Integer | L::Decimal | L::Range),
            SearchType::Date => matches!(self, L::Date | L::Instant | L::Period | L::Timing),
            SearchType::String => {
                matches!(
                    self,
                    L::Text | L::HumanName | L::Address | L::Code | L::Id | L::Uri | L::CodeableConcept
                ) || matches!(self, L::Coding | L::Identifier)
            }
            SearchType::Token => matches!(
                self,
                L::Coding
                    | L::CodeableConcept
                    | L::CodeableReference
                    | L::Identifier
                    | L::ContactPoint
                    | L::Code
                    | L::Boolean
                    | L::Id
                    | L::Uri
                    | L::Canonical
                    | L::Text
            ),
            SearchType::Reference => matches!(
                self,
                L::Reference | L::CodeableReference | L::Canonical | L::Uri | L::Resource | L::Text
            ),
            SearchType::Quantity => matches!(self, L::Quantity | L::Money | L::Range),
            SearchType::Uri => matches!(self, L::Uri | L::Canonical | L::Text),
            SearchType::Composite => true,
            SearchType::Special => false,
        };
        own || self == L::Unknown
    }

    /// The members that a search reads below a value of this datatype: a line in which one stands twice is bad.
    pub fn members(self, kind: SearchType) -> &'static [&'static [&'static str]] {
        match self {
            Leaf::Address => &[
                &["line"],
                &["city"],
                &["district"],
                &["state"],
                &["postalCode"],
                &["country"],
                &["text"],
            ],
            Leaf::HumanName => &[&["family"], &["given"], &["prefix"], &["suffix"], &["text"]],
            Leaf::ContactPoint => &[&["value"]],
            Leaf::Identifier => &[
                &["system"],
                &["value"],
                &["type", "coding", "system"],
                &["type", "coding", "code"],
                &["type", "text"],
            ],
            Leaf::Coding => &[&["system"], &["code"], &["display"]],
            Leaf::CodeableConcept => &[
                &["coding", "system"],
                &["coding", "code"],
                &["coding", "display"],
                &["text"],
            ],
            Leaf::CodeableReference if kind == SearchType::Token => &[
                &["concept", "coding", "system"],
                &["concept", "coding", "code"],
                &["concept", "text"],
            ],
            Leaf::CodeableReference => &[&["reference", "reference"], &["reference", "type"]],
            Leaf::Quantity => &[&["value"], &["comparator"], &["unit"], &["system"], &["code"]],
            Leaf::Money => &[&["value"], &["currency"]],
            Leaf::Range => &[
                &["low", "value"],
                &["low", "unit"],
                &["low", "system"],
                &["low", "code"],
                &["high", "value"],
                &["high", "unit"],
                &["high", "system"],
                &["high", "code"],
            ],
            Leaf::Period => &[&["start"], &["end"]],
            Leaf::Timing => &[
                &["event"],
                &["repeat", "boundsPeriod", "start"],
                &["repeat", "boundsPeriod", "end"],
            ],
            Leaf::Reference => &[
                &["reference"],
                &["type"],
                &["identifier", "system"],
                &["identifier", "value"],
            ],
            Leaf::Resource => &[&["resourceType"], &["id"]],
            _ => &[],
        }
    }

    /// For a value of unknown datatype: what its JSON shows it to be under this search type.
    pub fn told_by(self, json: Json<'_>, kind: SearchType) -> Leaf {
        if self != Leaf::Unknown {
            return self;
        }
        if json.kind() == Kind::Object {
            return told_by_members(json);
        }
        match (kind, json.kind()) {
            (SearchType::Date, _) => Leaf::Date,
            (SearchType::Number | SearchType::Quantity, _) => Leaf::Decimal,
            (_, Kind::Boolean) => Leaf::Boolean,
            (SearchType::Token, _) => Leaf::Code,
            (SearchType::Uri | SearchType::Reference, _) => Leaf::Uri,
            _ => Leaf::Text,
        }
    }
}

fn told_by_members(json: Json<'_>) -> Leaf {
    let has = |name: &str| json.get(name).is_some();
    if has("coding") {
        Leaf::CodeableConcept
    } else if has("concept") {
        Leaf::CodeableReference
    } else if has("reference") {
        Leaf::Reference
    } else if has("family") || has("given") {
        Leaf::HumanName
    } else if has("city") || has("postalCode") || has("line") {
        Leaf::Address
    } else if has("start") || has("end") {
        Leaf::Period
    } else if has("low") || has("high") {
        Leaf::Range
    } else if has("currency") {
        Leaf::Money
    } else if json.get("value").is_some_and(|value| value.kind() == Kind::Number) {
        Leaf::Quantity
    } else if has("value") {
        if has("rank")
            || matches!(json.get("system").and_then(Json::text), Some(text) if text.is("phone") || text.is("email"))
        {
            Leaf::ContactPoint
        } else {
            Leaf::Identifier
        }
    } else if has("code") || has("system") {
        Leaf::Coding
    } else if has("event") || has("repeat") {
        Leaf::Timing
    } else {
        Leaf::Other
    }
}
