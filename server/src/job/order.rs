//! What a job has to remember: the kick-off, and what its client might have at that time.

use fhirehose_core::plan::associated::is_for_cohorts;
use fhirehose_core::profile::Level;
use fhirehose_core::request::{Cohort, Request};
use serde::{Deserialize, Serialize};

use crate::access::{Reach, Rows};
use crate::kickoff::{Kickoff, Setting};
use crate::profile::ServerProfile;

/// A kick-off that was taken, with the reach of whoever asked. This is what the store keeps as the job's kick-off, so a job
/// that begins anew after days is the same job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What is asked for.
    pub kickoff: Kickoff,
    /// What may be had.
    pub reach: Reach,
}

/// The types of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// Whatever the data has.
    All,
    /// These; never none.
    Listed(Vec<String>),
    /// Nothing of what is asked for may be had.
    Nothing,
}

const PROVENANCE: &str = "Provenance";

impl Order {
    /// The types that are exported: those that were asked for, or all of the profile at this level, as far as they may be
    /// had.
    #[must_use]
    pub fn types(&self, profile: &ServerProfile) -> Types {
        let mut types = self.kickoff.types.clone();
        if types.is_empty() {
            let names = profile.rules.default_types(Some(self.kickoff.door.level()));
            types.extend(names.into_iter().map(str::to_owned));
        }
        // Where neither the client nor the profile names types, those of the reach are all that there are. Without a list
        // the engine leaves out what cohorts never have; in one it is a fault.
        let is_exported = |name: &&String| self.kickoff.door.level() == Level::System || is_for_cohorts(name);
        match (&self.reach, types.is_empty()) {
            (Reach::Everything, true) => return Types::All,
            (Reach::Types(had), true) => types.extend(had.keys().filter(is_exported).cloned()),
            (_, false) => types.retain(|name| self.reach.rows(name).is_some()),
        }
        // Provenance that is asked for beside the types is one of them, also for what the reach demands of it.
        let asks_for_provenance = !self.kickoff.associated_data.is_empty();
        if asks_for_provenance && !types.iter().any(|name| name == PROVENANCE) && self.reach.rows(PROVENANCE).is_some()
        {
            types.push(PROVENANCE.to_owned());
        }
        if types.is_empty() {
            Types::Nothing
        } else {
            Types::Listed(types)
        }
    }

