//! The kick-off: what an order looks like on the wire, and which cannot be sent (SPEC 2.2, 2.3).

use super::order::{Level, Method, Order, Spelling};
use super::step::{Call, Failure, What};
use super::url;
use crate::manifest::percent_encoded;
use crate::quote::quoted;

/// Most bytes of the answer that are wanted: it holds at most an OperationOutcome.
const ANSWER: u64 = 1 << 20;

/// The request that the order becomes; its number is 0, and whether a token goes along is for whoever sends it.
///
/// # Errors
/// With the code `bad-order`: it cannot be sent, or no server could understand it. Everything else is for the server to judge.
pub fn kick_off(order: &Order) -> Result<Call, Failure> {
    check(order)?;
    let door = match &order.level {
        Level::System => "$export".to_owned(),
        Level::Patient => "Patient/$export".to_owned(),
        Level::Group(id) => format!("Group/{id}/$export"),
    };
    let mut url = format!("{}/{door}", order.base.trim_end_matches('/'));
    let prefer = if order.lenient {
        "respond-async, handling=lenient"
    } else {
        "respond-async"
    };
    let mut headers = vec![
        ("Accept", "application/fhir+json".to_owned()),
        ("Prefer", prefer.to_owned()),
    ];
    let values = values(order);
    let mut body = None;
    let method = match order.method {
        Method::Get => {
            for (at, value) in values.iter().enumerate() {
                url.push(if at == 0 { '?' } else { '&' });
                url.push_str(&percent_encoded(value.name));
                url.push('=');
                url.push_str(&percent_encoded(&value.text));
            }
            "GET"
        }
        Method::Post => {
            headers.push(("Content-Type", "application/fhir+json".to_owned()));
            body = Some(parameters(&values));
            "POST"
        }
    };
    Ok(Call {
        id: 0,
        what: What::KickOff,
        method,
        url,
        headers,
        body,
        with_token: false,
        most: ANSWER,
    })
}

/// Where an order that can be sent is sent to.
pub(super) fn kick_off_url(order: Option<&Order>) -> Option<String> {
    kick_off(order?).ok().map(|call| call.url)
}

fn check(order: &Order) -> Result<(), Failure> {
    let bad = |message: &str| {
        Err(Failure {
            code: "bad-order",
            message: message.to_owned(),
            resumable: false,
        })
    };
    let base = order.base.as_str();
    if !url::is_absolute(base) {
        return bad("the base of the server is no absolute http or https URL");
    }
    if url::has_query(base) || base.contains('?') || base.contains('#') {
        return bad(
            "the base of the server has a query or a fragment; expected a URL such as https://example.org/fhir",
        );
    }
    if url::has_user(base) {
        return bad("the base of the server holds a user name or password; credentials are given apart from it");
    }
    if url::has_dots(base) {
        return bad("the base of the server has a path with `.` or `..` in it, which leads elsewhere");
    }
    // HTTP libraries take `.` and `..` for what they are in paths, and the export would be of the whole server.
    if let Level::Group(id) = &order.level
        && (!is_id(id) || matches!(id.as_str(), "." | ".."))
    {
        return bad("the group is no FHIR id: 1 to 64 letters, digits, '-' and '.'");
    }
    if !order.patients.is_empty() {
        if order.method == Method::Get {
            return bad("a list of patients can only be sent with POST");
        }
        if order.level == Level::System {
            return bad("a list of patients can be given at patient or group level, not for the whole system");
        }
        if let Some(at) = order.patients.iter().position(|id| !is_id(id)) {
            return bad(&format!(
                "patient {} of the list is no FHIR id: 1 to 64 letters, digits, '-' and '.'",
                at + 1
            ));
        }
    }
    if order.further.iter().any(|(name, _)| name.trim().is_empty()) {
        return bad("a further parameter has no name");
    }
    Ok(())
}

fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}

/// A parameter with one value, and what a Parameters resource calls its datatype.
struct Value<'o> {
    name: &'o str,
    member: &'static str,
    text: String,
}

fn values(order: &Order) -> Vec<Value<'_>> {
    let mut out = Vec::new();
    let mut one = |name, member, text: Option<&str>| {
        out.extend(text.map(|text| Value {
            name,
            member,
            text: text.to_owned(),
        }));
    };
    one("_outputFormat", "valueString", order.output_format.as_deref());
    one("_since", "valueInstant", order.since.as_deref());
    one("_until", "valueInstant", order.until.as_deref());
    for (name, items) in [
        ("_type", &order.types),
        ("_elements", &order.elements),
        ("includeAssociatedData", &order.associated_data),
    ] {
        out.extend(listed(items, order.spelling).into_iter().map(|text| Value {
            name,
            member: "valueString",
            text,
        }));
    }
    let mut each = |name, member, texts: &[String]| {
        out.extend(texts.iter().map(|text| Value {
            name,
            member,
            text: text.clone(),
        }));
    };
    // Never as a comma list: a filter may hold commas of its own.
    each("_typeFilter", "valueString", &order.type_filters);
    each("patient", "valueReference", &order.patients);
    each("organizeOutputBy", "valueString", order.organize_by.as_slice());
    if order.partial {
        each("allowPartialManifests", "valueBoolean", &["true".to_owned()]);
    }
    out.extend(order.further.iter().map(|(name, text)| Value {
        name,
        member: "valueString",
        text: text.clone(),
    }));
    out
}

/// Items that may be comma lists themselves, as one list or each on its own.
fn listed(items: &[String], spelling: Spelling) -> Vec<String> {
    let apart = items.iter().flat_map(|item| item.split(',')).map(str::trim);
    let apart: Vec<&str> = apart.filter(|item| !item.is_empty()).collect();
    match spelling {
        Spelling::Commas if apart.is_empty() => Vec::new(),
        Spelling::Commas => vec![apart.join(",")],
        Spelling::Repeated => apart.into_iter().map(str::to_owned).collect(),
    }
}

fn parameters(values: &[Value<'_>]) -> String {
    let mut out = String::from(r#"{"resourceType":"Parameters","parameter":["#);
    for (at, value) in values.iter().enumerate() {
        let datum = match value.member {
            "valueReference" => format!(r#"{{"reference":{}}}"#, quoted(&format!("Patient/{}", value.text))),
            "valueBoolean" => value.text.clone(),
            _ => quoted(&value.text),
        };
        let comma = if at == 0 { "" } else { "," };
        out.push_str(&format!(
            r#"{comma}{{"name":{},"{}":{datum}}}"#,
            quoted(value.name),
            value.member
        ));
    }
    // An array in FHIR is never empty.
    if values.is_empty() {
        return r#"{"resourceType":"Parameters"}"#.to_owned();
    }
    out.push_str("]}");
    out
}

#[cfg(test)]
mod tests;
