//! What was given under which name: names looked up, values brought to text, repetitions found.

use fhirehose_core::problem::{Problem, did_you_mean};
use fhirehose_core::profile::Parameter;
use serde_json::value::RawValue;

use super::body::{Members, string};
use super::decide::Situation;
use super::fault::{Fault, Place};
use super::{Call, MOST_NOTES, Reading};
use crate::profile::{Kind, Method, PARAMETERS, ParameterRule};

/// A name and a value, as they came.
pub(super) struct Raw<'a> {
    pub(super) name: String,
    pub(super) content: Content<'a>,
    pub(super) place: Place,
}

/// A value as it came.
pub(super) enum Content<'a> {
    /// From the query.
    Text(String),
    /// From the body: `valueString` and what it is.
    Json { member: String, value: &'a RawValue },
}

/// A parameter that is offered, with its text.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) parameter: Parameter,
    pub(super) text: String,
    /// A reference that says of itself that it is one, and not a text.
    pub(super) place: Place,
}

/// So many faults are enough to refuse a request; the rest of it is not looked into.
const MOST_FAULTS: usize = 1000;

/// Looks the names up. What is not offered goes to `reading`, which forgives or refuses it.
pub(super) fn look_up(raw: Vec<Raw<'_>>, call: &Call<'_>, reading: &mut Reading<'_>) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::with_capacity(raw.len());
    for raw in raw {
        if reading.faults.len() >= MOST_FAULTS {
            break;
        }
        let Some(parameter) = PARAMETERS.into_iter().find(|parameter| parameter.name() == raw.name) else {
            reading.judge(unknown(&raw, call, reading));
            continue;
        };
        let rule = match offered(parameter, &raw, call, reading) {
            Ok(rule) => rule,
            Err(fault) => {
                reading.judge(*fault);
                continue;
            }
        };
        match text(rule.kind, raw.content) {
            Ok(text) => given.push(Given {
                parameter,
                text,
                place: raw.place,
            }),
            Err(message) => {
                let problem = Problem::whole(parameter.name(), "", message);
                reading.refuse(Situation::Unreadable, problem, raw.place);
            }
        }
    }
    repetitions(&given, reading);
    given
}

fn unknown(raw: &Raw<'_>, call: &Call<'_>, reading: &Reading<'_>) -> Fault {
    let profile = reading.setting.profile;
    let names: Vec<&str> = profile.names_at(call.door.level(), call.method).collect();
    // Nobody reads the help of thousands.
    let help = (reading.notes.len() < MOST_NOTES).then(|| {
        let close = did_you_mean(&raw.name, names.iter().copied());
        close.unwrap_or_else(|| format!("known here: {}", names.join(", ")))
    });
    let problem = Problem::whole("parameter", &raw.name, "unknown parameter").with_help(help);
    let situation = if is_nearly_known(&raw.name) {
        Situation::MisspelledParameter
    } else {
        Situation::UnknownParameter
    };
    Fault::new(situation, profile, problem, raw.place.clone())
}

/// Whether a name is one that is known but for case and for signs: `type`, `_Type`, `_typeFilter[]`.
fn is_nearly_known(name: &str) -> bool {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let written = letters(name);
    PARAMETERS.iter().any(|parameter| letters(parameter.name()) == written)
}

/// The rule of a parameter at this door, by this method.
fn offered(
    parameter: Parameter,
    raw: &Raw<'_>,
    call: &Call<'_>,
    reading: &Reading<'_>,
) -> Result<&'static ParameterRule, Box<Fault>> {
    let profile = reading.setting.profile;
    let rule = profile.parameter(parameter);
    let level = call.door.level();
    let is_patient = parameter == Parameter::Patient;
    let (situation, message) = match rule {
        Some(rule) if rule.levels.contains(&level) && rule.methods.contains(&call.method) => return Ok(rule),
        _ if is_patient && level == fhirehose_core::profile::Level::System => (
            Situation::PatientAtSystemLevel,
            "patients are listed for Patient/$export or a Group's, not for everything".to_owned(),
        ),
        _ if is_patient && call.method == Method::Get => {
            let message = "patients are listed in the body of a POST, not in a URL".to_owned();
            (Situation::PatientByGet, message)
        }
        _ if is_patient => (
            Situation::BadPatient,
            format!("the {} profile takes no list of patients here", profile.name),
        ),
        _ => (
            Situation::UnsupportedParameter,
            format!("not supported under the {} profile", profile.name),
        ),
    };
    let shown = match &raw.content {
        Content::Text(text) => text.as_str(),
        Content::Json { .. } => "",
    };
    let problem = Problem::whole(parameter.name(), shown, message);
    Err(Box::new(Fault::new(situation, profile, problem, raw.place.clone())))
}

