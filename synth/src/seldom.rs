//! Members that real data seldom has but that search parameters read: a few percent of the lines of a type get each.

use crate::ids::Kind;
use crate::pen::{Pen, put};
use crate::references::{reference, shared};

/// One seldom member. None of these names is written by the type's own function: a name must not stand twice.
#[derive(Clone, Copy)]
enum Member {
    /// The member as it stands, with its leading comma.
    Literal(&'static str),
    /// A list of one reference to another resource of the patient, its first.
    Owns(&'static str, Kind),
    /// A reference to a shared resource.
    Shared(&'static str, Kind),
    /// A list of one such reference.
    Shareds(&'static str, Kind),
}

use Member::{Literal, Owns, Shared, Shareds};

const IDENTIFIER: Member = Literal(
    r#","identifier":[{"use":"usual","system":"http://example.org/ids|seldom","value":"seldom,1$2"},{"system":"urn:ietf:rfc:3986","value":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}]"#,
);
const ENDPOINT: Member = Literal(r#","endpoint":[{"reference":"Endpoint/main"}]"#);
const CANONICAL: Member = Literal(
    r#","instantiatesCanonical":["http://example.org/ActivityDefinition/ad|1.0"],"instantiatesUri":["http://example.org/protocol?x=1,2"]"#,
);
const REASON: Member =
    Literal(r#","reasonReference":[{"reference":"DiagnosticReport/elsewhere","type":"DiagnosticReport"}]"#);

#[expect(clippy::too_many_lines, reason = "a table")]
fn members(kind: Kind) -> &'static [Member] {
    match kind {
        Kind::AllergyIntolerance => &[IDENTIFIER],
        Kind::CarePlan => &[
            Literal(r#","instantiatesUri":["http://example.org/protocol?x=1,2"]"#),
            Owns("basedOn", Kind::CarePlan),
            Owns("partOf", Kind::CarePlan),
            Owns("replaces", Kind::CarePlan),
            Literal(r#","description":"Grüße; \"quoted\" \/ escaped""#),
        ],
        Kind::CareTeam => &[
            IDENTIFIER,
            Literal(r#","category":[{"coding":[{"system":"http://loinc.org","code":"LA27976-2"}]}]"#),
            Shareds("managingOrganization", Kind::Organization),
        ],
        Kind::ChargeItem => &[
            Literal(r#","account":[{"reference":"Account/main"}]"#),
            Shared("performingOrganization", Kind::Organization),
            Shared("requestingOrganization", Kind::Organization),
            Owns("service", Kind::Observation),
        ],
        Kind::Claim => &[
            Shared("enterer", Kind::Practitioner),
            Shared("insurer", Kind::Organization),
        ],
        Kind::ExplanationOfBenefit => &[
            Shared("enterer", Kind::Practitioner),
            Shared("facility", Kind::Location),
            Literal(r#","payee":{"type":{"text":"subscriber"},"party":{"reference":"Organization/elsewhere"}}"#),
        ],
        Kind::Condition => &[
            Literal(
                r#","severity":{"coding":[{"system":"http://snomed.info/sct","code":"24484000","display":"Severe"}]}"#,
            ),
            Shared("recorder", Kind::Practitioner),
        ],
        Kind::Device => &[Literal(r#","manufacturer":"Ärzte & Söhne \"Medizin\" GmbH""#)],
        Kind::DiagnosticReport => &[
            Literal(r#","media":[{"comment":"slide","link":{"reference":"Media/elsewhere"}}]"#),
            Owns("specimen", Kind::Specimen),
        ],
        Kind::DocumentReference => &[Shared("authenticator", Kind::Practitioner)],
        Kind::Encounter => &[
            Literal(r#","account":[{"reference":"Account/main"}]"#),
            Literal(r#","appointment":[{"reference":"Appointment/first"}]"#),
            Literal(r#","episodeOfCare":[{"reference":"EpisodeOfCare/first"}]"#),
            Owns("basedOn", Kind::ServiceRequest),
            Owns("reasonReference", Kind::Condition),
        ],
        Kind::Group => &[Literal(r#","quantity":12"#)],
        Kind::Immunization => &[
            IDENTIFIER,
            Literal(r#","reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"429060002"}]}]"#),
            Owns("reasonReference", Kind::Condition),
            Literal(r#","recorded":"2022-02""#),
        ],
        Kind::Location => &[
            ENDPOINT,
            Literal(r#","alias":["Haus Ölberg","OLD WARD"]"#),
            Literal(r#","operationalStatus":{"system":"http://terminology.hl7.org/CodeSystem/v2-0116","code":"O"}"#),
        ],
        Kind::Medication => &[IDENTIFIER],
        Kind::MedicationAdministration => &[
            IDENTIFIER,
            Owns("device", Kind::Device),
            Literal(
                r#","statusReason":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/reason-medication-not-given","code":"b"}]}]"#,
            ),
        ],
        Kind::MedicationRequest => &[
            Shared("performer", Kind::Organization),
            Literal(
                r#","performerType":{"coding":[{"system":"http://snomed.info/sct","code":"46255001","display":"Pharmacist"}]}"#,
            ),
            CANONICAL,
            REASON,
        ],
        Kind::Observation => &[Owns("partOf", Kind::Procedure)],
        Kind::Organization => &[ENDPOINT],
        Kind::Practitioner => &[Literal(
            r#","communication":[{"coding":[{"system":"urn:ietf:bcp:47","code":"de-CH"}],"text":"Schwiizerdütsch"}]"#,
        )],
        Kind::PractitionerRole => &[
            IDENTIFIER,
            ENDPOINT,
            Literal(r#","healthcareService":[{"reference":"HealthcareService/main"}]"#),
        ],
        Kind::Procedure => &[Owns("basedOn", Kind::ServiceRequest), Owns("partOf", Kind::Procedure)],
        Kind::ServiceRequest => &[
            Owns("basedOn", Kind::CarePlan),
            Owns("replaces", Kind::ServiceRequest),
            CANONICAL,
            Literal(r#","bodySite":[{"coding":[{"system":"http://snomed.info/sct","code":"368209003"}]}]"#),
            Literal(r#","category":[{"coding":[{"system":"http://snomed.info/sct","code":"108252007"}]}]"#),
            Literal(r#","performerType":{"text":"Radiologist"}"#),
        ],
        Kind::Specimen => &[Owns("parent", Kind::Specimen), Owns("request", Kind::ServiceRequest)],
        _ => &[],
    }
}

/// Appends each seldom member of the type in a few percent of the lines; of shared types, which have few lines, more often.
pub(crate) fn seldom(pen: &mut Pen, kind: Kind) {
    let members = members(kind);
    let percent = if crate::references::shared_count(kind) > 0 {
        25
    } else {
        12
    };
    if members.is_empty() || !pen.oddly(if percent > 12 { 60 } else { 40 }) {
        return;
    }
    for member in members {
        if !pen.rng.percent(percent) {
            continue;
        }
        match *member {
            Literal(text) => put!(pen, text),
            Owns(name, target) => {
                let id = pen.own(target, 0);
                put!(pen, ",\"", name, "\":[");
                reference(pen, target, id);
                put!(pen, "]");
            }
            Shared(name, target) => crate::references::shared_as(pen, name, target),
            Shareds(name, target) => {
                put!(pen, ",\"", name, "\":[");
                shared(pen, target);
                put!(pen, "]");
            }
        }
    }
}
