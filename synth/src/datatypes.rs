//! FHIR data types as they stand inside resources: concepts, quantities, identifiers, periods, people's names, places.

use crate::codes::{AWKWARD, Code, Unit};
use crate::dates::{DAY, date_time};
use crate::pen::{Pen, Text, put};
use crate::text::{CITIES, family, given, sentence};

/// Appends a Coding.
pub(crate) fn coding(pen: &mut Pen, code: Code) {
    let form = if pen.varied { pen.rng.below(40) } else { 39 };
    match form {
        0 => put!(pen, r#"{"code":""#, Text(code.1), r#""}"#),
        1 => put!(
            pen,
            r#"{"system":""#,
            Text(code.0),
            r#"","display":""#,
            Text(code.2),
            r#""}"#
        ),
        2 => put!(
            pen,
            r#"{"code":""#,
            Text(code.1),
            r#"","system":""#,
            Text(code.0),
            r#""}"#
        ),
        3 => put!(
            pen,
            r#"{"extension":[{"url":"http://example.org/ext/decoy","valueCoding":{"system":"http://loinc.org","code":"8302-2"}}],"system":""#,
            Text(code.0),
            r#"","code":""#,
            Text(code.1),
            r#""}"#
        ),
        4 => put!(
            pen,
            r#"{"system":""#,
            Text(code.0),
            r#"","version":"2024","code":""#,
            Text(code.1),
            r#"","display":""#,
            Text(code.2),
            r#"","userSelected":true}"#
        ),
        5 => put!(
            pen,
            r#"{"system":""#,
            Text(code.0),
            r#"","_code":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]},"display":""#,
            Text(code.2),
            r#""}"#
        ),
        _ => put!(
            pen,
            r#"{"system":""#,
            Text(code.0),
            r#"","code":""#,
            Text(code.1),
            r#"","display":""#,
            Text(code.2),
            r#""}"#
        ),
    }
}

/// Appends a CodeableConcept.
pub(crate) fn concept(pen: &mut Pen, code: Code) {
    match if pen.varied { pen.rng.below(40) } else { 39 } {
        0 => {
            put!(pen, r#"{"text":""#);
            sentence(pen);
            put!(pen, "\"}");
        }
        1..=3 => {
            let awkward = pen.rng.pick(&AWKWARD);
            put!(pen, r#"{"coding":["#);
            coding(pen, code);
            put!(
                pen,
                r#",{"system":""#,
                Text(awkward.0),
                r#"","code":""#,
                Text(awkward.1),
                r#"","display":""#,
                Text(awkward.2),
                r#""}],"text":""#,
                Text(code.2),
                "\"}"
            );
        }
        4 => {
            put!(pen, r#"{"id":"c1","coding":["#);
            coding(pen, code);
            put!(pen, "]}");
        }
        _ => {
            put!(pen, r#"{"coding":["#);
            coding(pen, code);
            put!(pen, r#"],"text":""#, Text(code.2), "\"}");
        }
    }
}

/// Appends `,"name":` and a CodeableConcept.
pub(crate) fn concept_as(pen: &mut Pen, name: &str, code: Code) {
    put!(pen, ",\"", name, "\":");
    concept(pen, code);
}

/// Appends `,"name":[` one CodeableConcept `]`.
pub(crate) fn concepts_as(pen: &mut Pen, name: &str, code: Code) {
    put!(pen, ",\"", name, "\":[");
    concept(pen, code);
    put!(pen, "]");
}

/// Appends a concept of one coding in a system of `terminology.hl7.org`: statuses and categories.
pub(crate) fn plain(pen: &mut Pen, system: &str, code: &str) {
    put!(
        pen,
        r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/"#,
        system,
        r#"","code":""#,
        code,
        r#""}]}"#
    );
}

/// Appends a decimal, given in tenths, in one of the spellings JSON allows.
pub(crate) fn decimal(pen: &mut Pen, tenths: i64) {
    let (whole, tenth) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    if tenths < 0 {
        put!(pen, "-");
    }
    match if pen.varied { pen.rng.below(24) } else { 23 } {
        0 | 1 => put!(pen, whole),
        2 | 3 => put!(pen, whole, ".", tenth, "0"),
        4 => put!(pen, whole, "e0"),
        5 => put!(pen, whole, ".", tenth, "E+1"),
        6 => put!(pen, whole, ".", tenth, "e-2"),
        7 => put!(pen, "1e2"),
        8 => put!(pen, "1.0E-3"),
        9 => put!(pen, "0.5"),
        10 => put!(pen, "5.40"),
        11 => put!(pen, whole, ".", tenth, "00000000000000000001"),
        12 => put!(pen, "100"),
        _ => put!(pen, whole, ".", tenth),
    }
}

/// Appends the members of a quantity, value first, without braces.
fn amount(pen: &mut Pen, unit: Unit, tenths: i64) {
    put!(pen, r#""value":"#);
    decimal(pen, tenths);
    if pen.oddly(6) {
        let comparator = pen.rng.pick(&["<", "<=", ">=", ">"]);
        put!(pen, r#","comparator":""#, comparator, "\"");
    }
    match if pen.varied { pen.rng.below(30) } else { 29 } {
        0 => {}
        1 | 2 => put!(pen, r#","unit":""#, unit.1, "\""),
        3 => put!(pen, r#","code":""#, unit.0, "\""),
        4 => put!(pen, r#","unit":""#, unit.1, r#"","system":"http://unitsofmeasure.org""#),
        5 => put!(
            pen,
            r#","unit":""#,
            unit.1,
            r#"","system":"http://example.org/units|local","code":"u$1,2""#
        ),
        _ => put!(
            pen,
            r#","unit":""#,
            unit.1,
            r#"","system":"http://unitsofmeasure.org","code":""#,
            unit.0,
            "\""
        ),
    }
}

/// Appends a Quantity (also Age and Duration, which are quantities in JSON).
pub(crate) fn quantity(pen: &mut Pen, unit: Unit) {
    let tenths = pen.rng.between(unit.2, unit.3);
    let tenths = if pen.oddly(3) { -tenths } else { tenths };
    if pen.oddly(1) {
        put!(
            pen,
            r#"{"_value":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]},"unit":""#,
            unit.1,
            "\"}"
        );
        return;
    }
    put!(pen, "{");
    amount(pen, unit, tenths);
    put!(pen, "}");
}

/// Appends a Range; one bound may be missing.
pub(crate) fn range(pen: &mut Pen, unit: Unit) {
    let low = pen.rng.between(unit.2, unit.3);
    let high = low + pen.rng.between(0, 500);
    let (with_low, with_high) = if pen.oddly(15) {
        (true, false)
    } else {
        (!pen.oddly(15), true)
    };
    put!(pen, "{");
    if with_low {
        put!(pen, r#""low":{"#);
        bound(pen, unit, low);
    }
    if with_high {
        put!(pen, if with_low { "," } else { "" }, r#""high":{"#);
        bound(pen, unit, high);
    }
    put!(pen, "}");
}

fn bound(pen: &mut Pen, unit: Unit, tenths: i64) {
    put!(
        pen,
        r#""value":"#,
        tenths / 10,
        ".",
        (tenths % 10).unsigned_abs(),
        r#","unit":""#,
        unit.1,
        r#"","system":"http://unitsofmeasure.org","code":""#,
        unit.0,
        "\"}"
    );
}

/// Appends a Ratio.
pub(crate) fn ratio(pen: &mut Pen, unit: Unit) {
    put!(pen, r#"{"numerator":"#);
    quantity(pen, unit);
    put!(
        pen,
        r#","denominator":{"value":1,"unit":"h","system":"http://unitsofmeasure.org","code":"h"}}"#
    );
}

/// Appends a Money object.
pub(crate) fn money(pen: &mut Pen, cents: u64) {
    let currency = if pen.varied {
        pen.rng.pick(&["USD", "USD", "USD", "EUR", "JPY"])
    } else {
        "USD"
    };
    put!(
        pen,
        r#"{"value":"#,
        cents / 100,
        ".",
        cents / 10 % 10,
        cents % 10,
        r#","currency":""#,
        currency,
        "\"}"
    );
}

/// Appends a Period that starts at `at`; either end may be missing.
pub(crate) fn period(pen: &mut Pen, at: i64, longest: i64) {
    let end = at + pen.rng.between(0, longest);
    let start = date_time(pen, at);
    let stop = date_time(pen, end);
    match if pen.varied { pen.rng.below(10) } else { 9 } {
        0 | 1 => put!(pen, r#"{"start":""#, start, "\"}"),
        2 => put!(pen, r#"{"end":""#, stop, "\"}"),
        _ => put!(pen, r#"{"start":""#, start, r#"","end":""#, stop, "\"}"),
    }
}

/// Appends a Timing: events, bounds, or only a repetition.
pub(crate) fn timing(pen: &mut Pen, at: i64) {
    match pen.rng.below(5) {
        0 | 1 => {
            let first = date_time(pen, at);
            let second = date_time(pen, at + 3 * DAY);
            put!(pen, r#"{"event":[""#, first, r#"",""#, second, r#""]}"#);
        }
        2 | 3 => {
            put!(pen, r#"{"repeat":{"boundsPeriod":"#);
            period(pen, at, 90 * DAY);
            put!(
                pen,
                r#","frequency":2,"period":1,"periodUnit":"d"},"code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation","code":"BID"}]}}"#
            );
        }
        _ => put!(
            pen,
            r#"{"repeat":{"boundsDuration":{"value":10,"unit":"days","system":"http://unitsofmeasure.org","code":"d"},"count":20,"frequency":1,"period":1.0,"periodUnit":"d"}}"#
        ),
    }
}

/// Appends SampledData.
pub(crate) fn sampled(pen: &mut Pen) {
    put!(
        pen,
        r#"{"origin":{"value":2048},"period":10,"factor":1.612,"lowerLimit":-3300,"upperLimit":3300,"dimensions":1,"data":""#
    );
    for position in 0..24 {
        let sample = pen.rng.between(1900, 2200);
        put!(pen, if position == 0 { "" } else { " " }, sample);
    }
    put!(pen, " E U L\"}");
}

/// Appends `,"identifier":[…]` with one to four identifiers; `local` is the value of the first.
pub(crate) fn identifiers(pen: &mut Pen, local: u64) {
    put!(
        pen,
        r#","identifier":[{"use":"official","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR","display":"Medical Record Number"}],"text":"Medical Record Number"},"system":"https://hospital.example.org/mrn","value":"MRN"#,
        local,
        "\"}"
    );
    if pen.oddly(30) {
        let number = 100_000_000 + pen.rng.below(899_999_999);
        put!(
            pen,
            r#",{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS"}]},"system":"http://hl7.org/fhir/sid/us-ssn","value":""#,
            number,
            "\"}"
        );
    }
    if pen.oddly(12) {
        let value = pen
            .rng
            .pick(&["a|b", "x,y", "1$2", "back\\slash", "ÄÖ/ü", "A|B", "sp ace"]);
        let system = pen.rng.pick(&[
            "http://example.org/ids|v1",
            "http://example.org/ids,all",
            "urn:oid:1.2.36.146.595.217.0.1",
            "http://example.org/ids$1",
        ]);
        put!(
            pen,
            r#",{"use":"secondary","system":""#,
            system,
            r#"","value":""#,
            Text(value),
            r#"","assigner":{"display":"decoy"}}"#
        );
    }
    if pen.oddly(6) {
        put!(pen, r#",{"value":"no-system-"#, local, "\"}");
    }
    if pen.oddly(3) {
        put!(
            pen,
            r#",{"system":"http://example.org/ids","_value":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/rendered-value","valueString":"xxx-xx-1234"}]}}"#
        );
    }
    put!(pen, "]");
}

/// Appends `,"name":[…]` with one to three HumanNames.
pub(crate) fn names(pen: &mut Pen, female: bool) {
    let (family_name, first, second) = (family(pen), given(pen, female), given(pen, female));
    put!(
        pen,
        r#","name":[{"use":"official","family":""#,
        Text(family_name),
        r#"","given":[""#,
        first,
        r#"",""#,
        second,
        r#""],"prefix":[""#,
        if female { "Ms." } else { "Mr." },
        "\"]"
    );
    if pen.oddly(10) {
        put!(
            pen,
            r#","suffix":["PhD","Jr."],"text":""#,
            first,
            " ",
            Text(family_name),
            r#", PhD","period":{"start":"2001-05"}"#
        );
    }
    put!(pen, "}");
    if pen.rng.percent(15) {
        let maiden = family(pen);
        put!(
            pen,
            r#",{"use":"maiden","family":""#,
            Text(maiden),
            r#"","given":[""#,
            first,
            "\"]}"
        );
    }
    if pen.oddly(4) {
        put!(
            pen,
            r#",{"use":"nickname","given":["#,
            "null",
            r#",""#,
            first,
            r#""],"_given":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]},null]}"#
        );
    }
    if pen.oddly(3) {
        put!(pen, r#",{"text":""#, first, " “", Text(family_name), "” only text\"}");
    }
    put!(pen, "]");
}

/// Appends `,"telecom":[…]`.
pub(crate) fn telecoms(pen: &mut Pen) {
    let line = 100 + pen.rng.below(900);
    put!(
        pen,
        r#","telecom":[{"system":"phone","value":"555-"#,
        line,
        r#"-0199","use":"home"}"#
    );
    if pen.rng.percent(60) {
        put!(
            pen,
            r#",{"system":"email","value":"Person"#,
            line,
            r#"@Example.org","use":"work","rank":1}"#
        );
    }
    if pen.oddly(10) {
        put!(
            pen,
            r#",{"system":"url","value":"https://example.org/~"#,
            line,
            r#""},{"value":"+1 (555) 010 "#,
            line,
            "\"}"
        );
    }
    put!(pen, "]");
}

/// Appends an Address.
pub(crate) fn address(pen: &mut Pen) {
    let (city, state, code) = pen.rng.pick(if pen.varied { &CITIES } else { &CITIES[..2] });
    let number = 1 + pen.rng.below(999);
    put!(pen, "{");
    if pen.rng.percent(50) {
        put!(pen, r#""use":"home","type":"both","#);
    }
    if pen.oddly(20) {
        put!(
            pen,
            r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/geolocation","extension":[{"url":"latitude","valueDecimal":42.351},{"url":"longitude","valueDecimal":-71.06}]}],"#
        );
    }
    put!(
        pen,
        r#""line":[""#,
        number,
        r#" Schöne Allee","Apt 4/B"],"city":""#,
        city,
        r#"","district":"Middlesex""#
    );
    if !state.is_empty() {
        put!(pen, r#","state":""#, state, "\"");
    }
    put!(pen, r#","postalCode":""#, code, r#"","country":"US""#);
    if pen.oddly(15) {
        put!(
            pen,
            r#","text":""#,
            number,
            " Schöne Allee, ",
            city,
            r#"","period":{"start":"2010"}"#
        );
    }
    put!(pen, "}");
}

/// Appends `,"note":[…]` with one Annotation.
pub(crate) fn note(pen: &mut Pen, at: i64) {
    let time = date_time(pen, at);
    put!(
        pen,
        r#","note":[{"authorString":"Dr. Nobody","time":""#,
        time,
        r#"","text":""#
    );
    sentence(pen);
    put!(pen, "\"}]");
}
