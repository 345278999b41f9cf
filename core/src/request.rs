//! What the caller wants, as plain data. Nothing is checked here; the plan does that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::frame::DEFAULT_MAX_LINE;
use crate::ids::IdSet;
use crate::search::code_list::CodeList;

/// What to do at a bad line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBad {
    /// Leave it out, count and locate it, go on.
    #[default]
    Skip,
    /// End the export; nothing gets a manifest.
    Stop,
}

/// A request as the user wrote it. The names follow the Bulk Data guide's parameters.
#[derive(Clone, Debug)]
pub struct Request {
    /// `_type`: resource types; items may be comma lists. Empty: every type.
    pub types: Vec<String>,
    /// `_typeFilter`: search queries; items may be comma lists.
    pub type_filters: Vec<String>,
    /// `_since`: resources changed after this instant, not at it.
    pub since: Option<String>,
    /// `_until`: resources changed before this instant.
    pub until: Option<String>,
    /// The instant of the snapshot: nothing changed after it is exported, and `ap` on dates measures from it.
    pub transaction_time: Option<String>,
    /// The instant that `ap` on dates measures from where no transaction time is given; it bounds nothing.
    pub now: Option<String>,
    /// `_elements`: root elements to keep; items may be comma lists.
    pub elements: Vec<String>,
    /// `organizeOutputBy`: the type whose compartments the output is put together by. The sink does that, with
    /// [`crate::membership`]; one that does not writes a file a type as ever.
    pub organize_by: Option<String>,
    /// The FHIR base of the data's own server, for absolute references.
    pub fhir_base: Option<String>,
    /// Code lists for `:in` and `:not-in`, by the URL of the value set.
    pub value_sets: HashMap<String, Arc<CodeList>>,
    /// Whose records are exported; `None`: everybody's.
    pub cohort: Option<Cohort>,
    /// `includeAssociatedData`: `LatestProvenanceResources`, `RelevantProvenanceResources`; items may be comma lists.
    pub associated_data: Vec<String>,
    /// Do not check what follows the deciding values of a kept line.
    pub trust: bool,
    /// Longest line in bytes, without its newline.
    pub max_line: usize,
    /// What to do at a bad line.
    pub on_bad: OnBad,
}

/// The patients whose compartments are exported. An empty set exports nothing, never everybody.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// Ids of the patients.
    pub patients: Arc<IdSet>,
    /// Leave out what is in the compartment of another patient too.
    pub exclusive: bool,
    /// The Group that the patients are the members of: the only Group that is exported.
    pub group: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            types: Vec::new(),
            type_filters: Vec::new(),
            since: None,
            until: None,
            transaction_time: None,
            now: None,
            elements: Vec::new(),
            organize_by: None,
            fhir_base: None,
            value_sets: HashMap::new(),
            cohort: None,
            associated_data: Vec::new(),
            trust: false,
            max_line: DEFAULT_MAX_LINE,
            on_bad: OnBad::Skip,
        }
    }
}
