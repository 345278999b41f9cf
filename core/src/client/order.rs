//! What is asked of a server: the level, the parameters and how they are spelled (SPEC 2.2, 2.3).

/// What an export is to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// `[base]/$export`.
    System,
    /// `[base]/Patient/$export`.
    Patient,
    /// `[base]/Group/[id]/$export`.
    Group(String),
}

/// How the kick-off is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Parameters in the query; a list of patients cannot be given.
    #[default]
    Get,
    /// Parameters in a FHIR Parameters resource.
    Post,
}

impl Method {
    pub(super) fn is_post(self) -> bool {
        self == Method::Post
    }
}

/// How parameters with several values are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// Comma lists, and `_typeFilter` repeated: what servers of STU1 to STU3 understand.
    #[default]
    Commas,
    /// Each value on its own, as STU4 (ballot) has it.
    Repeated,
}

/// A kick-off, as the caller wants it. Nothing is checked here but what cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The FHIR base of the server, absolute.
    pub base: String,
    /// The level.
    pub level: Level,
    /// How it is sent.
    pub method: Method,
    /// How lists are spelled.
    pub spelling: Spelling,
    /// `_type`; items may be comma lists.
    pub types: Vec<String>,
    /// `_since`.
    pub since: Option<String>,
    /// `_until`.
    pub until: Option<String>,
    /// `_typeFilter`, one query each.
    pub type_filters: Vec<String>,
    /// `_elements`; items may be comma lists.
    pub elements: Vec<String>,
    /// `patient`: ids; only with [`Method::Post`].
    pub patients: Vec<String>,
    /// `includeAssociatedData`; items may be comma lists.
    pub associated_data: Vec<String>,
    /// `organizeOutputBy`.
    pub organize_by: Option<String>,
    /// `_outputFormat`.
    pub output_format: Option<String>,
    /// `allowPartialManifests`: files may be fetched while the job runs.
    pub partial: bool,
    /// `Prefer: handling=lenient`: the server may leave out what it cannot apply.
    pub lenient: bool,
    /// Further parameters that only this server knows: name and value.
    pub further: Vec<(String, String)>,
}
