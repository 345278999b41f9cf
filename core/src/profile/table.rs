//! The table of profiles: data without logic.

use super::{
    Answer, Answers, FilterRules, Level, LevelRule, Parameter, PatientList, Profile, TypeRule, Usable, UsableParameter,
};

/// HL7's Bulk Data guide, without limits of its own. What the guide itself refuses at a level (types outside the compartment,
/// result parameters in filters) is the plan's to tell.
pub static IG: Profile = Profile {
    name: "ig",
    about: "HL7's Bulk Data guide, with no limits beyond it",
    levels: &[
        // "patient" is for the patient and group levels only (SPEC 2.7).
        LevelRule {
            level: Level::System,
            list: PatientList::Refused,
            types: None,
        },
        LevelRule {
            level: Level::Patient,
            list: PatientList::Optional,
            types: None,
        },
        LevelRule {
            level: Level::Group,
            list: PatientList::Optional,
            types: None,
        },
    ],
    most_patients: None,
    parameters: &[
        Parameter::OutputFormat,
        Parameter::Since,
        Parameter::Until,
        Parameter::Type,
        Parameter::Elements,
        Parameter::Patient,
        Parameter::IncludeAssociatedData,
        Parameter::TypeFilter,
        Parameter::OrganizeOutputBy,
        Parameter::AllowPartialManifests,
    ],
    associated_data: ASSOCIATED_DATA,
    associated_data_needs: None,
    filters: FilterRules {
        need_types: false,
        most_of_a_type: None,
        forbidden: &[],
        modifiers: true,
    },
    answers: Answers {
        invalid: INVALID,
        unsupported: Answer {
            status: 400,
            code: "not-supported",
        },
        filter: INVALID,
        missing: MISSING,
        too_many: TOO_MANY,
    },
};

/// Oracle's Bulk Export (Millennium): `GET Group/{id}/$export`, and `POST Patient/$export` with a list (SPEC 1).
pub static ORACLE: Profile = Profile {
    name: "oracle",
    about: "Oracle's Bulk Export (Millennium)",
    levels: &[
        LevelRule {
            level: Level::Patient,
            list: PatientList::Required,
            types: Some(ORACLE_TYPES),
        },
        LevelRule {
            level: Level::Group,
            list: PatientList::Refused,
            types: Some(ORACLE_TYPES),
        },
    ],
    most_patients: Some(20_000),
    // `_elements` is refused by name in Oracle's pages; what they do not name (`_until` and all of the guide's third
    // generation) is an unsupported parameter just so.
    parameters: &[
        Parameter::OutputFormat,
        Parameter::Since,
        Parameter::Type,
        Parameter::Patient,
        Parameter::IncludeAssociatedData,
        Parameter::TypeFilter,
    ],
    associated_data: ASSOCIATED_DATA,
    associated_data_needs: Some("Provenance"),
    filters: FilterRules {
        need_types: true,
        most_of_a_type: Some(1),
        forbidden: &[
            "_count",
            "_contained",
            "_containedType",
            "_elements",
            "_id",
            "_include",
            "_lastUpdated",
            "_revinclude",
            "_sort",
            "_summary",
            "_total",
            "encounter",
            "identifier",
            "patient",
            "subject",
        ],
        // Oracle's pages show a modifier at `subject` alone, which is forbidden here. What they do not offer is refused.
        modifiers: false,
    },
    answers: Answers {
        invalid: INVALID,
        unsupported: INVALID,
        filter: Answer {
            status: 422,
            code: "invalid",
        },
        missing: MISSING,
        too_many: TOO_MANY,
    },
};

const INVALID: Answer = Answer {
    status: 400,
    code: "invalid",
};

const MISSING: Answer = Answer {
    status: 400,
    code: "required",
};

const TOO_MANY: Answer = Answer {
    status: 400,
    code: "too-costly",
};

/// The guide lets servers define values of their own; there are none here.
const ASSOCIATED_DATA: &[&str] = &["LatestProvenanceResources", "RelevantProvenanceResources"];

/// The types of the newer of Oracle's pages; that of 2024 lacks Coverage, MedicationDispense, ServiceRequest and RelatedPerson
/// (SPEC 1.4). The parameters are what Oracle's search pages leave after those that are forbidden in filters (SPEC 1.5).
const ORACLE_TYPES: &[TypeRule] = &[
    clinical("AllergyIntolerance", &[plain("clinical-status")]),
    clinical("CarePlan", &[plain("date"), plain("category")]),
    clinical("CareTeam", &[plain("category"), plain("status")]),
    clinical("Condition", &[plain("clinical-status"), plain("category")]),
    // Searched by `patient` and `-encounter` alone. The first is forbidden in filters, and the second is a name of Oracle's for
    // a forbidden one, so none is left.
    clinical("Coverage", &[]),
    clinical("Device", &[]),
    clinical("DiagnosticReport", &[plain("date"), plain("category"), plain("code")]),
    clinical(
        "DocumentReference",
        &[plain("type"), plain("category"), plain("date"), plain("period")],
    ),
    clinical(
        "Encounter",
        &[
            plain("account"),
            UsableParameter {
                code: "date",
                prefixes: Some(&["ge", "gt", "le", "lt"]),
                most: None,
            },
            plain("status"),
        ],
    ),
    clinical("Goal", &[plain("target-date")]),
    clinical("Immunization", &[plain("date"), plain("target-disease")]),
    // Nothing is known of its filters, so none is taken.
    clinical("MedicationDispense", &[]),
    // The last is Oracle's own: no table of the standard has it, so it needs a SearchParameter of the user's.
    clinical(
        "MedicationRequest",
        &[plain("status"), plain("intent"), plain("-timing-boundsPeriod")],
    ),
    clinical(
        "Observation",
        &[
            plain("code"),
            UsableParameter {
                code: "date",
                prefixes: Some(&["", "eq", "ge", "gt", "le", "lt"]),
                most: Some(2),
            },
            plain("category"),
        ],
    ),
    TypeRule {
        name: "Patient",
        dependent: false,
        usable: Usable::NoFilter,
    },
    clinical("Procedure", &[plain("date")]),
    clinical("ServiceRequest", &[plain("code")]),
    dependent("Location", Usable::NoFilter),
    dependent("Organization", Usable::NoFilter),
    dependent("Practitioner", Usable::NoFilter),
    dependent("Provenance", Usable::NoFilter),
    // Searched by Oracle's own `-encounter` and `-relationship-level`; whether filters take them is unknown, so none is taken.
    dependent("RelatedPerson", Usable::Only(&[])),
];

const fn clinical(name: &'static str, parameters: &'static [UsableParameter]) -> TypeRule {
    TypeRule {
        name,
        dependent: false,
        usable: Usable::Only(parameters),
    }
}

const fn dependent(name: &'static str, usable: Usable) -> TypeRule {
    TypeRule {
        name,
        dependent: true,
        usable,
    }
}

const fn plain(code: &'static str) -> UsableParameter {
    UsableParameter {
        code,
        prefixes: None,
        most: None,
    }
}
