//! The body of a kick-off: a `Parameters` resource in JSON, read member by member. Nothing given twice goes unseen.

use std::fmt;

use fhirehose_core::problem::Problem;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decide::Situation;
use super::fault::{Fault, Place};
use super::given::{Content, Raw};
use crate::profile::ServerProfile;

/// The members of an object, in their order, each value as its own text.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members: Vec<(String, &RawValue)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(DUPLICATE));
            }
            // An object of FHIR has few members; of more the test above would be slow.
            if members.len() == MOST_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

const DUPLICATE: &str = "a member is there twice";
const MOST_MEMBERS: usize = 64;

impl<'a> Members<'a> {
    pub(super) fn read(json: &'a str) -> Result<Members<'a>, serde_json::Error> {
        serde_json::from_str(json)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    }
}

/// The string that a value is.
pub(super) fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Reads the parameters. A body that is not `Parameters` is one fault; of parameters that have no name, or more than one
/// value, each is one.
pub(super) fn read<'a>(body: &'a [u8], profile: &ServerProfile, faults: &mut Vec<Fault>) -> Vec<Raw<'a>> {
    let parameters = match list(body) {
        Ok(parameters) => parameters,
        Err(message) => {
            let problem = Problem::whole("body", "", message).with_help(Some(EXPECTED.to_owned()));
            let place = Place::Body("Parameters".to_owned());
            faults.push(Fault::new(Situation::Unreadable, profile, problem, place));
            return Vec::new();
        }
    };
    let mut found = Vec::with_capacity(parameters.len());
    for (index, entry) in parameters.into_iter().enumerate() {
        let place = Place::Body(format!("Parameters.parameter[{index}]"));
        match parameter(entry) {
            Ok((name, content)) => found.push(Raw { name, content, place }),
            Err((name, message)) => {
                let problem = Problem::whole("parameter", &name, message);
                faults.push(Fault::new(Situation::Unreadable, profile, problem, place));
            }
        }
    }
    found
}

const EXPECTED: &str = r#"as in {"resourceType":"Parameters","parameter":[{"name":"_type","valueString":"Patient"}]}"#;

/// The entries of `parameter`.
fn list(body: &[u8]) -> Result<Vec<&RawValue>, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("no UTF-8 at byte {}", error.valid_up_to()))?;
    // Some editors put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let resource = Members::read(text).map_err(|error| told(&error))?;
    if resource.get("resourceType").and_then(string).as_deref() != Some("Parameters") {
        return Err("expected a resource of type Parameters".to_owned());
    }
    match resource.get("parameter") {
        None => Ok(Vec::new()),
        Some(list) => serde_json::from_str(list.get()).map_err(|_| "`parameter` is no array".to_owned()),
    }
}

/// Where and what, without anything of the body.
fn told(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with(DUPLICATE) => DUPLICATE,
        serde_json::error::Category::Data => "expected a resource of type Parameters",
        _ => "the body is not valid JSON",
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

/// Name and value of an entry; or its name, as far as there is one, and what is wrong.
fn parameter(entry: &RawValue) -> Result<(String, Content<'_>), (String, String)> {
    let fail = |name: &str, message: &str| Err((name.to_owned(), message.to_owned()));
    let members = match Members::read(entry.get()) {
        Ok(members) => members,
        Err(error) if error.to_string().starts_with(DUPLICATE) => return fail("", DUPLICATE),
        Err(_) => return fail("", "a parameter is an object with a name and a value"),
    };
    let Some(name) = members.get("name").and_then(string).filter(|name| !name.is_empty()) else {
        return fail("", "a parameter needs a name");
    };
    let mut content = None;
    for (member, value) in members.0 {
        match member.as_str() {
            "name" | "id" | "extension" => {}
            // Extensions of primitives, and comments of an older FHIR.
            other if other.starts_with('_') || other == "fhir_comments" => {}
            "part" | "resource" => return fail(&name, "expected a value, not parts or a resource"),
            other if other.starts_with("value") => {
                if content.replace(Content::Json { member, value }).is_some() {
                    return fail(&name, "a parameter has one value; give it again for a further one");
                }
            }
            _ => return fail(&name, "a member that a parameter does not have"),
        }
    }
    match content {
        Some(content) => Ok((name, content)),
        None => fail(&name, "a parameter needs a value"),
    }
}