/// Parameters that are given once and were given again, and such as stand in the query and in the body.
fn repetitions(given: &[Given], reading: &mut Reading<'_>) {
    let is_query = |given: &Given| matches!(given.place, Place::Query(_));
    for rule in reading.setting.profile.parameters {
        let own: Vec<&Given> = given.iter().filter(|given| given.parameter == rule.parameter).collect();
        let name = rule.parameter.name();
        let mut refuse = |second: &Given, message: &str| {
            let problem = Problem::whole(name, &second.text, message);
            reading.refuse(Situation::Repeated, problem, second.place.clone());
        };
        let [first, others @ ..] = own.as_slice() else { continue };
        if let Some(other) = others.iter().find(|other| is_query(other) != is_query(first)) {
            refuse(other, "given in the query and in the body; give it in one place");
        } else if let (false, Some(second)) = (rule.repeats, others.first()) {
            refuse(second, "given more than once; it takes one value");
        }
    }
}

/// The text of a value, or what was expected.
fn text(kind: Kind, content: Content<'_>) -> Result<String, String> {
    let (member, value) = match content {
        Content::Text(text) => return Ok(text),
        Content::Json { member, value } => (member, value),
    };
    let plain = |names: &[&str]| names.contains(&member.as_str()).then(|| string(value)).flatten();
    const TEXTS: &[&str] = &[
        "valueString",
        "valueCode",
        "valueUri",
        "valueId",
        "valueCanonical",
        "valueMarkdown",
    ];
    let found = match kind {
        Kind::Text => plain(TEXTS),
        Kind::Instant => plain(&["valueInstant", "valueDateTime", "valueString"]),
        Kind::Boolean if member == "valueBoolean" => scalar(value, |text| matches!(text, "true" | "false")),
        Kind::Boolean => plain(&["valueString", "valueCode"]),
        Kind::Number
            if matches!(
                member.as_str(),
                "valuePositiveInt" | "valueUnsignedInt" | "valueInteger"
            ) =>
        {
            scalar(value, |text| text.bytes().all(|byte| byte.is_ascii_digit()))
        }
        Kind::Number => plain(&["valueString", "valueInteger64"]),
        Kind::Reference if member == "valueReference" => return reference(value),
        Kind::Reference => plain(&["valueString", "valueUri"]),
        Kind::Coding if member == "valueCoding" => return coding(value),
        Kind::Coding => plain(TEXTS),
    };
    found.ok_or_else(|| {
        let expected = match kind {
            Kind::Text => "valueString",
            Kind::Instant => "valueInstant",
            Kind::Boolean => "valueBoolean",
            Kind::Number => "valuePositiveInt",
            Kind::Reference => "valueReference",
            Kind::Coding => "valueCode or valueCoding",
        };
        format!("expected {expected}, of its own datatype")
    })
}

fn scalar(value: &RawValue, is_good: impl Fn(&str) -> bool) -> Option<String> {
    Some(value.get()).filter(|text| is_good(text)).map(str::to_owned)
}

/// The text of a Reference to a Patient.
fn reference(value: &RawValue) -> Result<String, String> {
    let members =
        Members::read(value.get()).map_err(|_| "expected a Reference, as in {\"reference\":\"Patient/1\"}")?;
    let member = |name| members.get(name).map(string);
    match member("type") {
        None => {}
        Some(Some(name)) if name == "Patient" || name.ends_with("/StructureDefinition/Patient") => {}
        Some(_) => return Err("a reference to another type; expected Patient".to_owned()),
    }
    match member("reference") {
        Some(Some(text)) => Ok(text),
        Some(None) => Err("expected `reference` to be a text, as in \"Patient/1\"".to_owned()),
        None => {
            Err("a reference without `reference`; identifiers are not looked up: expected \"Patient/1\"".to_owned())
        }
    }
}

/// The code system of `includeAssociatedData`.
const ASSOCIATED_DATA: &str = "http://hl7.org/fhir/uv/bulkdata/CodeSystem/include-associated-data";

/// The code of a Coding. One of another system is another value, and shown with it.
fn coding(value: &RawValue) -> Result<String, String> {
    let members = Members::read(value.get()).map_err(|_| "expected a Coding, as in {\"code\":\"…\"}")?;
    let member = |name| members.get(name).map(string);
    let Some(Some(code)) = member("code") else {
        return Err("a Coding needs a code".to_owned());
    };
    match member("system") {
        None => Ok(code),
        Some(Some(system)) if system == ASSOCIATED_DATA => Ok(code),
        Some(Some(system)) => Ok(format!("{system}|{code}")),
        Some(None) => Err("the system of a Coding is a URL".to_owned()),
    }
}
