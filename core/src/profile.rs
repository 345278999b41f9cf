//! Profiles: what a kind of server lets a client ask for, as data. One table for every door.
//!
//! [`IG`] restricts nothing that the Bulk Data guide does not; [`ORACLE`] is Oracle's Bulk Export. [`check`] holds a request
//! against a profile and tells everything at once. A further profile is a further row of the table, and no code.

pub mod check;
mod table;
#[cfg(test)]
mod tests;

pub use table::{IG, ORACLE};

/// Every profile, the default first.
pub static ALL: [&Profile; 2] = [&IG, &ORACLE];

/// What a kind of server takes, and how it answers to the rest.
#[derive(Debug)]
pub struct Profile {
    /// Name, as users write it.
    pub name: &'static str,
    /// What it follows, in a few words.
    pub about: &'static str,
    /// The levels that exports are offered at.
    pub levels: &'static [LevelRule],
    /// Most patients of a list or a group; `None`: no limit.
    pub most_patients: Option<usize>,
    /// The kick-off parameters that are supported.
    pub parameters: &'static [Parameter],
    /// Values of `includeAssociatedData`.
    pub associated_data: &'static [&'static str],
    /// A list of types beside `includeAssociatedData` has to hold this one.
    pub associated_data_needs: Option<&'static str>,
    /// What filters may hold, whatever their type.
    pub filters: FilterRules,
    /// How a server answers.
    pub answers: Answers,
}

/// Where an export is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `$export`: everybody and everything.
    System,
    /// `Patient/$export`: all patients, or those of a list.
    Patient,
    /// `Group/{id}/$export`: the members of a group.
    Group,
}

/// An offered level.
#[derive(Debug)]
pub struct LevelRule {
    /// The level.
    pub level: Level,
    /// Whether patients may be listed.
    pub list: PatientList,
    /// Exportable types, which are also the default where no list of types is given; `None`: all types that there are.
    pub types: Option<&'static [TypeRule]>,
}

/// Whether a request lists patients. An empty list is a mistake in any case and never means everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientList {
    /// It has to.
    Required,
    /// It may.
    Optional,
    /// It must not.
    Refused,
}

/// An exportable type.
#[derive(Debug)]
pub struct TypeRule {
    /// The type.
    pub name: &'static str,
    /// It cannot stand in a list of types alone: a type that is not dependent must stand beside it.
    pub dependent: bool,
    /// What filters can be about.
    pub usable: Usable,
}

/// The search parameters that filters of a type can use.
#[derive(Debug)]
pub enum Usable {
    /// The type takes no filter at all.
    NoFilter,
    /// These only; with an empty list no filter of the type says anything, and none is taken.
    Only(&'static [UsableParameter]),
}

/// A search parameter that filters can use.
#[derive(Debug)]
pub struct UsableParameter {
    /// Its code.
    pub code: &'static str,
    /// The prefixes that a value may have, `""` standing for none; `None`: as search has it.
    pub prefixes: Option<&'static [&'static str]>,
    /// How often it may stand in one filter; `None`: no limit.
    pub most: Option<usize>,
}

/// What filters may hold.
#[derive(Debug)]
pub struct FilterRules {
    /// Filters need a list of types, in which their own type stands.
    pub need_types: bool,
    /// Most filters of one type; `None`: no limit.
    pub most_of_a_type: Option<usize>,
    /// Names that must not stand in a filter.
    pub forbidden: &'static [&'static str],
    /// Parameters take modifiers.
    pub modifiers: bool,
}

/// A parameter of a kick-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// `_outputFormat`
    OutputFormat,
    /// `_since`
    Since,
    /// `_until`
    Until,
    /// `_type`
    Type,
    /// `_elements`
    Elements,
    /// `patient`
    Patient,
    /// `includeAssociatedData`
    IncludeAssociatedData,
    /// `_typeFilter`
    TypeFilter,
    /// `organizeOutputBy`
    OrganizeOutputBy,
    /// `allowPartialManifests`
    AllowPartialManifests,
    /// `_minimumFileSize`, of the fourth generation's asynchronous pattern.
    MinimumFileSize,
    /// `_maximumFileSize`, likewise.
    MaximumFileSize,
}

