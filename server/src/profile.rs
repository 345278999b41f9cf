//! What the server offers under each profile, as data: doors, methods, parameters, limits, how files are given out.
//!
//! Which types, levels and filters are taken is in the core's own table ([`ServerProfile::rules`]); here stands what only a
//! server has. One parser ([`crate::kickoff`]) reads them all: a further profile is a further row, and no code.

use std::time::Duration;

use fhirehose_core::manifest::Generation;
use fhirehose_core::profile::{self as core_profile, Answer, Level, Parameter, Profile};
use serde::{Deserialize, Serialize};

/// A method that exports are started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters in the body too.
    Post,
}

impl Method {
    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// The generations of the guide, as far as they differ for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guide {
    /// The first to the third: GET and POST, comma lists, `request` and `error` in the manifest.
    V1ToV3,
    /// The fourth (ballot): POST, repeated parameters, `outcome` in the manifest.
    V4,
}

impl Guide {
    /// The shape of its manifest.
    #[must_use]
    pub const fn manifest(self) -> Generation {
        match self {
            Guide::V1ToV3 => Generation::V2V3,
            Guide::V4 => Generation::V4,
        }
    }
}

/// A level that exports are started at, and how.
#[derive(Debug)]
pub struct DoorRule {
    /// The level.
    pub level: Level,
    /// The methods.
    pub methods: &'static [Method],
}

/// What a value can be in a body: the suffix of `value[x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `valueString`, and the other types that are plain text: `valueCode`, `valueUri`, `valueId`.
    Text,
    /// `valueInstant`, or a `valueDateTime` or text that is a whole instant.
    Instant,
    /// `valueBoolean`, or the text.
    Boolean,
    /// `valuePositiveInt`, `valueUnsignedInt`, `valueInteger`, `valueInteger64`, or the text.
    Number,
    /// `valueReference`, or its text.
    Reference,
    /// `valueCode` or the text, and `valueCoding`, which is what the fourth generation has.
    Coding,
}

/// A parameter that is offered.
#[derive(Debug)]
pub struct ParameterRule {
    /// Which.
    pub parameter: Parameter,
    /// By these methods.
    pub methods: &'static [Method],
    /// At these levels.
    pub levels: &'static [Level],
    /// It may be given more than once.
    pub repeats: bool,
    /// What it is in a body.
    pub kind: Kind,
}

/// What becomes of lists with commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commas {
    /// A way to write several values.
    Lists,
    /// The same, and the client is told to write the parameter several times instead.
    Retired,
}

/// What `Prefer: handling=lenient` forgives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leniency {
    /// What the guide lets a server forgive.
    Guide,
    /// Parameters that are unknown or not offered, and no values.
    ParametersOnly,
}

/// How finished files are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// By the server itself.
    Direct,
    /// By `307` to a signed URL that is good for this long, and takes no token.
    Redirect(Duration),
}

/// The requests that differ in what they need of `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Starting an export.
    KickOff,
    /// Asking for its status.
    Status,
    /// Fetching a file.
    File,
    /// Deleting a job.
    Delete,
}

/// What `Accept` has to say.
#[derive(Debug)]
pub struct AcceptRule {
    /// Of which requests.
    pub route: Route,
    /// It has to be there.
    pub required: bool,
    /// What is answered in, the usual one first. `*/*` and the like stand for these, too.
    pub media_types: &'static [&'static str],
    /// The code of the issue where it takes none of these.
    pub code: &'static str,
}

