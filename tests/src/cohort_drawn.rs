//! Small data sets with references drawn at random, and requests about them: for rules that meet where nobody looked.

use crate::cohort_requests::CohortRequest;
use crate::random::Random;
use serde_json::{Value, json};

/// The server whose data is drawn.
pub const BASE: &str = "https://here.example.org/fhir";

/// Each type has ids from 0 to this one, not included; the last ones of a type may be missing.
const IDS: u64 = 6;

/// Types of the drawn lines: of the compartment, then of nobody.
const TYPES: [&str; 17] = [
    "Patient",
    "Observation",
    "Encounter",
    "Appointment",
    "List",
    "Person",
    "Provenance",
    "Group",
    "Device",
    "Task",
    "Location",
    "PractitionerRole",
    "Practitioner",
    "Organization",
    "Medication",
    "Endpoint",
    "Basic",
];

const TIMES: [&str; 7] = [
    "2019-06-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
    "2020-01-01T02:00:00+02:00",
    "2020-01-01T00:00:00.001Z",
    "2021-03-04T05:06:07.890-11:00",
    "2023-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z",
];

const FILTERS: [&str; 12] = [
    "Observation?status=final",
    "Encounter?status=final,draft",
    "Task?status=final",
    "Location?status=final",
    "Device?status=final",
    "Organization?_id=0,1,2",
    "Practitioner?_id:not=3",
    "PractitionerRole?_lastUpdated=lt2020",
    "Provenance?recorded=lt2020-01-01T00:00:00Z",
    "Provenance?_id:not=2",
    "Patient?_id=0,3",
    "Group?_lastUpdated=ge2020",
];

/// `Type/id` in one of the forms in which references are written.
fn name(random: &mut Random, types: &[&str]) -> String {
    let type_name = random.pick(types).copied().unwrap_or("Patient");
    let id = random.below(IDS);
    match random.below(24) {
        0 => format!("{BASE}/{type_name}/{id}"),
        1 => format!("{BASE}/{type_name}/{id}/_history/2"),
        2 => format!("https://far.example.org/fhir/{type_name}/{id}"),
        3 | 4 => format!("{type_name}/{id}/_history/7"),
        5 => format!("urn:uuid:{id}"),
        6 => format!("#{id}"),
        _ => format!("{type_name}/{id}"),
    }
}

/// A Reference: with a text as a rule, else with an identifier or a display only.
fn reference(random: &mut Random, types: &[&str]) -> Value {
    match random.below(16) {
        0 => json!({"identifier": {"value": name(random, types)}}),
        1 => json!({"display": name(random, types)}),
        2 => {
            let inner = name(random, &TYPES);
            json!({"reference": name(random, types), "extension": [{"url": "x", "valueReference": {"reference": inner}}]})
        }
        _ => json!({"reference": name(random, types)}),
    }
}

fn references(random: &mut Random, types: &[&str]) -> Value {
    let count = random.below(4);
    (0..count).map(|_| reference(random, types)).collect()
}

/// The members that name other resources, by type.
fn links(random: &mut Random, type_name: &str) -> Value {
    const PATIENT: &[&str] = &["Patient"];
    const ANY: &[&str] = &TYPES;
    match type_name {
        "Patient" if random.one_in(3) => json!({"link": [{"other": reference(random, PATIENT)}]}),
        "Patient" => {
            json!({"generalPractitioner": references(random, &["Practitioner", "Organization", "PractitionerRole"])})
        }
        "Observation" => json!({
            "subject": reference(random, &["Patient", "Patient", "Device", "Location"]), "performer": references(random, ANY),
            "contained": [{"resourceType": "Basic", "id": "c", "subject": reference(random, PATIENT), "author": reference(random, ANY)}],
        }),
        "Encounter" => json!({
            "subject": reference(random, PATIENT), "serviceProvider": reference(random, &["Organization"]),
            "location": [{"location": reference(random, &["Location"])}],
            "participant": [{"individual": reference(random, &["PractitionerRole"])}],
        }),
        "Appointment" => {
            let actors = references(random, ANY);
            let actors = actors.as_array().cloned().unwrap_or_default().into_iter();
            let participant: Vec<Value> = actors.map(|actor| json!({"actor": actor})).collect();
            json!({ "participant": participant })
        }
        "List" => {
            json!({"subject": reference(random, PATIENT), "entry": [{"item": reference(random, ANY)}, {"item": reference(random, ANY)}]})
        }
        "Person" => json!({"link": [{"target": reference(random, &["Patient", "Practitioner"])}]}),
        "Basic" => {
            json!({"subject": reference(random, ANY), "author": reference(random, &["Patient", "Practitioner"])})
        }
        "Device" if random.one_in(2) => json!({"owner": reference(random, ANY)}),
        "Device" => json!({"patient": reference(random, PATIENT), "owner": reference(random, ANY)}),
        "Task" if random.one_in(2) => json!({"owner": reference(random, &["Organization"])}),
        "Task" => {
            json!({"for": reference(random, PATIENT), "requester": reference(random, &["Patient", "Practitioner"])})
        }
        "Location" => {
            json!({"managingOrganization": reference(random, &["Organization"]), "partOf": reference(random, &["Location"])})
        }
        "PractitionerRole" => json!({
            "practitioner": reference(random, &["Practitioner"]), "organization": reference(random, &["Organization"]),
            "location": references(random, &["Location"]), "endpoint": references(random, &["Endpoint"]),
        }),
        "Organization" => {
            json!({"partOf": reference(random, &["Organization"]), "endpoint": references(random, &["Endpoint"])})
        }
        "Medication" => json!({"manufacturer": reference(random, &["Organization"])}),
        "Provenance" => {
            json!({"target": references(random, ANY), "agent": [{"who": reference(random, &["Practitioner", "Device"])}]})
        }
        "Group" => json!({"managingEntity": reference(random, &["Organization"]), "member": members(random)}),
        _ => json!({}),
    }
}