    /// What was asked for by name and may not be had, each type once.
    #[must_use]
    pub fn forbidden(&self) -> Vec<&str> {
        let mut asked: Vec<&str> = self.kickoff.types.iter().map(String::as_str).collect();
        if !self.kickoff.associated_data.is_empty() {
            asked.push(PROVENANCE);
        }
        asked.retain(|name| self.reach.rows(name).is_none());
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// The request for the engine; `None`: nothing of it may be had. `cohort` is what [`Kickoff::cohort`] turned out to be.
    #[must_use]
    pub fn request(&self, cohort: Option<Cohort>, setting: &Setting<'_>) -> Option<Request> {
        let types = match self.types(setting.profile) {
            Types::All => Vec::new(),
            Types::Listed(types) => types,
            Types::Nothing => return None,
        };
        Some(Request {
            type_filters: self.filters(&types),
            types,
            ..self.kickoff.request(cohort, setting)
        })
    }

    /// How many filters there will be: those that were asked for, times what the reach demands of their types.
    #[must_use]
    pub fn conditions(&self) -> usize {
        let searches = |name: &str| match self.reach.rows(name) {
            Some(Rows::Matching(searches)) => searches.len(),
            _ => 1,
        };
        let asked = self.kickoff.type_filters.iter();
        asked
            .map(|filter| searches(type_of(filter)))
            .fold(0, usize::saturating_add)
    }

    /// The filters that were asked for, each with what the reach demands of its type besides; and that alone for types
    /// without a filter. Conditions of one filter all have to hold, and of several filters one has to.
    fn filters(&self, types: &[String]) -> Vec<String> {
        let Reach::Types(reach) = &self.reach else {
            return self.kickoff.type_filters.clone();
        };
        let mut filters = Vec::new();
        for asked in &self.kickoff.type_filters {
            let type_name = type_of(asked);
            match reach.get(type_name) {
                Some(Rows::Matching(searches)) => filters.extend(searches.iter().map(|search| both(asked, search))),
                // What may be had without a condition, and what may not be had at all and is no type of the export.
                _ => filters.push(asked.clone()),
            }
        }
        let has_filter = |name: &str| self.kickoff.type_filters.iter().any(|asked| type_of(asked) == name);
        for name in types.iter().filter(|name| !has_filter(name)) {
            if let Some(Rows::Matching(searches)) = reach.get(name) {
                filters.extend(searches.iter().map(|search| format!("{name}?{search}")));
            }
        }
        filters
    }
}

/// The type that a filter is about: what stands before its `?`.
fn type_of(filter: &str) -> &str {
    filter.split('?').next().unwrap_or_default().trim()
}

/// A filter whose conditions are those of both.
fn both(filter: &str, search: &str) -> String {
    let filter = filter.trim_end();
    match filter.split_once('?') {
        None => format!("{filter}?{search}"),
        Some((_, "")) => format!("{filter}{search}"),
        Some(_) => format!("{filter}&{search}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::HashMap;

    use fhirehose_core::search::table::Registry;

    use super::*;
    use crate::kickoff::{self, Call, Door};
    use crate::profile::{IG, Method, ORACLE};

    fn kickoff(profile: &'static ServerProfile, door: Door, query: &str) -> Kickoff {
        let registry = Registry::r4();
        let call = Call {
            method: Method::Get,
            door,
            query: Some(query),
            headers: &[("accept", "*/*"), ("prefer", "respond-async")],
            body: b"",
        };
        let read = kickoff::read(&call, &setting(profile, &registry, &HashMap::new()));
        read.unwrap_or_else(|refusal| panic!("refused: {refusal:?}"))
    }

    fn setting<'a>(
        profile: &'static ServerProfile,
        registry: &'a Registry,
        value_sets: &'a HashMap<String, std::sync::Arc<fhirehose_core::search::code_list::CodeList>>,
    ) -> Setting<'a> {
        Setting {
            profile,
            registry,
            public_base: "http://localhost/fhir",
            data_base: None,
            value_sets,
            assume_async: false,
            now: "2026-11-26T00:00:00.000Z",
        }
    }

    fn reach(types: &[(&str, &[&str])]) -> Reach {
        let rows = |searches: &[&str]| match searches {
            [] => Rows::All,
            _ => Rows::Matching(searches.iter().map(|&search| search.to_owned()).collect()),
        };
        let types = types.iter().map(|&(name, searches)| (name.to_owned(), rows(searches)));
        Reach::Types(types.collect::<BTreeMap<_, _>>())
    }

    fn listed(names: &[&str]) -> Types {
        Types::Listed(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn an_empty_list_of_types_never_means_all_for_somebody_with_a_reach() {
        let everything = kickoff(&IG, Door::System, "");
        let order = |reach| Order {
            kickoff: everything.clone(),
            reach,
        };
        assert_eq!(order(Reach::Everything).types(&IG), Types::All);
        assert_eq!(order(reach(&[("Patient", &[])])).types(&IG), listed(&["Patient"]));
        assert_eq!(order(reach(&[])).types(&IG), Types::Nothing);
        let registry = Registry::r4();
        let value_sets = HashMap::new();
        assert!(
            order(reach(&[]))
                .request(None, &setting(&IG, &registry, &value_sets))
                .is_none()
        );
    }

    #[test]
    fn the_profiles_types_are_those_that_the_reach_has_too() {
        let order = Order {
            kickoff: kickoff(&ORACLE, Door::Group("g".to_owned()), ""),
            reach: reach(&[("Patient", &[]), ("Basic", &[])]),
        };
        assert_eq!(order.types(&ORACLE), listed(&["Patient"]));
        assert!(order.forbidden().is_empty());
    }

    #[test]
    fn a_reach_of_every_type_is_no_reason_to_ask_for_what_cohorts_never_have() {
        let reach = reach(&[("Binary", &[]), ("Bundle", &[]), ("Patient", &[])]);
        let types = |door| {
            let order = Order {
                kickoff: kickoff(&IG, door, ""),
                reach: reach.clone(),
            };
            order.types(&IG)
        };
        assert_eq!(types(Door::System), listed(&["Binary", "Bundle", "Patient"]));
        assert_eq!(types(Door::Patient), listed(&["Patient"]));
        assert_eq!(types(Door::Group("g".to_owned())), listed(&["Patient"]));
    }

    #[test]
    fn what_is_asked_for_by_name_and_may_not_be_had_is_told() {
        let query = "_type=Patient,Observation&includeAssociatedData=RelevantProvenanceResources";
        let order = Order {
            kickoff: kickoff(&IG, Door::Patient, query),
            reach: reach(&[("Patient", &[])]),
        };
        assert_eq!(order.forbidden(), ["Observation", "Provenance"]);
    }

    #[test]
    fn provenance_beside_the_types_is_held_against_the_reach_too() {
        let query = "_type=Patient&includeAssociatedData=RelevantProvenanceResources";
        let order = Order {
            kickoff: kickoff(&IG, Door::Patient, query),
            reach: reach(&[("Patient", &[]), ("Provenance", &["recorded=lt1950"])]),
        };
        assert_eq!(order.types(&IG), listed(&["Patient", "Provenance"]));
        let registry = Registry::r4();
        let value_sets = HashMap::new();
        let request = order.request(None, &setting(&IG, &registry, &value_sets));
        let filters = request.map(|request| request.type_filters).unwrap_or_default();
        assert_eq!(filters, ["Provenance?recorded=lt1950"]);
    }

    #[test]
    fn a_reach_with_conditions_is_one_more_condition_of_every_filter() {
        let query =
            "_type=Observation,Condition,Patient&_typeFilter=Observation%3Fstatus%3Dfinal,Observation%3Fcode%3Da";
        let order = Order {
            kickoff: kickoff(&IG, Door::Patient, query),
            reach: reach(&[
                ("Observation", &["category=laboratory", "category=vital-signs"]),
                ("Condition", &["category=problem-list-item"]),
                ("Patient", &[]),
            ]),
        };
        let registry = Registry::r4();
        let value_sets = HashMap::new();
        let request = order.request(None, &setting(&IG, &registry, &value_sets));
        let mut filters = request.map(|request| request.type_filters).unwrap_or_default();
        filters.sort_unstable();
        assert_eq!(
            filters,
            [
                "Condition?category=problem-list-item",
                "Observation?code=a&category=laboratory",
                "Observation?code=a&category=vital-signs",
                "Observation?status=final&category=laboratory",
                "Observation?status=final&category=vital-signs",
            ]
        );
    }

    #[test]
    fn a_filter_without_conditions_gets_that_of_the_reach() {
        assert_eq!(both("Observation", "a=b"), "Observation?a=b");
        assert_eq!(both("Observation?", "a=b"), "Observation?a=b");
        assert_eq!(both("Observation?c=d ", "a=b"), "Observation?c=d&a=b");
    }
}