/// What a server offers.
#[derive(Debug)]
pub struct ServerProfile {
    /// Name: `ig`, `ig4`, `oracle`.
    pub name: &'static str,
    /// Types, levels, filters and answers.
    pub rules: &'static Profile,
    /// The guide's generation.
    pub guide: Guide,
    /// Where exports are started.
    pub doors: &'static [DoorRule],
    /// What `Accept` has to say, request by request.
    pub accept: &'static [AcceptRule],
    /// A kick-off has to say `Prefer: respond-async`.
    pub needs_respond_async: bool,
    /// What may be asked for.
    pub parameters: &'static [ParameterRule],
    /// What becomes of comma lists.
    pub commas: Commas,
    /// What lenient handling forgives.
    pub leniency: Leniency,
    /// `Prefer: separate-export-status` is honoured.
    pub separate_status: bool,
    /// The answer to patients that are not in the data.
    pub unknown_patient: Answer,
    /// How files are given out.
    pub files: Files,
    /// Most bytes of a file, as it is stored.
    pub most_file_bytes: Option<u64>,
    /// Counts of resources stand in the manifest.
    pub counts: bool,
    /// `X-Progress` is a percentage; otherwise it is `in-progress`, and in the end `completed`.
    pub tells_percent: bool,
    /// Scopes and tokens are as Oracle has them: `system/Type.read` only, no wildcards, Basic authentication too.
    pub has_oracle_scopes: bool,
    /// How long results are kept.
    pub expires: Duration,
    /// Most jobs of one client that are not finished.
    pub most_jobs_of_a_client: Option<u32>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const NOT_FOUND: Answer = Answer {
    status: 404,
    code: "not-found",
};

/// HL7's guide, first to third generation.
pub static IG: ServerProfile = ServerProfile {
    name: "ig",
    rules: &core_profile::IG,
    guide: Guide::V1ToV3,
    doors: &[
        door(Level::System, BOTH),
        door(Level::Patient, BOTH),
        door(Level::Group, BOTH),
    ],
    accept: ACCEPT_OF_THE_GUIDE,
    needs_respond_async: true,
    parameters: &[
        once(Parameter::OutputFormat, BOTH, Kind::Text),
        once(Parameter::Since, BOTH, Kind::Instant),
        once(Parameter::Until, BOTH, Kind::Instant),
        repeated(Parameter::Type, BOTH, Kind::Text),
        repeated(Parameter::Elements, BOTH, Kind::Text),
        PATIENTS_OF_THE_GUIDE,
        repeated(Parameter::IncludeAssociatedData, BOTH, Kind::Coding),
        repeated(Parameter::TypeFilter, BOTH, Kind::Text),
        // One type a manifest, but clients write it like a list (SPEC 2.20).
        repeated(Parameter::OrganizeOutputBy, BOTH, Kind::Text),
        once(Parameter::AllowPartialManifests, BOTH, Kind::Boolean),
    ],
    commas: Commas::Lists,
    leniency: Leniency::Guide,
    separate_status: true,
    unknown_patient: NOT_FOUND,
    files: Files::Direct,
    most_file_bytes: None,
    counts: true,
    tells_percent: true,
    has_oracle_scopes: false,
    expires: DAY,
    most_jobs_of_a_client: None,
};

/// HL7's guide, fourth generation (ballot).
pub static IG4: ServerProfile = ServerProfile {
    name: "ig4",
    rules: &core_profile::IG,
    guide: Guide::V4,
    doors: &[
        door(Level::System, POST),
        door(Level::Patient, POST),
        door(Level::Group, POST),
    ],
    accept: ACCEPT_OF_THE_GUIDE,
    needs_respond_async: true,
    parameters: &[
        once(Parameter::OutputFormat, POST, Kind::Text),
        once(Parameter::Since, POST, Kind::Instant),
        once(Parameter::Until, POST, Kind::Instant),
        repeated(Parameter::Type, POST, Kind::Text),
        repeated(Parameter::Elements, POST, Kind::Text),
        PATIENTS_OF_THE_GUIDE,
        repeated(Parameter::IncludeAssociatedData, POST, Kind::Coding),
        repeated(Parameter::TypeFilter, POST, Kind::Text),
        repeated(Parameter::OrganizeOutputBy, POST, Kind::Text),
        once(Parameter::AllowPartialManifests, POST, Kind::Boolean),
        once(Parameter::MinimumFileSize, POST, Kind::Number),
        once(Parameter::MaximumFileSize, POST, Kind::Number),
    ],
    commas: Commas::Retired,
    leniency: Leniency::Guide,
    separate_status: true,
    unknown_patient: NOT_FOUND,
    files: Files::Direct,
    most_file_bytes: None,
    counts: true,
    tells_percent: true,
    has_oracle_scopes: false,
    expires: DAY,
    most_jobs_of_a_client: None,
};

/// Oracle's Bulk Export (SPEC 1).
pub static ORACLE: ServerProfile = ServerProfile {
    name: "oracle",
    rules: &core_profile::ORACLE,
    guide: Guide::V1ToV3,
    doors: &[door(Level::Group, GET), door(Level::Patient, POST)],
    accept: &[
        accept_by_oracle(Route::KickOff, JSON),
        accept_by_oracle(Route::Status, JSON),
        // The older of Oracle's pages shows the first, the newer the second, and both have it among what a request needs.
        // SMART's reference client sends none, and would get nothing.
        AcceptRule {
            required: false,
            ..accept_by_oracle(Route::File, &["application/fhir+ndjson", "application/fhir+json"])
        },
        accept_by_oracle(Route::Delete, JSON),
    ],
    needs_respond_async: true,
    parameters: &[
        once(Parameter::OutputFormat, BOTH, Kind::Text),
        once(Parameter::Since, BOTH, Kind::Instant),
        repeated(Parameter::Type, BOTH, Kind::Text),
        ParameterRule {
            levels: &[Level::Patient],
            ..PATIENTS_OF_THE_GUIDE
        },
        repeated(Parameter::IncludeAssociatedData, BOTH, Kind::Coding),
        repeated(Parameter::TypeFilter, BOTH, Kind::Text),
    ],
    commas: Commas::Lists,
    leniency: Leniency::ParametersOnly,
    separate_status: false,
    unknown_patient: Answer {
        status: 400,
        code: "not-found",
    },
    files: Files::Redirect(Duration::from_secs(300)),
    most_file_bytes: Some(50_000_000),
    counts: false,
    tells_percent: false,
    has_oracle_scopes: true,
    expires: Duration::from_secs(30 * 24 * 60 * 60),
    most_jobs_of_a_client: Some(1),
};

/// Every profile, the default first.
pub static ALL: [&ServerProfile; 3] = [&IG, &IG4, &ORACLE];

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const BOTH: &[Method] = &[Method::Get, Method::Post];
const EVERYWHERE: &[Level] = &[Level::System, Level::Patient, Level::Group];

const PATIENTS_OF_THE_GUIDE: ParameterRule = ParameterRule {
    parameter: Parameter::Patient,
    methods: POST,
    levels: &[Level::Patient, Level::Group],
    repeats: true,
    kind: Kind::Reference,
};

/// The media types of FHIR's JSON.
const JSON: &[&str] = &["application/fhir+json", "application/json", "application/json+fhir"];

/// A kick-off without `Accept` is refused (SPEC 2.20); elsewhere whoever does not say takes what there is.
const ACCEPT_OF_THE_GUIDE: &[AcceptRule] = &[
    accept(Route::KickOff, true, JSON),
    accept(Route::Status, false, JSON),
    accept(
        Route::File,
        false,
        &[
            "application/fhir+ndjson",
            "application/ndjson",
            "application/x-ndjson",
            "application/fhir+json",
            "application/json",
        ],
    ),
    accept(Route::Delete, false, JSON),
];

const fn accept(route: Route, required: bool, media_types: &'static [&'static str]) -> AcceptRule {
    AcceptRule {
        route,
        required,
        media_types,
        code: "not-supported",
    }
}