fn members(random: &mut Random) -> Value {
    let count = random.below(5);
    let member = |random: &mut Random| {
        let mut member =
            json!({"entity": reference(random, &["Patient", "Patient", "Patient", "Group", "Practitioner"])});
        if random.one_in(8) {
            member["inactive"] = json!(!random.one_in(3));
        }
        if random.one_in(5) {
            let end = if random.one_in(2) { "start" } else { "end" };
            member["period"] = json!({end: random.pick(&["2019", "2020-01-01", "2030-06"])});
        }
        member
    };
    (0..count).map(|_| member(random)).collect()
}

/// The lines of a data set, in a random order.
#[must_use]
pub fn lines(random: &mut Random) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for type_name in TYPES {
        for id in 0..IDS {
            // Patients 0 and 1 are always there, so that most requests are about somebody.
            let always = type_name == "Patient" && id < 2;
            if !always && random.one_in(6) {
                continue;
            }
            let mut resource = links(random, type_name);
            resource["resourceType"] = json!(type_name);
            if always || !random.one_in(30) {
                resource["id"] = json!(id.to_string());
            }
            if !random.one_in(4) {
                resource["meta"] = json!({"lastUpdated": random.pick(&TIMES)});
            }
            if type_name == "Provenance" && !random.one_in(4) {
                resource["recorded"] = json!(random.pick(&TIMES));
            } else {
                resource["status"] = json!(random.pick(&["final", "draft", "active"]));
            }
            let line = spelled(random, &resource.to_string()).into_bytes();
            // What stands twice: Provenance does not, for which of two equal ones is the newest nobody can tell.
            let copies = if type_name != "Provenance" && random.one_in(15) {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let at = random.below(lines.len() as u64 + 1) as usize;
                lines.insert(at, line.clone());
            }
        }
    }
    lines
}

/// The same document with escapes where a reader of bytes does not expect them.
fn spelled(random: &mut Random, line: &str) -> String {
    const SPELLINGS: [(&str, &str); 10] = [
        ("Patient/", r"Patient\/"),
        ("Patient", r"P\u0061tient"),
        ("Device/", r"\u0044evice\u002F"),
        ("\"reference\"", r#""r\u0065ference""#),
        ("\"id\":\"0\"", r#""id" : "\u0030""#),
        ("/0\"", r#"\/\u0030""#),
        ("\"resourceType\":", "\"resourceType\" :\t"),
        ("\"target\"", r#""t\u0061rget""#),
        ("\"recorded\"", r#""\u0072ecorded""#),
        ("\"lastUpdated\":\"2", r#""last\u0055pdated":"\u0032"#),
    ];
    let mut line = line.to_owned();
    for (plain, escaped) in SPELLINGS {
        if random.one_in(12) {
            line = line.replace(plain, escaped);
        }
    }
    line
}

/// The lines as files: one for each type, or mixed, in a few files.
#[must_use]
pub fn files(random: &mut Random, lines: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let mut files: std::collections::BTreeMap<String, Vec<u8>> = std::collections::BTreeMap::new();
    let count = random.below(5);
    for line in lines {
        let name = match count {
            0 => {
                let value: Value = serde_json::from_slice(line).unwrap_or_default();
                value["resourceType"].as_str().unwrap_or_default().to_owned()
            }
            count => random.below(count).to_string(),
        };
        let file = files.entry(format!("{name}.ndjson")).or_default();
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    files.into_iter().collect()
}

/// A request about such data.
#[must_use]
pub fn request(random: &mut Random) -> CohortRequest {
    let mut request = CohortRequest::default();
    match random.below(8) {
        0 => {}
        1..=4 => {
            let count = 1 + random.below(3);
            request.patient = (0..count).map(|_| random.below(3).to_string()).collect();
        }
        _ => request.group = Some(random.below(IDS).to_string()),
    }
    let cohort = !request.patient.is_empty() || request.group.is_some();
    if random.one_in(2) {
        let count = 1 + random.below(6);
        request.types = (0..count)
            .filter_map(|_| random.pick(&TYPES))
            .map(|name| (*name).to_owned())
            .collect();
    }
    for _ in 0..random.below(3) {
        let filter = random.pick(&FILTERS).copied().unwrap_or_default();
        let type_name = filter.split('?').next().unwrap_or_default();
        if request.types.is_empty() || request.types.iter().any(|name| name == type_name) {
            request.type_filter.push(filter.to_owned());
        }
    }
    let mut time = |many: u64| {
        random
            .one_in(many)
            .then(|| random.pick(&TIMES).map(|time| (*time).to_owned()))
            .flatten()
    };
    (request.since, request.until, request.transaction_time) = (time(5), time(5), time(4));
    request.fhir_base = random.one_in(2).then(|| BASE.to_owned());
    request.exclusive = cohort && random.one_in(4);
    let include = ["LatestProvenanceResources", "RelevantProvenanceResources"];
    if !cohort || random.one_in(3) {
        request.include_associated_data = random.pick(&include).iter().map(|value| (**value).to_owned()).collect();
    }
    request
}