impl Parameter {
    /// The name in a kick-off, and the name of the part of the request in a problem.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Parameter::OutputFormat => ("_outputFormat", "output-format"),
            Parameter::Since => ("_since", "since"),
            Parameter::Until => ("_until", "until"),
            Parameter::Type => ("_type", "type"),
            Parameter::Elements => ("_elements", "elements"),
            Parameter::Patient => ("patient", "patient"),
            Parameter::IncludeAssociatedData => ("includeAssociatedData", "include-associated-data"),
            Parameter::TypeFilter => ("_typeFilter", "type-filter"),
            Parameter::OrganizeOutputBy => ("organizeOutputBy", "organize-by"),
            Parameter::AllowPartialManifests => ("allowPartialManifests", "allow-partial-manifests"),
            Parameter::MinimumFileSize => ("_minimumFileSize", "minimum-file-size"),
            Parameter::MaximumFileSize => ("_maximumFileSize", "maximum-file-size"),
        }
    }

    /// The name in a kick-off, `_typeFilter`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in a [`Problem`](crate::problem::Problem), `type-filter`.
    #[must_use]
    pub const fn option(self) -> &'static str {
        self.names().1
    }
}

/// An HTTP status and the code of the OperationOutcome's issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// FHIR issue code.
    pub code: &'static str,
}

/// How a server answers to what it does not take.
#[derive(Debug)]
pub struct Answers {
    /// A value that is wrong or not offered.
    pub invalid: Answer,
    /// A parameter, or a level, that is not offered.
    pub unsupported: Answer,
    /// A filter that is malformed or holds what it must not.
    pub filter: Answer,
    /// Something that is required and not there.
    pub missing: Answer,
    /// More patients than are taken.
    pub too_many: Answer,
}

impl Profile {
    /// The profile of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Profile> {
        ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Most patients of a list or a group; `None`: no limit.
    #[must_use]
    pub const fn most_patients(&self) -> Option<usize> {
        self.most_patients
    }

    /// Whether a parameter is supported, at some level at least.
    #[must_use]
    pub fn supports(&self, parameter: Parameter) -> bool {
        self.parameters.contains(&parameter)
    }

    /// What is offered at a level; `None`: nothing.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<&'static LevelRule> {
        self.levels.iter().find(|rule| rule.level == level)
    }

    /// The types that are exported where no list of types is given. Empty: every type, as an empty list in a request says.
    ///
    /// Where the level is not known or not offered, what some level exports.
    #[must_use]
    pub fn default_types(&self, level: Option<Level>) -> Vec<&'static str> {
        let mut names: Vec<&str> = Vec::new();
        for rule in self.at(level) {
            match rule.types {
                None => return Vec::new(),
                Some(types) => names.extend(types.iter().map(|rule| rule.name)),
            }
        }
        crate::order::sort(&mut names);
        names.dedup();
        names
    }

    /// The answer to a problem that is no matter of profiles, such as one of the plan's.
    #[must_use]
    pub fn answer_to(&self, option: &str) -> Answer {
        if option == Parameter::TypeFilter.option() {
            self.answers.filter
        } else {
            self.answers.invalid
        }
    }

    /// What is offered at a level; at any where it is not known or not offered, so that the rest can be told too.
    fn at(&self, level: Option<Level>) -> impl Iterator<Item = &'static LevelRule> {
        let level = level.filter(|level| self.level(*level).is_some());
        let is_meant = move |rule: &&LevelRule| level.is_none_or(|level| level == rule.level);
        self.levels.iter().filter(is_meant)
    }
}