/// Oracle needs it, and its table of errors knows one code for a 406 (SPEC 1.8).
const fn accept_by_oracle(route: Route, media_types: &'static [&'static str]) -> AcceptRule {
    AcceptRule {
        code: "invalid",
        ..accept(route, true, media_types)
    }
}

const fn door(level: Level, methods: &'static [Method]) -> DoorRule {
    DoorRule { level, methods }
}

const fn once(parameter: Parameter, methods: &'static [Method], kind: Kind) -> ParameterRule {
    ParameterRule {
        parameter,
        methods,
        levels: EVERYWHERE,
        repeats: false,
        kind,
    }
}

const fn repeated(parameter: Parameter, methods: &'static [Method], kind: Kind) -> ParameterRule {
    ParameterRule {
        repeats: true,
        ..once(parameter, methods, kind)
    }
}

/// Most bytes of a list of a kick-off (types, filters, elements): a limit against mischief, far above what anybody needs.
/// Patients have limits of their own.
pub const MOST_LIST_BYTES: usize = 1 << 20;

/// Most items of such a list, likewise.
pub const MOST_ITEMS: usize = 1000;

/// Most search parameters of all filters together, likewise.
pub const MOST_SEARCH_PARAMETERS: usize = 5000;

/// Every parameter that some profile knows.
pub const PARAMETERS: [Parameter; 12] = [
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
    Parameter::MinimumFileSize,
    Parameter::MaximumFileSize,
];

impl ServerProfile {
    /// The profile of a name, in a generation of the guide; `oracle` has one shape only.
    #[must_use]
    pub fn named(name: &str, guide: Guide) -> Option<&'static ServerProfile> {
        let mut all = ALL.into_iter();
        all.find(|profile| profile.rules.name == name && profile.guide == guide)
    }

    /// How exports are started at a level; `None`: not at all.
    #[must_use]
    pub fn door(&self, level: Level) -> Option<&'static DoorRule> {
        self.doors.iter().find(|door| door.level == level)
    }

    /// What is offered under a parameter's name; `None`: nothing, at any door.
    #[must_use]
    pub fn parameter(&self, parameter: Parameter) -> Option<&'static ParameterRule> {
        self.parameters.iter().find(|rule| rule.parameter == parameter)
    }

    /// What `Accept` has to say in a request.
    #[must_use]
    pub fn accept(&self, route: Route) -> Option<&'static AcceptRule> {
        self.accept.iter().find(|rule| rule.route == route)
    }

    /// The names of the parameters that a door takes.
    pub fn names_at(&self, level: Level, method: Method) -> impl Iterator<Item = &'static str> {
        let rules = self.parameters.iter();
        rules
            .filter(move |rule| rule.levels.contains(&level) && rule.methods.contains(&method))
            .map(|rule| rule.parameter.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_by_name_and_generation() {
        let named = |name, guide| ServerProfile::named(name, guide).map(|profile| profile.name);
        assert_eq!(named("ig", Guide::V1ToV3), Some("ig"));
        assert_eq!(named("ig", Guide::V4), Some("ig4"));
        assert_eq!(named("oracle", Guide::V1ToV3), Some("oracle"));
        assert_eq!(named("oracle", Guide::V4), None);
        assert_eq!(named("Oracle", Guide::V1ToV3), None);
    }

    #[test]
    fn what_is_offered_agrees_with_the_rules_of_the_core() {
        for profile in ALL {
            for door in profile.doors {
                assert!(profile.rules.level(door.level).is_some(), "{}", profile.name);
                assert!(!door.methods.is_empty());
            }
            assert_eq!(profile.doors.len(), profile.rules.levels.len(), "{}", profile.name);
            for rule in profile.parameters {
                let is_hint = matches!(rule.parameter, Parameter::MinimumFileSize | Parameter::MaximumFileSize);
                assert!(is_hint || profile.rules.supports(rule.parameter), "{rule:?}");
                assert!(PARAMETERS.contains(&rule.parameter));
            }
            for parameter in PARAMETERS {
                let is_offered = profile.parameter(parameter).is_some();
                assert!(is_offered || !profile.rules.supports(parameter), "{parameter:?}");
            }
        }
    }

    #[test]
    fn every_request_has_its_rule_of_accept() {
        for profile in ALL {
            for route in [Route::KickOff, Route::Status, Route::File, Route::Delete] {
                let rule = profile.accept(route).expect("a rule");
                assert!(!rule.media_types.is_empty());
                // SMART's client fetches files without.
                let may_miss = profile.name != "oracle" || route == Route::File;
                assert!(rule.required || may_miss, "{route:?}");
            }
            assert!(profile.accept(Route::KickOff).is_some_and(|rule| rule.required));
        }
    }

    #[test]
    fn oracle_is_what_its_pages_say() {
        let methods = |level| ORACLE.door(level).map(|door| door.methods);
        assert_eq!(methods(Level::Group), Some(GET));
        assert_eq!(methods(Level::Patient), Some(POST));
        assert_eq!(methods(Level::System), None);
        assert_eq!(ORACLE.expires.as_secs(), 2_592_000);
        assert_eq!(ORACLE.most_jobs_of_a_client, Some(1));
        assert_eq!(ORACLE.most_file_bytes, Some(50_000_000));
        assert_eq!(ORACLE.rules.most_patients(), Some(20_000));
        assert!(matches!(ORACLE.files, Files::Redirect(_)));
        let names: Vec<&str> = ORACLE.names_at(Level::Group, Method::Get).collect();
        let expected = [
            "_outputFormat",
            "_since",
            "_type",
            "includeAssociatedData",
            "_typeFilter",
        ];
        assert_eq!(names, expected);
        assert!(
            ORACLE
                .names_at(Level::Patient, Method::Post)
                .any(|name| name == "patient")
        );
    }

    #[test]
    fn the_fourth_generation_has_no_get_and_two_more_parameters() {
        assert!(IG4.doors.iter().all(|door| door.methods == POST));
        assert_eq!(IG4.parameters.len(), IG.parameters.len() + 2);
        assert_eq!(IG4.guide.manifest(), Generation::V4);
        assert_eq!(IG.guide.manifest(), Generation::V2V3);
        assert!(IG.names_at(Level::System, Method::Get).all(|name| name != "patient"));
    }
}
